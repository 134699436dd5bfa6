"""Disks that a person takes for those of target folders: `chia-tea copy --accept-disk`."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from chiatea.config import Config
from chiatea.copier.known_disks import KnownDisks
from chiatea.copier.placement import TargetState
from chiatea.copier.settings import settings_of
from chiatea.copier.shown import shown
from chiatea.copier.targets import LOOK_SECONDS, look_at_target
from chiatea.errors import ChiaTeaError, ConfigurationError
from chiatea.question import Question, UnansweredError

__all__ = ["accept_disks"]


async def accept_disks(config: Config, folders: Sequence[Path]) -> list[str]:
    """Takes what is at target folders now for their disks, also where a disk was mounted and none is now; each is told
    in a line. May be done beside a copier.

    Raises:
        ChiaTeaError: a folder is no target folder, cannot be used, or nothing can be written down.
    """
    targets = config.copy_.all_target_folders
    unknown = [shown(folder) for folder in folders if folder not in targets]
    if unknown:
        known = ", ".join(map(shown, targets)) or "none"
        raise ConfigurationError(f"{', '.join(unknown)}: no target folder", f"those are {known}")
    known_disks = KnownDisks(settings_of(config, once=True).disks_filepath)

    def accept(folder: Path) -> str:
        target = look_at_target(folder, on_root=config.copy_.targets_on_root, now=time.time())
        if target.state is not TargetState.READY:
            raise ChiaTeaError(f"{shown(folder)} {target.reason}")
        accepted = known_disks.accept(folder, even_unmounted=True)
        return f"{shown(folder)}: gets plots: {accepted or 'its disk was known'}"

    lines = []
    for folder in folders:
        try:
            lines.append(await Question(partial(accept, folder)).answer(LOOK_SECONDS))
        except UnansweredError:
            raise ChiaTeaError(f"{shown(folder)} does not answer") from None
        except OSError as error:
            raise ChiaTeaError(f"{shown(folder)} cannot be read: {error.strerror}") from None
    return lines
