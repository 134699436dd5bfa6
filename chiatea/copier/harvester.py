"""The harvester of this machine, asked which plots it farms."""

import asyncio
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chiatea.chia.json_stream import JsonStream
from chiatea.chia.place import ChiaPlace, ChiaPlaceReader
from chiatea.chia.untrusted import boolean, items, mapping, number
from chiatea.copier.farming import HarvesterTold, ask_every_seconds, is_loaded_from
from chiatea.question import Question, UnansweredError

if TYPE_CHECKING:
    from chiatea.chia.rpc import RpcClient

__all__ = ["Harvester", "NoAnswerError", "PlotsAnswer"]

_REFRESH_SECONDS: Final = 120.0
"""How often it looks for new plots unless it says otherwise (Chia 2.7.5, initial-config.yaml)."""
_RESOLVE_SECONDS: Final = 5.0


class NoAnswerError(Exception):
    """It could not be asked; the text says why."""


class Harvester:
    """Asked for its folders, which is cheap, and for its plots, which is not."""

    def __init__(self, chia_root: Path) -> None:
        """Connects when it is first asked."""
        self._reader = ChiaPlaceReader(chia_root)
        self._client: RpcClient | None = None
        self._has_answered = False
        self._refresh_seconds = _REFRESH_SECONDS
        self._list_seconds = 0.0
        self._folders: list[str] = []
        self._resolved_folders = Question(lambda: tuple(map(os.path.realpath, self._folders)))

    @property
    def is_there(self) -> bool:
        """Whether this machine has one: Chia's configuration names plot directories, or it answered before."""
        place = self._reader.place()
        return place is not None and (bool(place.plot_folders) or self._has_answered)

    @property
    def ask_every_seconds(self) -> float:
        """How often to ask for its plots."""
        return ask_every_seconds(self._refresh_seconds, self._list_seconds)

    async def tell(self, filepaths: Collection[str]) -> HarvesterTold:
        """Its folders and, of some plots by their resolved paths, which it has loaded. Where none of them is in its
        folders, its plots are not asked for.

        Raises:
            NoAnswerError: it could not be asked.
        """
        from chiatea.chia.rpc import RpcClient, RpcFailedError, RpcRefusedError  # noqa: PLC0415 - memory and time

        place = self._reader.place()
        if place is None:
            raise NoAnswerError("there is no Chia on this machine any more")
        client = self._client = self._client or RpcClient("harvester")
        try:
            folders = await client.ask(place, "get_plot_directories")
            try:
                settings = await client.ask(place, "get_harvester_config")
            except RpcRefusedError:
                # Chia before 2.0 does not tell: it may look into sub-folders.
                settings = {"recursive_plot_scan": True}
            self._has_answered = True
            told = await self._settings_told(folders, settings)
            wanted = frozenset(path for path in filepaths if is_loaded_from(path, told))
            if not wanted:
                return told
            return await self._plots_told(client, place, told, wanted)
        except RpcFailedError as error:
            raise NoAnswerError(str(error)) from None

    async def _settings_told(self, folders: dict[str, Any], settings: dict[str, Any]) -> HarvesterTold:
        refresh_seconds = number(settings.get("refresh_parameter_interval_seconds"))
        self._refresh_seconds = _REFRESH_SECONDS if refresh_seconds is None else refresh_seconds
        self._folders = [folder for folder in items(folders.get("directories")) if isinstance(folder, str)]
        try:
            resolved = await self._resolved_folders.answer(_RESOLVE_SECONDS)
        except (UnansweredError, OSError):
            # On a mount that hangs: as they are written, which is mostly as they are.
            resolved = tuple(self._folders)
        return HarvesterTold(resolved, is_recursive=boolean(settings.get("recursive_plot_scan")) is True)

    async def _plots_told(
        self, client: "RpcClient", place: ChiaPlace, told: HarvesterTold, wanted: frozenset[str]
    ) -> HarvesterTold:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        answer = PlotsAnswer(wanted)
        await client.ask_long(place, "get_plots", answer.feed)
        self._list_seconds = loop.time() - begun
        return answer.told(told)

    async def close(self) -> None:
        """Ends the connection."""
        if self._client is not None:
            await self._client.close()


class PlotsAnswer:
    """get_plots as it comes: of 100,000 plots, 60 MB, only those are kept that were asked for."""

    def __init__(self, wanted: frozenset[str]) -> None:
        """`wanted` are resolved paths."""
        self._wanted = wanted
        self._stream = JsonStream()
        # Chia's harvester puts the files under "not_found" that it has no keys for (2.7.5, harvester_rpc_api.py).
        self._found: dict[str, set[str]] = {
            "plots": set(),
            "failed_to_open_filenames": set(),
            "not_found_filenames": set(),
        }
        self._rest: dict[str, Any] = {}

    def feed(self, piece: bytes) -> None:
        """Takes the next piece.

        Raises:
            RpcFailedError: it is no JSON object.
        """
        from chiatea.chia.rpc import RpcFailedError  # noqa: PLC0415

        try:
            for key, value in self._stream.feed(piece):
                found = self._found.get(key)
                if found is None:
                    self._rest[key] = value
                    continue
                filepath = mapping(value).get("filename") if key == "plots" else value
                if isinstance(filepath, str) and filepath in self._wanted:
                    found.add(filepath)
        except (ValueError, RecursionError):
            raise RpcFailedError("the answer is no JSON object") from None

    def told(self, before: HarvesterTold) -> HarvesterTold:
        """What it said, once all pieces came.

        Raises:
            RpcFailedError: the answer ended too early, or says that the call failed.
        """
        from chiatea.chia.rpc import RpcFailedError, checked  # noqa: PLC0415

        if not self._stream.is_complete:
            raise RpcFailedError("the answer is no JSON object")
        checked(self._rest)
        loaded, failed, no_key = map(frozenset, self._found.values())
        return replace(before, loaded=loaded, failed=failed, no_key=no_key)
