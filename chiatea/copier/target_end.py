"""The plot where it goes: under its temporary name until it is complete, verified and durable."""

import contextlib
import errno
import os
import stat
from collections.abc import Callable

from chiatea.copier.failures import MoveFailedError, at_target
from chiatea.copier.job_spec import JobSpec
from chiatea.copier.plot_header import HEADER_BYTES
from chiatea.copier.shown import shown
from chiatea.copier.system_calls import System

__all__ = ["TargetEnd"]


class TargetEnd:
    """An open folder, the temporary file in it, and the final name."""

    def __init__(self, spec: JobSpec, system: System, stack: contextlib.ExitStack) -> None:
        """Opens the folder; `stack` closes what is opened.

        Raises:
            MoveFailedError: `target_lost`; it is not there, or not the file system that was chosen.
        """
        self._spec = spec
        self._system = system
        self._stack = stack
        self._owns_temporary = False
        self.descriptor = -1
        with at_target(f"{shown(spec.target_folder)}: cannot be opened"):
            self._folder = system.open_folder(spec.target_folder)
            stack.callback(system.close, self._folder)
            status = system.status(self._folder)
        if status.st_dev != spec.target_device:
            raise self._lost()
        self._place = (status.st_dev, status.st_ino)

    def check_place(self) -> None:
        """Refuses when the folder's path now leads elsewhere: it was unmounted, or mounted over.

        Raises:
            MoveFailedError: `target_lost`.
        """
        with at_target(f"{shown(self._spec.target_folder)}: cannot be looked at"):
            status = self._system.folder_status(self._spec.target_folder)
        if (status.st_dev, status.st_ino) != self._place:
            raise self._lost()

    def temporary_status(self) -> os.stat_result | None:
        """Of what has the temporary name; None where nothing has."""
        return self._status_of(self._spec.temporary.name)

    def final_status(self) -> os.stat_result | None:
        """Of what has the final name; None where nothing has."""
        return self._status_of(self._spec.target.name)

    def check_names_free(self) -> None:
        """Refuses when either name is taken.

        Raises:
            MoveFailedError: `name_taken`.
        """
        if self.final_status() is not None:
            raise MoveFailedError(
                "name_taken", f"{shown(self._spec.target)}: is there already", "compare the two plots"
            )
        if self.temporary_status() is not None:
            raise MoveFailedError(
                "name_taken",
                f"{shown(self._spec.temporary)}: is there, and no journal knows of it",
                "remove it, unless another program is writing it",
            )

    def create(self) -> None:
        """Makes the temporary file.

        Raises:
            MoveFailedError: `name_taken`, `no_space` or `target_lost`.
        """
        with at_target(f"{shown(self._spec.temporary)}: cannot be made"):
            self.descriptor = self._system.create(self._folder, self._spec.temporary.name)
        self._stack.callback(self._system.close, self.descriptor)
        self._owns_temporary = True

    def reopen(self) -> None:
        """Opens the temporary file that an earlier run made.

        Raises:
            MoveFailedError: `target_lost`.
        """
        self.descriptor = self._open_again(self._spec.temporary.name, self._system.reopen)
        self._owns_temporary = True

    def reopen_final(self) -> None:
        """Opens what has the final name, to read it and to make it durable.

        Raises:
            MoveFailedError: `target_lost`.
        """
        self.descriptor = self._open_again(self._spec.target.name, self._system.open_to_read)

    def own_temporary(self) -> None:
        """Takes the file of the temporary name for the journal's: `void` may remove it."""
        self._owns_temporary = True

    def preallocate(self, n_bytes: int) -> None:
        """Reserves the space, where the file system can.

        Raises:
            MoveFailedError: `no_space` or `target_lost`.
        """
        with at_target(f"{shown(self._spec.temporary)}: {n_bytes} bytes cannot be reserved"):
            self._system.preallocate(self.descriptor, n_bytes)

    def write(self, data: memoryview, offset: int) -> None:
        """Writes all of it.

        Raises:
            MoveFailedError: `no_space` or `target_lost`.
        """
        with at_target(f"{shown(self._spec.temporary)}: cannot be written at byte {offset}"):
            self._system.write(self.descriptor, data, offset)

    def start_write_back(self, offset: int, n_bytes: int) -> None:
        """Begins to bring a window to the device."""
        with at_target(f"{shown(self._spec.temporary)}: cannot be written to the device"):
            self._system.start_write_back(self.descriptor, offset, n_bytes)

    def end_write_back(self, offset: int, n_bytes: int) -> None:
        """Waits for a window to be on the device, and drops it from memory."""
        with at_target(f"{shown(self._spec.temporary)}: cannot be written to the device"):
            self._system.wait_for_write_back(self.descriptor, offset, n_bytes)
            self._system.drop_pages(self.descriptor, offset, n_bytes)

    def checkpoint(self) -> None:
        """Makes what was written so far durable."""
        with at_target(f"{shown(self._spec.temporary)}: cannot be made durable"):
            self._system.sync_data(self.descriptor)

    def seal(self, file_bytes: int, like: os.stat_result) -> None:
        """Makes the whole file durable, with its source's age and permissions.

        Raises:
            MoveFailedError: `target_lost`, also when the file's size is not what it must be.
        """
        with at_target(f"{shown(self._spec.temporary)}: cannot be made durable"):
            self._system.take_over_times_and_mode(self.descriptor, like)
            self._system.sync(self.descriptor)
            status = self._system.status(self.descriptor)
        if status.st_size != file_bytes:
            raise MoveFailedError(
                "target_lost", f"{shown(self._spec.temporary)}: has {status.st_size} bytes instead of {file_bytes}"
            )

    def sync_again(self) -> None:
        """Makes durable what an earlier run left, before it is read back from the device."""
        with at_target(f"{shown(self._spec.target)}: cannot be made durable"):
            self._system.sync(self.descriptor)

    def publish(self) -> None:
        """Gives the file its final name, without replacing anything; `sync_folder` makes that durable.

        Raises:
            MoveFailedError: `name_taken` or `target_lost`.
        """
        with at_target(f"{shown(self._spec.target)}: the plot cannot have its name"):
            self._system.rename_without_replacing(self._folder, self._spec.temporary.name, self._spec.target.name)
        self._owns_temporary = False

    def sync_folder(self) -> None:
        """Makes the names durable.

        Raises:
            MoveFailedError: `target_lost`.
        """
        with at_target(f"{shown(self._spec.target_folder)}: cannot be made durable"):
            self._system.sync(self._folder)

    def moved_status(self) -> os.stat_result:
        """Of the plot under its final name.

        Raises:
            MoveFailedError: `target_lost`; nothing has that name any more.
        """
        status = self.final_status()
        if status is None:
            raise MoveFailedError("target_lost", f"{shown(self._spec.target)}: went as soon as it had its name")
        return status

    def remove_second_name(self) -> None:
        """Removes the temporary name of a file that has its final name too."""
        with at_target(f"{shown(self._spec.temporary)}: cannot be removed"):
            self._system.remove(self._folder, self._spec.temporary.name)
        self._owns_temporary = False

    def void(self) -> None:
        """Removes the temporary file, if it is ours, durably. Its space is free as soon as it is closed, also what a
        failed reservation got.

        Raises:
            MoveFailedError: `target_lost`; it may still be there.
        """
        if not self._owns_temporary:
            return
        with at_target(f"{shown(self._spec.temporary)}: cannot be removed"):
            with contextlib.suppress(FileNotFoundError):
                self._system.remove(self._folder, self._spec.temporary.name)
            self._system.sync(self._folder)
        self._owns_temporary = False

    def free_bytes(self) -> int:
        """What its file system has left for this user.

        Raises:
            MoveFailedError: `target_lost`.
        """
        with at_target(f"{shown(self._spec.target_folder)}: cannot be looked at"):
            return self._system.free_bytes(self._folder)

    def old_status(self, name: str) -> os.stat_result | None:
        """Of another plot in the folder; None where nothing has that name."""
        return self._status_of(name)

    def first_bytes_of(self, name: str) -> bytes:
        """The first bytes of a plot in the folder: as many as hold its header.

        Raises:
            MoveFailedError: `target_lost`; it cannot be read.
        """
        buffer = memoryview(bytearray(HEADER_BYTES))
        # Closed at once, as it may be removed now.
        with contextlib.ExitStack() as stack:
            descriptor = self._open_again(name, self._system.open_to_read, stack)
            with at_target(f"{shown(self._spec.target_folder / name)}: cannot be read"):
                n_bytes = self._system.read(descriptor, buffer, 0)
        return bytes(buffer[:n_bytes])

    def remove_old(self, name: str) -> None:
        """Removes another plot of the folder; `sync_folder` makes that durable."""
        with at_target(f"{shown(self._spec.target_folder / name)}: cannot be removed"):
            self._system.remove(self._folder, name)

    def is_unwritten(self) -> bool:
        """Whether the temporary file holds no byte of anybody's: a fresh one, reserved at most.

        Raises:
            MoveFailedError: `target_lost`.
        """
        # Closed at once: it may be removed now, and gives nothing back while it is open.
        with contextlib.ExitStack() as stack:
            descriptor = self._open_again(self._spec.temporary.name, self._system.open_to_read, stack)
            with at_target(f"{shown(self._spec.temporary)}: cannot be looked at"):
                return not self._system.holds_data(descriptor)

    def _open_again(
        self, name: str, opening: Callable[[int, str], int], stack: contextlib.ExitStack | None = None
    ) -> int:
        with at_target(f"{shown(self._spec.target_folder / name)}: cannot be opened"):
            descriptor = opening(self._folder, name)
            (self._stack if stack is None else stack).callback(self._system.close, descriptor)
            if not stat.S_ISREG(self._system.status(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is no plain file")
        return descriptor

    def _status_of(self, name: str) -> os.stat_result | None:
        with at_target(f"{shown(self._spec.target_folder / name)}: cannot be looked at"):
            try:
                return self._system.status_of(name, self._folder)
            except FileNotFoundError:
                return None

    def _lost(self) -> MoveFailedError:
        return MoveFailedError(
            "target_lost",
            f"{shown(self._spec.target_folder)}: is not the file system that was chosen",
            "is its disk mounted, and nothing mounted over it?",
        )
