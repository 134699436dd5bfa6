"""One process that moves plots, one after the other: `python -m chiatea.copier.worker`.

A disk that hangs blocks its own worker alone, and SIGKILL ends it at any step: the journal has what a next one needs.

Standard input, one JSON object a line (names that are no UTF-8 as lone surrogates, see `job_spec`):

    {"do": "copy", ...JobSpec}          goes on from the journal, or begins
    {"do": "recover", "job_id", "journal_folder", ["target_device", "max_bytes_per_second"]}
                                        goes on from the journal; a void entry is removed: "cancelled"
    {"do": "cancel", "job_id", ["journal_folder", "target_device"]}
                                        the temporary file goes, the source stays; with a journal's folder also of a job
                                        that this worker does not have. What is complete already becomes "done"
    {"do": "pause" | "resume", "job_id"}
    {"do": "limit", "max_bytes_per_second", ["job_id"]}      0: none; of all jobs where none is named

What stands in brackets is as the journal says where it is left out. `target_device` is the target's `st_dev` as it is
now: after a reboot it may be another than the journal says.
Standard output, one JSON object a line: `job_events`. End of the input: the worker makes durable what it has, and ends
without an event; so it does when nobody reads its output any more.
"""

import json
import queue
import signal
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from chiatea.copier.control import Control
from chiatea.copier.failures import MoveFailedError
from chiatea.copier.job_events import Cancelled, Done, Failed, JobEvent, event_to_json
from chiatea.copier.job_spec import JobSpec, job_spec_from_json
from chiatea.copier.journal import Journal
from chiatea.copier.steps import Geometry
from chiatea.copier.transfer import Order, Transfer

__all__ = ["Worker", "main"]


class Worker:
    """Takes commands in a thread of their own, and moves plots in the one that calls `run`."""

    def __init__(self, commands: Iterable[bytes], events: IO[bytes], geometry: Geometry | None = None) -> None:
        """`geometry` is of every job."""
        self._commands = commands
        self._events = events
        self._geometry = geometry
        self._jobs: queue.SimpleQueue[tuple[Order, JobSpec] | None] = queue.SimpleQueue()
        self._controls: dict[str, Control] = {}
        self._journals: dict[Path, Journal] = {}
        self._lock = threading.Lock()
        self._ended: set[str] = set()
        self._is_ending = False

    def run(self) -> None:
        """Works until the input ends."""
        threading.Thread(target=self._listen, name="commands", daemon=True).start()
        while (job := self._jobs.get()) is not None and not self._is_ending:
            order, spec = job
            transfer = Transfer(
                spec,
                self._journal(spec.journal_folder),
                self._controls[spec.job_id],
                self._tell,
                geometry=self._geometry,
            )
            event = transfer.run(order)
            with self._lock:
                del self._controls[spec.job_id]
                if isinstance(event, Done | Cancelled):
                    self._ended.add(spec.job_id)
            if event is not None:
                self._tell(event)

    def _listen(self) -> None:
        for line in self._commands:
            fields: object = None
            try:
                fields = json.loads(line)
                if not isinstance(fields, dict):
                    raise ValueError("it is no object")  # noqa: TRY004, TRY301 - as any other that cannot be read
                self._obey(fields)
            except ValueError as error:
                job_id = str(fields.get("job_id", "")) if isinstance(fields, dict) else ""
                self._tell(Failed(job_id, "internal", f"a command cannot be read: {error}", is_kept=True))
            except MoveFailedError as error:
                assert isinstance(fields, dict)
                self._tell(Failed(str(fields["job_id"]), error.kind, str(error), is_kept=True))
        self._end()

    def _obey(self, fields: Mapping[str, object]) -> None:
        control = self._controls.get(str(fields.get("job_id")))
        match fields.get("do"):
            case "copy":
                self._take("copy", job_spec_from_json(fields))
            case "recover":
                self._settle("recover", fields)
            case "cancel" if control is not None:
                control.cancel()
            case "cancel" if "journal_folder" in fields and fields.get("job_id") not in self._ended:
                self._settle("cancel", fields)
            case "pause" if control is not None:
                control.pause()
            case "resume" if control is not None:
                control.resume()
            case "cancel" | "pause" | "resume":
                pass  # its last event is on the way
            case "limit":
                self._limit(fields)
            case unknown:
                raise ValueError(f"there is nothing such as {unknown!r}")

    def _take(self, order: Order, spec: JobSpec) -> None:
        with self._lock:
            if spec.job_id in self._controls:
                raise ValueError(f"job {spec.job_id} is here already")
            self._controls[spec.job_id] = Control(spec.max_bytes_per_second)
            self._ended.discard(spec.job_id)
        self._jobs.put((order, spec))

    def _settle(self, order: Order, fields: Mapping[str, object]) -> None:
        """Takes a job of which only the journal knows all."""
        job_id, folder = fields.get("job_id"), fields.get("journal_folder")
        if not isinstance(job_id, str) or not isinstance(folder, str):
            raise ValueError("job_id and journal_folder are needed")  # noqa: TRY004 - as any other that is missing
        entry = self._journal(Path(folder)).read(job_id)
        if entry is None and order == "cancel":
            self._tell(Cancelled(job_id))
            return
        if entry is None:
            raise MoveFailedError("internal", f"{job_id}: no journal knows of this job")
        now = {name: fields[name] for name in ("target_device", "max_bytes_per_second") if name in fields}
        self._take(order, job_spec_from_json({**entry.spec.to_json(), "journal_folder": folder, **now}))

    def _limit(self, fields: Mapping[str, object]) -> None:
        rate, job_id = fields.get("max_bytes_per_second"), fields.get("job_id")
        if not isinstance(rate, int) or rate < 0:
            raise ValueError(f"max_bytes_per_second is {rate!r}")
        with self._lock:
            controls = [control for name, control in self._controls.items() if job_id in {None, name}]
        for control in controls:
            control.limit(rate)

    def _journal(self, folder: Path) -> Journal:
        with self._lock:
            return self._journals.setdefault(folder, Journal(folder))

    def _tell(self, event: JobEvent) -> None:
        # Plain ASCII: what is no UTF-8 in a name stands as an escape of its own.
        line = json.dumps(event_to_json(event)).encode("ascii") + b"\n"
        try:
            with self._lock:
                self._events.write(line)
        except OSError:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self._is_ending = True
            controls = list(self._controls.values())
        for control in controls:
            control.leave_off()
        self._jobs.put(None)


def main(geometry: Geometry | None = None) -> None:
    """Works on standard input and output. An interrupt from the terminal is the service's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Unbuffered: Python cannot end in peace while a thread waits within a buffer, or when one cannot be flushed.
    with (
        open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as commands,
        open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as events,
    ):
        Worker(commands, events, geometry).run()


if __name__ == "__main__":
    main()
