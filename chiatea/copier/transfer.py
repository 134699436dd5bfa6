"""One plot moved, in the order that loses none.

1. Lock; look at the source; the names at the target are free.
2. The journal says that a temporary file is about to be (so that none is left without an owner); then it is made.
3. Its space is reserved; where it can only be had so, old plots go before (`copy.replace`, delete_first).
4. The journal says that bytes are about to be written.
5. Copied and hashed in one pass, windows brought to the device one behind the other, checkpoints in the journal.
6. The temporary file is made durable; the journal has the hashes of all its blocks.
7. The source is looked at again; the copy is read back from the device.
8. The journal says that it is complete.
9. It gets its final name, and the folder is made durable; the hashes of its blocks are kept for good.
10. The source is removed, and its folder is made durable.
11. Old plots go that the plot was to replace (`giving_up`).
12. The journal forgets the job.

A failure before step 8 removes the temporary file, unless the source is gone. A worker that is killed at any step
leaves what `recovery` goes on from.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from chiatea.copier.block_hashes import BlockHasher, whole_file_hash
from chiatea.copier.control import CancelledError, Control, LeftOffError
from chiatea.copier.disks import is_on_root
from chiatea.copier.failures import MoveFailedError
from chiatea.copier.giving_up import NewPlot, OldPlotsEnd
from chiatea.copier.job_events import Cancelled, Done, Failed, JobEvent, Progress, Replaced
from chiatea.copier.job_spec import JobSpec
from chiatea.copier.journal import EntryState, Journal, JournalEntry, SourceIdentity
from chiatea.copier.known_plot import KnownPlot
from chiatea.copier.plot_header import parse_plot_header
from chiatea.copier.recovery import Anew, GoOn, Published, situation_of
from chiatea.copier.replace_rules import plot_facts
from chiatea.copier.replacing import GivingUp, bytes_to_write
from chiatea.copier.shown import shown
from chiatea.copier.source_end import SourceEnd
from chiatea.copier.steps import Geometry, Steps
from chiatea.copier.system_calls import System
from chiatea.copier.target_end import TargetEnd
from chiatea.copier.verification import ReadBack, blocks_to_read, matching_prefix, verify
from chiatea.errors import DatabaseError

__all__ = ["Order", "Transfer"]

Order: TypeAlias = Literal["copy", "recover", "cancel"]
"""copy: go on from the journal, or begin. recover: go on from the journal, or end what is void. cancel: end it, unless
it is complete."""


_FREED_SECONDS: Final = 10.0
"""How long a file system may take to count what a removal gives back."""


class Transfer:
    """One job, run once."""

    def __init__(
        self,
        spec: JobSpec,
        journal: Journal,
        control: Control,
        report: Callable[[Progress | Replaced], None],
        *,
        system: System | None = None,
        geometry: Geometry | None = None,
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`report` is called from `run`; `control` may be told from other threads."""
        self._spec = spec
        self._journal = journal
        self._control = control
        self._report = report
        self._system = system or System()
        self._geometry = geometry or Geometry()
        self._wall_clock = wall_clock
        self._clock = clock
        self._entry: JournalEntry | None = None
        self._source: SourceEnd | None = None
        self._target: TargetEnd | None = None
        self._last_steps: Steps | None = None
        self._is_from_device = True

    def run(self, order: Order = "copy") -> JobEvent | None:
        """Moves the plot, or settles what an earlier run left. None when the worker is to end: the journal has the job.

        Every fault of disks and files is in the event; what is raised is a fault of ours.
        """
        began = self._clock()
        try:
            with contextlib.ExitStack() as stack, self._journal.locked(self._spec):
                self._entry = self._journal.read(self._spec.job_id)
                if self._entry is None and order != "copy":
                    return self._nothing_to_settle(order)
                return self._run(order, began, stack)
        except MoveFailedError as error:
            return self._failed(error, is_kept=True)

    def _run(self, order: Order, began: float, stack: contextlib.ExitStack) -> JobEvent | None:
        try:
            if order == "copy" and self._is_for_another_target():
                self._give_up_the_other_target(stack)
            self._target = TargetEnd(self._spec, self._system, stack)
            if self._entry is not None and self._entry.giving_up is not None:
                self._old_plots(self._target).tell_again(self._entry.giving_up)
            if self._entry is not None and self._entry.state is EntryState.VOID:
                self._target.own_temporary()
                self._void(self._target)
                if order != "copy":
                    return Cancelled(self._spec.job_id)
            self._source = SourceEnd(self._spec.source, self._system, stack)
            if order == "cancel" and self._current.state is not EntryState.VERIFIED:
                self._target.own_temporary()
                return self._cancelled(self._source, self._target)
            try:
                return self._move(self._source, self._target, began)
            except CancelledError:
                return self._cancelled(self._source, self._target)
        except LeftOffError:
            return None
        except MoveFailedError as error:
            return self._failed(error, is_kept=not self._is_settled(error))

    def _move(self, source: SourceEnd, target: TargetEnd, began: float) -> Done:
        identity = source.open() if self._entry is None or source.exists() else None
        situation = Anew() if self._entry is None else self._situation(self._entry, identity, target)
        if isinstance(situation, Anew):
            if identity is None:
                identity = source.open()  # says that it is gone
            self._begin(source, target, identity)
            situation = GoOn(())
        entry = self._current
        if isinstance(situation, GoOn):
            self._copy_and_verify(source, target, situation.blocks)
            entry = self._current
            target.check_place()
            target.publish()
        target.check_place()
        target.sync_folder()
        self._keep_hashes(target, entry)
        source.remove(entry.source)
        kept_old = self._replace_old(target)
        self._forget_replaced()
        self._journal.forget(self._spec.job_id)
        return Done(
            job_id=self._spec.job_id,
            target=str(self._spec.target),
            hash=whole_file_hash(entry.blocks, entry.source.file_bytes),
            seconds=self._clock() - began,
            verification=self._spec.verification,
            read_from_device=self._is_from_device,
            kept_old=kept_old,
        )

    def _keep_hashes(self, target: TargetEnd, entry: JournalEntry) -> None:
        """Once more where that was done before a crash: it changes nothing.

        Raises:
            MoveFailedError: `internal`; the journal has the job, and the hashes.
        """
        from chiatea.copier.known_plots import keep_plot  # noqa: PLC0415 - SQLite, for an instant at the end

        status, now = target.moved_status(), self._wall_clock()
        plot = KnownPlot(
            path=self._spec.target,
            file_bytes=status.st_size,
            mtime_ns=status.st_mtime_ns,
            is_on_root=is_on_root(status.st_dev),
            hash=whole_file_hash(entry.blocks, entry.source.file_bytes),
            kept_time=now,
            read_time=now if self._spec.verification == "full" and self._is_from_device else 0.0,
        )
        try:
            keep_plot(self._spec.known_plots_filepath, plot, entry.blocks, instead_of=self._spec.source)
        except DatabaseError as error:
            raise MoveFailedError("internal", f"the hash of the plot cannot be kept: {error}") from error

    def _situation(
        self, entry: JournalEntry, identity: SourceIdentity | None, target: TargetEnd
    ) -> Anew | GoOn | Published:
        def good_blocks() -> int:
            target.sync_again()
            read_back = self._read_back(target, entry)
            n_blocks = matching_prefix(read_back, entry.blocks)
            self._is_from_device &= read_back.is_from_device
            return n_blocks

        return situation_of(entry, identity, target, good_blocks)

    def _begin(self, source: SourceEnd, target: TargetEnd, identity: SourceIdentity) -> None:
        """Steps 1 to 4."""
        source.check_finished(self._spec.settle_seconds, self._wall_clock())
        header = source.check_header()
        target.check_names_free()
        target.check_place()
        giving_up = self._entry.giving_up if self._entry is not None else None
        if giving_up is None and self._spec.replacement is not None:
            giving_up = GivingUp(self._spec.replacement)
        self._write(JournalEntry(self._spec, EntryState.OPENING, identity, header.plot_id, giving_up=giving_up))
        target.create()
        if giving_up is not None and giving_up.replacement.deletes_first:
            self._make_room(target, giving_up, header.version)
        target.preallocate(identity.file_bytes)
        self._write(replace(self._current, state=EntryState.COPYING))

    def _make_room(self, target: TargetEnd, giving_up: GivingUp, version: int) -> None:
        """As many old plots go as the new one needs to be written; where they are freed late, that is waited for."""
        file_bytes = self._current.source.file_bytes
        wanted_bytes = bytes_to_write(file_bytes)
        self._old_plots(target).give_up(giving_up, "before", self._new_plot(version), wanted_bytes)
        until = self._clock() + _FREED_SECONDS
        while target.free_bytes() < wanted_bytes and self._clock() < until:
            self._steps(file_bytes).before(0)
            time.sleep(_FREED_SECONDS / 200)

    def _replace_old(self, target: TargetEnd) -> str:
        """Step 11. A fault of it is no fault of the move: returns why old plots stay, or ""."""
        giving_up = self._current.giving_up
        if giving_up is None:
            return ""
        try:
            header = parse_plot_header(target.first_bytes_of(self._spec.target.name), self._current.source.file_bytes)
            if isinstance(header, str) or header.plot_id != self._current.plot_id:
                return f"{shown(self._spec.target)} is not what was copied any more"
            faults = self._old_plots(target).give_up(
                giving_up, "after", self._new_plot(header.version), giving_up.replacement.reserve_bytes
            )
            if self._current.giving_up != giving_up:
                # Nobody may be there any more who hears of it: then it is told again another time.
                self._steps(self._current.source.file_bytes).before(0)
        except CancelledError:
            return "it was cancelled"
        except MoveFailedError as error:
            return str(error)
        return "; ".join(faults)

    def _forget_replaced(self) -> None:
        """What was given up is not missed by a scrub. Where that cannot be written, `copy scrub --forget` does it."""
        from chiatea.copier.known_plots import KnownPlots  # noqa: PLC0415 - SQLite, for an instant at the end

        giving_up = self._current.giving_up
        if giving_up is not None and giving_up.gone:
            folder = self._spec.target_folder
            with contextlib.suppress(DatabaseError), KnownPlots(self._spec.known_plots_filepath) as known:
                known.forget([folder / name for name in giving_up.gone])

    def _new_plot(self, version: int) -> NewPlot:
        entry = self._current
        facts = plot_facts(self._spec.source.name, version, entry.source.mtime_ns)
        return NewPlot(facts, entry.plot_id, entry.source.file_bytes)

    def _old_plots(self, target: TargetEnd) -> OldPlotsEnd:
        return OldPlotsEnd(
            self._spec,
            target,
            write=lambda giving_up: self._write(replace(self._current, giving_up=giving_up)),
            tell=self._report,
            before_each=lambda: self._steps(self._current.source.file_bytes).before(0),
            wall_clock=self._wall_clock,
        )

    def _copy_and_verify(self, source: SourceEnd, target: TargetEnd, blocks: tuple[bytes, ...]) -> None:
        """Steps 5 to 8, behind blocks that are there."""
        entry = self._current
        n_blocks = self._geometry.n_blocks(entry.source.file_bytes)
        is_new = len(blocks) < n_blocks
        if is_new:
            if blocks != entry.blocks or entry.state is not EntryState.COPYING:
                self._write(replace(entry, state=EntryState.COPYING, blocks=blocks))
            if source.descriptor < 0:
                source.open()  # says that it is gone
            if blocks:
                target.preallocate(entry.source.file_bytes)  # what an earlier run may not have come to
            all_blocks = self._copy(source, target, blocks)
            target.seal(entry.source.file_bytes, source.status)
            self._write(replace(self._current, blocks=all_blocks))
        source.check_unchanged(entry.source)
        to_read = blocks_to_read(self._spec.verification, len(blocks), n_blocks, entry.plot_id)
        if to_read:
            read_back = self._read_back(target, entry)
            verify(read_back, self._current.blocks, to_read, shown(self._spec.temporary))
            self._is_from_device &= read_back.is_from_device
        source.check_unchanged(entry.source)
        self._write(replace(self._current, state=EntryState.VERIFIED))

    def _copy(self, source: SourceEnd, target: TargetEnd, blocks: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Step 5. Returns the hashes of all blocks."""
        geometry, file_bytes = self._geometry, self._current.source.file_bytes
        position = window_begin = len(blocks) * geometry.block_bytes
        before: tuple[int, int] | None = None
        hasher = BlockHasher(blocks, geometry.block_bytes)
        steps = self._steps(file_bytes)
        steps.begin_copying(position)
        try:
            while position < file_bytes:
                piece = steps.buffer[: min(geometry.step_bytes, file_bytes - position)]
                steps.before(len(piece))
                source.read(piece, position)
                hasher.update(piece)
                target.write(piece, position)
                position += len(piece)
                steps.after(len(piece))
                if position % geometry.window_bytes and position < file_bytes:
                    continue
                target.check_place()
                target.start_write_back(window_begin, position - window_begin)
                source.drop_pages(window_begin, position - window_begin)
                if before is not None:
                    target.end_write_back(*before)
                before, window_begin = (window_begin, position - window_begin), position
                if position % geometry.checkpoint_bytes == 0 and position < file_bytes:
                    self._checkpoint(target, hasher)
            if before is not None:
                target.end_write_back(*before)
        except LeftOffError:
            self._checkpoint(target, hasher)
            raise
        return hasher.all_blocks()

    def _checkpoint(self, target: TargetEnd, hasher: BlockHasher) -> None:
        target.checkpoint()
        self._write(replace(self._current, blocks=hasher.whole_blocks))

    def _read_back(self, target: TargetEnd, entry: JournalEntry) -> ReadBack:
        file_bytes = entry.source.file_bytes
        name = shown(self._spec.target)
        return ReadBack(target.descriptor, name, file_bytes, self._system, self._steps(file_bytes))

    def _steps(self, file_bytes: int) -> Steps:
        if self._last_steps is None or self._last_steps.total_bytes != file_bytes:
            self._last_steps = Steps(
                self._spec.job_id,
                file_bytes,
                self._control,
                self._report,
                geometry=self._geometry,
                clock=self._clock,
            )
        return self._last_steps

    def _is_for_another_target(self) -> bool:
        return self._entry is not None and self._entry.spec.target_folder != self._spec.target_folder

    def _give_up_the_other_target(self, stack: contextlib.ExitStack) -> None:
        """What is at the other target is settled apart, when it can be used again. It is given up only while the
        source is whole.
        """
        entry = self._current
        if entry.state is not EntryState.VOID:
            source = SourceEnd(self._spec.source, self._system, stack)
            if source.open() != entry.source and entry.state is EntryState.VERIFIED:
                raise MoveFailedError(
                    "source_changed",
                    f"{shown(entry.spec.source)}: changed after it was copied to {shown(entry.spec.target_folder)}",
                    "see which of the two is wanted",
                )
            self._journal.write(replace(entry, state=EntryState.VOID))
        self._journal.set_aside(entry)
        self._entry = None

    @property
    def _current(self) -> JournalEntry:
        assert self._entry is not None
        return self._entry

    def _write(self, entry: JournalEntry) -> None:
        # Which rules are in force another time is not known now; what was chosen stands in the entry itself.
        entry = replace(entry, spec=replace(self._spec, replacement=None, replace_rules=()))
        self._journal.write(entry)
        self._entry = entry

    def _nothing_to_settle(self, order: Order) -> JobEvent:
        if order == "cancel":
            return Cancelled(self._spec.job_id)
        error = MoveFailedError("internal", f"{self._spec.job_id}: no journal knows of this job")
        return self._failed(error, is_kept=False)

    def _cancelled(self, source: SourceEnd, target: TargetEnd) -> Cancelled:
        if not source.exists():
            raise MoveFailedError(
                "source",
                f"{shown(self._spec.source)}: is gone, so {shown(self._spec.temporary)} is kept",
                "remove that yourself if it is not wanted",
            )
        if self._current.state is EntryState.VERIFIED and target.final_status() is not None:
            raise MoveFailedError(
                "internal",
                f"{shown(self._spec.target)}: is complete, too late to cancel",
                "only its source is left to go",
            )
        self._void(target)
        return Cancelled(self._spec.job_id)

    def _void(self, target: TargetEnd) -> None:
        """Removes what the journal owns at the target, and forgets the job.

        Raises:
            MoveFailedError: that was not possible; the journal has the job.
        """
        # A crash right after the file's removal ends as this does. Where that cannot be written, such a crash would
        # only begin the job anew.
        with contextlib.suppress(MoveFailedError):
            self._write(replace(self._current, state=EntryState.VOID))
        target.void()
        self._journal.forget(self._spec.job_id)
        self._entry = None

    def _is_settled(self, error: MoveFailedError) -> bool:
        """After a failure: removes what is at the target, unless it may be all that is left of the plot. True when
        nothing of the job is left there, nor in the journal.
        """
        if self._entry is None:
            return True
        if self._source is None or self._target is None:
            return False
        # A complete plot is undone only when its name was taken by another. When its source changed after it got its
        # name, both stay, and nothing is left to do.
        if self._entry.state is EntryState.VERIFIED and error.kind not in {"name_taken", "source_changed"}:
            return False
        try:
            if self._source.exists():
                self._void(self._target)
                return True
        except MoveFailedError:
            return False
        return False

    def _failed(self, error: MoveFailedError, *, is_kept: bool) -> Failed:
        return Failed(self._spec.job_id, error.kind, str(error), is_kept)
