"""The journal as the service reads it: what is damaged is told once, and stops nothing."""

from collections.abc import Container
from pathlib import Path

from chiatea.copier.failures import MoveFailedError
from chiatea.copier.journal import Journal, JournalEntry
from chiatea.copier.notices import Notices
from chiatea.copier.shown import shown

__all__ = ["JournalReading"]


class JournalReading:
    """Reads; only workers write. Its methods ask the disk."""

    def __init__(self, folder: Path, notices: Notices) -> None:
        """The folder need not be there yet."""
        self._folder = folder
        self._journal = Journal(folder)
        self._notices = notices

    def entries(self, but: Container[str] = ()) -> list[JournalEntry]:
        """All that can be read, but those of some jobs."""
        entries = [self.entry(job_id) for job_id in self._job_ids() if job_id not in but]
        return [entry for entry in entries if entry is not None]

    def entry(self, job_id: str) -> JournalEntry | None:
        """One job's; None where there is none."""
        try:
            return self._journal.read(job_id)
        except MoveFailedError as error:
            self._notices.once(self._folder / job_id, str(error))
            return None

    def temporary_filepaths(self) -> set[Path]:
        """The `.copying` files that some job owns."""
        return {entry.spec.temporary for entry in self.entries()}

    def _job_ids(self) -> list[str]:
        try:
            return self._journal.job_ids()
        except OSError as error:
            self._notices.once(self._folder, f"{shown(self._folder)}: cannot be read: {error.strerror}")
            return []
