"""Takes over what the first chia-tea knew: its database becomes machines, events and state of this one.

The first chia-tea kept two tables for each kind of message: `Disk`, what is there now, and `DiskEvents`, every event.
Its machines were numbers made from a network card's address; here they are named `old-` and that number in hex, a form
that the ids of this chia-tea never have. The old file is only read, in short steps, so that it locks nobody out.

An event's sequence number is made from what it is about, not from where it stood in the file: taken over again, each
event is the row that is there already.
"""

import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn
from urllib.parse import unquote

from chiatea.errors import ConfigurationError
from chiatea.protobuf.chia_pb2 import HarvesterPlot, PlotInProgress, Process
from chiatea.protobuf.computer_info_pb2 import ADD, DELETE, UPDATE, UpdateEvent
from chiatea.protobuf.descriptors import TOPICS, EntryId, filled_from_row
from chiatea.protobuf.hardware_pb2 import Disk
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.server.database.database import Database
from chiatea.server.database.opening import APPLICATION_ID, open_read_only
from chiatea.server.database.schema import MACHINE_INFO_COLUMNS, MACHINE_INFO_TABLE, loaded_row, quoted
from chiatea.server.storage import Batch, batch_of

__all__ = ["ImportReport", "Skipped", "import_first", "machine_id_of"]

PAGE_ROWS: Final = 2000
"""Rows read at a time and stored in one transaction: what bounds the memory."""
BUSY_SECONDS: Final = 30.0
_LARGEST_INTEGER: Final = 2**63 - 1
_LARGEST_INT32: Final = 2**31 - 1
_END_OF_TIME: Final = 253_402_300_800.0
"""The year 10000, which no calendar of ours can show."""

Progress = Callable[[int, int], None]
"""Told after each step: rows read so far, and rows there are."""


class Skipped(NamedTuple):
    """What was left out for one reason."""

    where: str
    """A table, or a column as `Disk.total_space`."""
    reason: str
    n_times: int
    example: str
    """The first one: its row and what stood there."""


class ImportReport(NamedTuple):
    """What an import found and did."""

    rows_read: int
    events_stored: int
    """Events that the database holds now because of the file: the same number when it is imported again."""
    machines: tuple[MachineInfo, ...]
    rows_skipped: tuple[Skipped, ...]
    values_skipped: tuple[Skipped, ...]
    """Values alone were left out, and the rest of their rows stored."""

    @property
    def n_rows_skipped(self) -> int:
        """How many rows were left out."""
        return sum(skipped.n_times for skipped in self.rows_skipped)

    @property
    def n_values_skipped(self) -> int:
        """How many values were left out of rows that were stored."""
        return sum(skipped.n_times for skipped in self.values_skipped)


def machine_id_of(old_machine_id: int) -> str:
    """What a machine of the first chia-tea is called here. Ids of this one are 12 hexadecimal digits alone."""
    return f"old-{old_machine_id & (2**64 - 1):012x}"


# Readers: an old value as a new one, None for "it did not tell".


class _ImpossibleError(ValueError):
    """A value that cannot be what its column says."""


_Reader = Callable[[Any], Any]


def _impossible(reason: str) -> NoReturn:
    raise _ImpossibleError(reason)


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case int():
            # The columns were declared STRING, a type that SQLite does not know: "42" was kept as the number.
            return str(value)
        case float() if math.isfinite(value):
            return str(value)
        case None:
            _impossible("NULL where text belongs")
    return _impossible("no text")


def _told_text(value: Any) -> str | None:
    return _text(value) or None


def _hexadecimal(value: Any) -> str | None:
    return _text(value).lower().removeprefix("0x") or None


def _finite(value: Any) -> float:
    match value:
        case int() | float():
            if math.isfinite(value):
                return value
            _impossible("an infinite number")
        case None:
            _impossible("NULL where a number belongs")
    return _impossible("text where a number belongs")


def _real(value: Any) -> float:
    number = float(_finite(value))
    if number < 0:
        _impossible("a negative number")
    return number


def _count(value: Any) -> int:
    number = _finite(value)
    if number < 0:
        _impossible("a negative number")
    if number > _LARGEST_INTEGER:
        _impossible("too large a number")
    return round(number)


def _small_count(value: Any) -> int:
    number = _count(value)
    return number if number <= _LARGEST_INT32 else _impossible("too large a number")


def _percent(value: Any) -> float:
    number = _real(value)
    return number if number <= 100 else _impossible("over 100 %")


def _percent_of_share(value: Any) -> float:
    number = _real(value)
    return 100 * number if number <= 1 else _impossible("over 100 %")


def _flag(value: Any) -> bool:
    return bool(value) if _finite(value) in {0, 1} else _impossible("neither yes nor no")


def _time(value: Any) -> float:
    number = _real(value)
    return number if number < _END_OF_TIME else _impossible("too large a number")


def _told(read: _Reader) -> _Reader:
    """For fields of which the first chia-tea wrote 0 when it did not know."""

    def told(value: Any) -> Any:
        return read(value) or None

    return told


# What became of each old field. A field that stands nowhere here was never filled, or has no like.


class _Field(NamedTuple):
    old: str
    new: str
    read: _Reader


@dataclass(frozen=True, slots=True)
class _OldTable:
    """One kind of message: its tables are `name` and `nameEvents`."""

    name: str
    topic: str
    fields: tuple[_Field, ...]
    key: str = ""
    """The column that told entries of a machine apart."""
    finish: Callable[[Any, Mapping[str, Any]], None] | None = None
    """Sets what follows from the values told, which come under their new names."""


def _finish_ram(ram: Any, told: Mapping[str, Any]) -> None:
    # Not told by the first chia-tea. What psutil calls used leaves out caches, so the rest is near what it calls
    # available.
    if "total_bytes" in told and "used_bytes" in told:
        ram.available_bytes = max(0, ram.total_bytes - ram.used_bytes)


def _finish_disk(disk: Any, told: Mapping[str, Any]) -> None:
    # Only a disk that answered was reported.
    disk.state = Disk.OK
    disk.is_read_only = "ro" in told.get("mount_options", "").split(",")


def _finish_plot(plot: Any, told: Mapping[str, Any]) -> None:
    # Only loaded plots were reported, and there were no others than .plot files in its days.
    plot.state = HarvesterPlot.LOADED
    plot.plot_version = 2 if told.get("id", "").endswith(".plot2") else 1


_PROCESS_KINDS: Final = {
    "chia_daemon": Process.DAEMON,
    "chia_farmer": Process.FARMER,
    "chia_harvester": Process.HARVESTER,
    "chia_full_node": Process.FULL_NODE,
    "chia_wallet": Process.WALLET,
    "chia": Process.OTHER,
}


def _finish_process(process: Any, told: Mapping[str, Any]) -> None:
    process.kind = _PROCESS_KINDS.get(told.get("name", ""), Process.UNKNOWN)


_PHASE_BEGIN: Final = "Plotting Phase"


def _finish_plotting(plot: Any, told: Mapping[str, Any]) -> None:
    plot.plotter = PlotInProgress.MADMAX
    plot.n_phases = 4
    step = told.get("step", "")
    if step == "Init" or step.startswith(_PHASE_BEGIN):
        plot.state = PlotInProgress.RUNNING
    if (phase := step.removeprefix(_PHASE_BEGIN)) in {"1", "2", "3", "4"}:
        plot.phase = int(phase)


_OLD_TABLES: Final = (
    _OldTable(
        "Cpu",
        "cpu",
        (
            _Field("name", "name", _text),
            _Field("n_vcores", "n_logical_cores", _small_count),
            _Field("usage", "usage_percent", _percent),
            _Field("clock_speed", "clock_mhz", _told(_real)),
            # The mean of the processor's sensors, where this chia-tea tells the hottest. 0 where there were none.
            _Field("temperature", "temperature_celsius", _told(_finite)),
        ),
    ),
    _OldTable(
        "Ram",
        "ram",
        (
            _Field("total_ram", "total_bytes", _count),
            _Field("used_ram", "used_bytes", _count),
            _Field("total_swap", "swap_total_bytes", _count),
            _Field("used_swap", "swap_used_bytes", _count),
        ),
        finish=_finish_ram,
    ),
    _OldTable(
        "Disk",
        "disk",
        (
            # Both were the mount point.
            _Field("id", "id", _text),
            _Field("device", "device", _text),
            _Field("fstype", "filesystem_type", _text),
            _Field("mount_options", "mount_options", _text),
            # Bytes, though kept as floating point numbers. Not told is what may still be written: the rest of the
            # total has in it what the file system keeps for root.
            _Field("total_space", "total_bytes", _count),
            _Field("used_space", "used_bytes", _count),
        ),
        key="id",
        finish=_finish_disk,
    ),
    _OldTable(
        "Process",
        "process",
        (
            _Field("id", "id", _count),
            _Field("name", "name", _text),
            _Field("executable", "executable", _text),
            _Field("create_time", "create_time", _time),
            _Field("cpu_usage", "cpu_percent", _real),
            # Bytes, rounded to the 24 bits of a 32 bit floating point number.
            _Field("used_physical_ram", "resident_bytes", _count),
            _Field("used_virtual_ram", "virtual_bytes", _count),
        ),
        key="id",
        finish=_finish_process,
    ),
    _OldTable("Farmer", "farmer", (_Field("is_running", "is_running", _flag),)),
    _OldTable(
        "HarvesterViewedFromFarmer",
        "farmer_harvester",
        (
            _Field("id", "id", _hexadecimal),
            _Field("ip_address", "host", _text),
            _Field("connection_time", "connected_since", _told(_time)),
            _Field("time_last_msg_received", "last_message_time", _told(_time)),
            _Field("missed_challenges", "missed_challenges", _count),
            _Field("n_plots", "n_plots", _count),
        ),
        key="id",
    ),
    _OldTable(
        "Harvester",
        "harvester",
        (_Field("is_running", "is_running", _flag), _Field("n_proofs", "n_proofs", _count)),
    ),
    _OldTable(
        "HarvesterPlot",
        "harvester_plot",
        (
            _Field("filename", "id", _text),
            _Field("id", "plot_public_key", _hexadecimal),
            _Field("plot_seed", "plot_id", _hexadecimal),
            _Field("size", "k", _told(_small_count)),
            _Field("filesize", "file_bytes", _count),
            _Field("pool_public_key", "pool_public_key", _hexadecimal),
            _Field("pool_contract_puzzle_hash", "pool_contract_puzzle_hash", _hexadecimal),
            _Field("time_modified", "modified_time", _time),
        ),
        key="id",
        finish=_finish_plot,
    ),
    _OldTable(
        "Wallet",
        "wallet",
        (_Field("is_running", "is_running", _flag), _Field("is_synced", "is_synced", _flag)),
    ),
    _OldTable(
        "FullNode",
        "full_node",
        (
            _Field("is_running", "is_running", _flag),
            _Field("is_synced", "is_synced", _flag),
            # Chia's sync_tip_height and sync_progress_height: 0 unless it syncs.
            _Field("sync_blockchain_height", "sync_tip_height", _told(_count)),
            _Field("sync_node_height", "sync_progress_height", _told(_count)),
        ),
    ),
    _OldTable(
        "PlotInProgress",
        "plotting_plot",
        (
            # Called a public key there; it is the last part of the plot's name, which is the plot's id.
            _Field("id", "id", _hexadecimal),
            _Field("start_time", "start_time", _told(_time)),
            _Field("progress", "progress_percent", _percent_of_share),
            _Field("state", "step", _told_text),
        ),
        key="id",
        finish=_finish_plotting,
    ),
)


@dataclass(slots=True)
class _Seen:
    """One machine, as far as it is read."""

    name: str = ""
    ip_address: str = ""
    first_time: float = math.inf
    last_time: float = 0.0

    def at(self, time: float) -> None:
        """It said something then."""
        self.first_time = min(self.first_time, time)
        self.last_time = max(self.last_time, time)

    def info(self, machine_id: str) -> MachineInfo:
        info = MachineInfo(machine_id=machine_id, name=self.name, ip_address=self.ip_address)
        if self.last_time:
            info.first_seen, info.last_seen = self.first_time, self.last_time
        return info


class _SkipRowError(Exception):
    """A row that cannot be stored: why, and what stood there."""

    def __init__(self, column: str, reason: str, value: object) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason
        self.value = value


@dataclass(slots=True)
class _Tally:
    """What was left out, by place and reason."""

    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    examples: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, where: str, reason: str, example: str) -> None:
        key = (where, reason)
        self.counts[key] = self.counts.get(key, 0) + 1
        self.examples.setdefault(key, example)

    def report(self) -> tuple[Skipped, ...]:
        return tuple(Skipped(*key, count, self.examples[key]) for key, count in self.counts.items())


class _Row(NamedTuple):
    """A row that is as good as its key: whose, and what of it is told."""

    machine_id: str
    number: int
    """Made from the entry's old key: the same for all of its rows."""
    entry_id: EntryId
    message: Any


class _Entry(NamedTuple):
    """What an entry is told apart by in the old file."""

    machine_id: str
    topic: str
    number: int


def _entry(kind: _OldTable, row: _Row) -> _Entry:
    return _Entry(row.machine_id, kind.topic, row.number)


class _Importer:
    """One run. What it holds grows with the entries that there were at one time, not with the events."""

    def __init__(self, old: "_OldDatabase", database: Database, progress: Progress | None, *, with_state: bool) -> None:
        self._old = old
        self._database = database
        self._with_state = with_state
        self._progress = progress
        self._machines: dict[str, _Seen] = {}
        self._there: dict[_Entry, EntryId] = {}
        self._late: dict[_Entry, EntryId] = {}
        self._rows = _Tally()
        self._values = _Tally()
        self._rows_read = 0
        self._rows_there = 0
        self._events_stored = 0

    def run(self) -> ImportReport:
        tables = [name for kind in _OLD_TABLES for name in (f"{kind.name}Events", kind.name)]
        self._rows_there = sum(self._old.count(name) for name in ("MachineInfo", *tables))
        self._read_machines()
        for kind in _OLD_TABLES:
            self._read_events(kind)
        for kind in _OLD_TABLES:
            self._read_state(kind)
        held = _held_infos(self._database.filepath)
        infos = [_joined(seen.info(of), held.get(of)) for of, seen in sorted(self._machines.items())]
        self._database.write([], infos)
        return ImportReport(
            self._rows_read, self._events_stored, tuple(infos), self._rows.report(), self._values.report()
        )

    def _pages(self, table: str) -> Iterator[list[dict[str, Any]]]:
        pages = self._old.pages(table)
        while True:
            try:
                page = next(pages, None)
            except sqlite3.Error as error:
                self._rows.add(table, "the rest of the table cannot be read", str(error))
                return
            if page is None:
                return
            self._rows_read += len(page)
            yield page
            if self._progress is not None:
                self._progress(self._rows_read, max(self._rows_there, self._rows_read))

    def _read_machines(self) -> None:
        for page in self._pages("MachineInfo"):
            for row in page:
                try:
                    seen = self._machine(_machine_of(row))
                except _SkipRowError as skip:
                    self._skip("MachineInfo", row, skip)
                    continue
                told, faults = _told_of(row, _MACHINE_FIELDS)
                self._note("MachineInfo", row, faults)
                seen.name = told.get("name", "")
                seen.ip_address = _host_of(told.get("ip_address", ""))
                if time := told.get("last_seen"):
                    seen.at(time)

    def _read_events(self, kind: _OldTable) -> None:
        table = f"{kind.name}Events"
        newest: dict[str, float] = {}
        for page in self._pages(table):
            batches: list[Batch] = []
            for old in page:
                try:
                    time = _event_time(old)
                    event_type = _event_type(old)
                    row = self._row(kind, table, old)
                except _SkipRowError as skip:
                    self._skip(table, old, skip)
                    continue
                self._machine(row.machine_id).at(time)
                if time < newest.setdefault(row.machine_id, time):
                    # The machine's clock was set back: of this entry the newest event need not be the last one.
                    self._late[_entry(kind, row)] = row.entry_id
                else:
                    newest[row.machine_id] = time
                events = [_event(kind, row.message, time, event_type)]
                events += [_gone(kind, lost, time) for lost in self._moved(kind, row, event_type)]
                batches.append(batch_of(row.machine_id, row.number, events))
            self._store(batches)

    def _moved(self, kind: _OldTable, row: _Row, event_type: int) -> list[EntryId]:
        """Notes an entry as there or gone. A plot was the same one wherever its file lay: the place it left is gone."""
        key = _entry(kind, row)
        before = self._there.pop(key, row.entry_id)
        if event_type != DELETE:
            self._there[key] = row.entry_id
        return [] if before == row.entry_id else [before]

    def _read_state(self, kind: _OldTable) -> None:
        """The old state stands where the events tell another one: some may be lost, or be older than the file.

        Without state, all of it ends when its machine was last seen.
        """
        if not self._old.has(kind.name):
            if not self._with_state:
                self._end_others(kind)
            return
        n_skipped = sum(self._rows.counts.values())
        for page in self._pages(kind.name):
            batches: list[Batch] = []
            for old in page:
                try:
                    time = self._last_time(_machine_of(old))
                    row = self._row(kind, kind.name, old)
                except _SkipRowError as skip:
                    self._skip(kind.name, old, skip)
                    continue
                key = _entry(kind, row)
                was_late = self._late.pop(key, None) is not None
                was_there = self._there.pop(key, None) is not None
                if not self._with_state:
                    event = _event(kind, row.message, time, DELETE)
                    batches.append(batch_of(row.machine_id, _number_of("gone", row.number), [event]))
                elif was_late or not was_there:
                    event = _event(kind, row.message, time, ADD)
                    batches.append(batch_of(row.machine_id, _number_of("state", row.number), [event]))
            self._store(batches)
        # An entry may be missing from the table because its row was left out.
        if not self._with_state or n_skipped == sum(self._rows.counts.values()):
            self._end_others(kind)

    def _end_others(self, kind: _OldTable) -> None:
        """Ends what the events tell to be there, and the old state does not."""
        others = {key: entry_id for key, entry_id in (self._late | self._there).items() if key.topic == kind.topic}
        gone: list[Batch] = []
        for key, entry_id in others.items():
            event = _gone(kind, entry_id, self._machines[key.machine_id].last_time)
            gone.append(batch_of(key.machine_id, _number_of("gone", key.number), [event]))
            if len(gone) == PAGE_ROWS:
                self._store(gone)
                gone = []
        self._store(gone)

    def _row(self, kind: _OldTable, table: str, old: Mapping[str, Any]) -> _Row:
        machine_id = _machine_of(old)
        told, faults = _told_of(old, kind.fields)
        topic = TOPICS[kind.topic]
        message = topic.message_class()
        for name, value in told.items():
            setattr(message, name, value)
        if kind.finish is not None:
            kind.finish(message, told)
        if topic.is_repeated and told.get("id") in {None, ""}:
            column = next(field.old for field in kind.fields if field.new == "id")
            reason = next((fault.reason for fault in faults if fault.column == column), "it tells no id")
            raise _SkipRowError(column, reason, old.get(column))
        self._note(table, old, faults)
        entry_id = topic.id_of(message)
        old_key = old.get(kind.key) if kind.key else ""
        return _Row(
            machine_id, _number_of(kind.name, entry_id if old_key in {None, ""} else old_key), entry_id, message
        )

    def _note(self, table: str, old: Mapping[str, Any], faults: list["_Fault"]) -> None:
        for fault in faults:
            self._values.add(f"{table}.{fault.column}", fault.reason, _example(old, old[fault.column]))

    def _machine(self, machine_id: str) -> _Seen:
        seen = self._machines.get(machine_id)
        if seen is None:
            seen = self._machines[machine_id] = _Seen()
        return seen

    def _last_time(self, machine_id: str) -> float:
        seen = self._machines.get(machine_id)
        if seen is None or not seen.last_time:
            raise _SkipRowError("machine_id", "nothing tells when its machine was there", machine_id)
        return seen.last_time

    def _skip(self, table: str, row: Mapping[str, Any], skip: _SkipRowError) -> None:
        self._rows.add(f"{table}.{skip.column}", skip.reason, _example(row, skip.value))

    def _store(self, batches: list[Batch]) -> None:
        if batches:
            self._database.write(batches, [])
            self._events_stored += sum(len(batch.told) for batch in batches)


_MACHINE_FIELDS: Final = (
    _Field("name", "name", _text),
    _Field("ip_address", "ip_address", _text),
    _Field("time_last_msg", "last_seen", _told(_time)),
)


def _held_infos(filepath: Path) -> dict[str, MachineInfo]:
    """What is known already of machines, from another file or an earlier run."""
    held: dict[str, MachineInfo] = {}
    with closing(open_read_only(filepath)) as connection:
        for row in connection.execute(MACHINE_INFO_TABLE.select):
            info = MachineInfo()
            filled_from_row(info, MACHINE_INFO_COLUMNS, loaded_row(row, MACHINE_INFO_COLUMNS))
            held[info.machine_id] = info
    return held


def _joined(told: MachineInfo, held: MachineInfo | None) -> MachineInfo:
    """Of two files of one machine, as a backup and a later one, the newer names it."""
    if held is None:
        return told
    newer = MachineInfo()
    newer.CopyFrom(held if held.last_seen > told.last_seen else told)
    if seen := [info.first_seen for info in (told, held) if info.first_seen]:
        newer.first_seen = min(seen)
    return newer


class _Fault(NamedTuple):
    """A value that was left out."""

    column: str
    reason: str


def _told_of(old: Mapping[str, Any], fields: tuple[_Field, ...]) -> tuple[dict[str, Any], list[_Fault]]:
    """What a row tells, under the new names, and what of it cannot be."""
    told: dict[str, Any] = {}
    faults: list[_Fault] = []
    for column, new, read in fields:
        if column in old:
            try:
                value = read(old[column])
            except _ImpossibleError as error:
                faults.append(_Fault(column, str(error)))
            else:
                if value is not None:
                    told[new] = value
    return told, faults


def _host_of(peer: str) -> str:
    """The address in gRPC's name of a peer, as "ipv4:127.0.0.1:5000" or "ipv6:%5B::1%5D:5000"."""
    kind, _, address = unquote(peer).partition(":")
    return address.rpartition(":")[0].strip("[]") if kind in {"ipv4", "ipv6"} else peer


def _machine_of(row: Mapping[str, Any]) -> str:
    match row.get("machine_id"):
        case int() as old_machine_id:
            return machine_id_of(old_machine_id)
        case other:
            raise _SkipRowError("machine_id", "no machine's number", other)


def _event_time(row: Mapping[str, Any]) -> float:
    value = row.get("timestamp")
    try:
        time = _time(value)
    except _ImpossibleError as error:
        raise _SkipRowError("timestamp", str(error), value) from None
    if not time:
        raise _SkipRowError("timestamp", "no time", value)
    return time


def _event_type(row: Mapping[str, Any]) -> int:
    value = row.get("event_type")
    if value not in {ADD, UPDATE, DELETE}:
        raise _SkipRowError("event_type", "neither ADD, UPDATE nor DELETE", value)
    return int(value)


def _event(kind: _OldTable, message: Any, time: float, event_type: int) -> UpdateEvent:
    event = UpdateEvent(timestamp=time, event_type=event_type)  # type: ignore[arg-type]
    getattr(event, kind.topic).CopyFrom(message)
    return event


def _gone(kind: _OldTable, entry_id: EntryId, time: float) -> UpdateEvent:
    event = UpdateEvent(timestamp=time, event_type=DELETE)
    message = getattr(event, kind.topic)
    message.SetInParent()
    if TOPICS[kind.topic].is_repeated:
        message.id = entry_id
    return event


def _number_of(*parts: object) -> int:
    """A number of 63 bits that is the same at every import."""
    text = "\0".join(map(str, parts))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def _example(row: Mapping[str, Any], value: object) -> str:
    shown = repr(value)
    return f"row {row[_ROW_ID]}: {shown if len(shown) <= 60 else f'{shown[:57]}...'}"


# The old file.

_ROW_ID: Final = "rowid"


def _decoded(raw: bytes) -> str | bytes:
    """Text as SQLite gives it; what is not UTF-8 stays bytes, which no reader takes for text."""
    with suppress(UnicodeDecodeError):
        return raw.decode()
    return raw


class _OldDatabase:
    """The tables of the first chia-tea's that are there, read page by page."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._columns: dict[str, tuple[str, ...]] = {}
        wanted = {"MachineInfo"} | {name for kind in _OLD_TABLES for name in (kind.name, f"{kind.name}Events")}
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            if name in wanted:
                told = connection.execute(f"PRAGMA table_info({quoted(name)})").fetchall()
                self._columns[name] = tuple(column for _, column, *_ in told if isinstance(column, str))

    @property
    def is_of_the_first(self) -> bool:
        """Some table of events has the old key."""
        key = {"timestamp", "machine_id", "event_type"}
        return any(
            name.endswith("Events") and key <= set(columns) and "sequence" not in columns
            for name, columns in self._columns.items()
        )

    def has(self, table: str) -> bool:
        return table in self._columns

    def count(self, table: str) -> int:
        """Rows of a table; 0 when they cannot be counted."""
        if not self.has(table):
            return 0
        with suppress(sqlite3.Error):
            return int(self._connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()[0])  # noqa: S608
        return 0

    def pages(self, table: str) -> Iterator[list[dict[str, Any]]]:
        """The rows in the order in which they came. The file is locked for no longer than one page takes.

        Raises:
            sqlite3.Error: after the last row that can be read.
        """
        if not self.has(table):
            return
        names = (_ROW_ID, *self._columns[table])
        columns = ", ".join(map(quoted, self._columns[table]))
        statement = f"SELECT rowid, {columns} FROM {quoted(table)} WHERE rowid > ? ORDER BY rowid LIMIT {PAGE_ROWS}"  # noqa: S608
        last = -(2**63)
        while True:
            page: list[dict[str, Any]] = []
            failure: sqlite3.Error | None = None
            try:
                for row in self._connection.execute(statement, (last,)):
                    page.append(dict(zip(names, row, strict=True)))  # noqa: PERF401 - what came before a fault is kept
            except sqlite3.Error as error:
                failure = error
            if page:
                yield page
                last = page[-1][_ROW_ID]
            if failure is not None:
                raise failure
            if len(page) < PAGE_ROWS:
                return


def import_first(
    source: Path, database: Database, progress: Progress | None = None, *, with_state: bool = True
) -> ImportReport:
    """Takes over machines, events and state from a database of the first chia-tea, which is left as it is.

    Again with the same file it changes nothing; with one that has grown it adds what is new. What is stored stays when
    it is interrupted. Damaged rows and values are left out and told of in the report. Of several files of one farm the
    oldest goes first: an entry that a later one ended would be there again.

    Args:
        source: the old file.
        database: where it all goes.
        progress: told after each step how many rows are read, of how many.
        with_state: False takes over history alone. The old machines are then there without disks or plots, which count
            in the farm's totals, and twice once the same machine reports to this chia-tea.

    Raises:
        ConfigurationError: the file is no database of the first chia-tea, or cannot be read.
        DatabaseError: the new database could not be written.
    """
    with closing(_opened(source)) as connection:
        try:
            old = _checked(source, connection)
        except sqlite3.Error as error:
            raise _unusable(source, error) from None
        return _Importer(old, database, progress, with_state=with_state).run()


def _opened(source: Path) -> sqlite3.Connection:
    try:
        is_file = source.is_file()
    except OSError as error:
        raise ConfigurationError(f"{source}: {error.strerror}", "see whether it may be read") from None
    if not is_file:
        raise ConfigurationError(f"{source}: there is no such file", "name the database file of the first chia-tea")
    try:
        connection = sqlite3.connect(
            f"{source.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_SECONDS
        )
    except sqlite3.Error as error:
        raise _unusable(source, error) from None
    connection.text_factory = _decoded
    return connection


def _checked(source: Path, connection: sqlite3.Connection) -> _OldDatabase:
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
        raise ConfigurationError(
            f"{source}: is a database of this chia-tea, not of the first one", "there is nothing to import"
        )
    old = _OldDatabase(connection)
    if not old.is_of_the_first:
        raise ConfigurationError(
            f"{source}: has no tables of the first chia-tea", "name the file that its server wrote (db_filepath)"
        )
    return old


_HINTS: Final = {
    "SQLITE_NOTADB": "it is no database: name the file that the first chia-tea's server wrote (db_filepath)",
    "SQLITE_READONLY": "it was not closed cleanly: open it once with `sqlite3 FILE .tables`, then import it",
    "SQLITE_CANTOPEN": "see whether it may be read",
    "SQLITE_BUSY": "another program has it locked: stop the first chia-tea's server",
    "SQLITE_CORRUPT": "it is damaged: save what is left with `sqlite3 OLD .recover | sqlite3 NEW` and import that",
}


def _unusable(source: Path, error: sqlite3.Error) -> ConfigurationError:
    name = getattr(error, "sqlite_errorname", "") or ""
    hint = next((hint for start, hint in _HINTS.items() if name.startswith(start)), "")
    return ConfigurationError(f"{source}: {error}", hint)
