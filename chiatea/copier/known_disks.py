"""Which disk was at each target folder: an empty mount point, or another disk, is not taken for it."""

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from chiatea.copier.mounts import Mounted, mounted_at
from chiatea.copier.shown import shown
from chiatea.errors import ChiaTeaError
from chiatea.security.lock import locked
from chiatea.security.private_files import PRIVATE, write_file

__all__ = ["KnownDisks"]

_Difference = Literal["none", "new", "unmounted", "another"]
_ROOT: Final = "/"
_EITHER: Final = frozenset({"uuid", "fsid"})
"""One of these stands where the other cannot be had: they are not compared."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)

    point: str
    file_system: str


class _Known(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    disks: dict[str, _Entry] = {}


class KnownDisks:
    """One file, read anew each time: what a person accepts meanwhile holds from the next look on."""

    def __init__(self, filepath: Path, *, keeps: bool = True) -> None:
        """Where it is kept; `keeps`: whether a disk that is seen first is written down."""
        self._filepath = filepath
        self._keeps = keeps

    def fault(self, folder: Path) -> str:
        """Why what is at a target folder now is not what was there; "" where it is. The first is remembered.

        What lies on the system's own disk is not remembered: a disk may be mounted there later. So may one below the
        mount point that was seen.

        Raises:
            ChiaTeaError: it cannot be known, or not be written down.
            OSError: the folder cannot be looked at.
        """
        known, now = self._read().disks.get(shown(folder)), _entry_of(mounted_at(folder))
        if now is None:
            return ""
        match _difference(known, now):
            case "none":
                return ""
            case "new":
                if self._keeps and not (known is None and now.point == _ROOT):
                    self._write(folder, now)
                return ""
            case "unmounted":
                assert known is not None
                return (
                    f"is not mounted: its disk was at {known.point}, where there is none now: mount it, or let "
                    f"`chia-tea copy --accept-disk {shown(folder)}` take what is there"
                )
            case "another":
                return (
                    f"has another disk than before, {_named(now)}: `chia-tea jobs release {shown(folder)}` takes it, "
                    f"or on this machine `chia-tea copy --accept-disk {shown(folder)}`"
                )

    def accept(self, folder: Path, *, even_unmounted: bool) -> str:
        """Takes what is at a folder now for its disk, and names it; "" where there is nothing to accept.

        Args:
            folder: the target folder.
            even_unmounted: also where a disk was mounted and none is now.

        Raises:
            ChiaTeaError: it cannot be known, or not be written down.
            OSError: the folder cannot be looked at.
        """
        known, now = self._read().disks.get(shown(folder)), _entry_of(mounted_at(folder))
        if now is None:
            return ""
        difference = _difference(known, now)
        if difference == "another" or (even_unmounted and difference != "none"):
            self._write(folder, now)
            return _named(now)
        return ""

    def _read(self) -> _Known:
        try:
            return _Known.model_validate_json(self._filepath.read_bytes())
        except FileNotFoundError:
            return _Known()
        except OSError as error:
            raise ChiaTeaError(f"{self._filepath}: cannot be read: {error.strerror}") from None
        except ValidationError:
            # To forget would be to fill what is not mounted.
            raise ChiaTeaError(f"{self._filepath}: is damaged", "remove it once every disk is mounted") from None

    def _write(self, folder: Path, entry: _Entry) -> None:
        with locked(self._filepath):
            known = self._read()
            if entry.point == _ROOT:
                known.disks.pop(shown(folder), None)
            else:
                known.disks[shown(folder)] = entry
            write_file(self._filepath, known.model_dump_json().encode(), mode=PRIVATE, overwrite=True)


def _entry_of(mounted: Mounted | None) -> _Entry | None:
    if mounted is None:
        return None
    return _Entry(point=shown(mounted.point), file_system=shown(mounted.file_system))


def _named(entry: _Entry) -> str:
    return f"{entry.file_system} at {entry.point}" if entry.file_system else f"what is mounted at {entry.point}"


def _difference(known: _Entry | None, now: _Entry) -> _Difference:
    """What to make of what is there now. New is also one that is told in more detail, or is mounted further below."""
    if known is None:
        return "new"
    here, there = Path(now.point), Path(known.point)
    if here in there.parents:
        return "unmounted"
    if here != there:
        return "new" if there in here.parents else "another"
    return _difference_of_file_systems(known.file_system, now.file_system)


def _difference_of_file_systems(known: str, now: str) -> _Difference:
    if now == known or not now:
        return "none"
    is_incomparable = {now.partition(":")[0], known.partition(":")[0]} == _EITHER
    if not known or (is_incomparable and now.startswith("uuid:")):
        return "new"
    return "none" if is_incomparable else "another"
