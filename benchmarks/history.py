"""A database that grows: `python -m benchmarks.history [--events N] [--folder DIR]`.

Events of the usual mix from 100 machines go through the server's own `Database.write`, every commit on the disk. Of the
database as it is after a tenth of them a copy is kept. In the end both are asked for "one machine, one topic, the last
24 h" in turn, and the rate of writing is set against that of an empty database, in turn too: so a machine whose speed
drifts does not decide it. What is printed are medians of ratios, and the bytes for each event.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.pipeline import usual_mix
from chiatea.protobuf.computer_info_pb2 import UpdateEvent
from chiatea.protobuf.machine_info_pb2 import MachineInfo
from chiatea.protobuf.monitoring_service_pb2 import QueryEventsRequest
from chiatea.server.database.database import Database
from chiatea.server.database.history import History
from chiatea.server.storage import batch_of

N_MACHINES: Final = 100
BATCH_EVENTS: Final = 16
EVENTS_PER_MACHINE_AND_DAY: Final = 4_000
ROUND_EVENTS: Final = N_MACHINES * BATCH_EVENTS
START: Final = 1.7e9
DAY_SECONDS: Final = 86_400.0
N_READINGS: Final = 15


class Growing:
    """A database, and a clock that goes on with the events that are written to it."""

    def __init__(self, filepath: Path) -> None:
        rng = random.Random(1)
        self.filepath = filepath
        self.n_events = 0
        self._sequence = 0
        self._made = [[usual_mix(rng, BATCH_EVENTS, START) for _ in range(4)] for _ in range(N_MACHINES)]
        self._database = Database(filepath)
        self._database.write([], [MachineInfo(machine_id=_machine(number)) for number in range(N_MACHINES)])

    @property
    def now(self) -> float:
        """The time of the newest event."""
        return START + self.n_events / N_MACHINES / EVENTS_PER_MACHINE_AND_DAY * DAY_SECONDS

    def grow(self, n_events: int) -> float:
        """Writes at least so many events, a batch of every machine in each commit; returns seconds for each event."""
        spent, goal, before = 0.0, self.n_events + n_events, self.n_events
        step = DAY_SECONDS / EVENTS_PER_MACHINE_AND_DAY
        while self.n_events < goal:
            self._sequence += 1
            now = self.now
            told: list[tuple[str, list[UpdateEvent]]] = []
            for number, made in enumerate(self._made):
                events = made[self._sequence % 4]
                for position, event in enumerate(events):
                    event.timestamp = now + position * step
                told.append((_machine(number), events))
            began = time.perf_counter()
            self._database.write([batch_of(name, self._sequence, events) for name, events in told], [])
            spent += time.perf_counter() - began
            self.n_events += ROUND_EVENTS
        return spent / (self.n_events - before)

    def bytes_per_event(self) -> float:
        """Of the whole file: events, state, indices."""
        ((n_pages,),) = self._database._connection.execute("PRAGMA page_count").fetchall()  # noqa: SLF001
        ((page_bytes,),) = self._database._connection.execute("PRAGMA page_size").fetchall()  # noqa: SLF001
        return float(n_pages * page_bytes) / self.n_events

    def copied(self, filepath: Path) -> "Day":
        """A copy of the file as it is now, to be asked later."""
        self._database._connection.execute("VACUUM INTO ?", (str(filepath),))  # noqa: SLF001
        return Day(filepath, self.now, min(DAY_SECONDS, self.now - START))

    def close(self) -> None:
        self._database.close()


class Day:
    """The last 24 h of a database, or what there is of them."""

    def __init__(self, filepath: Path, now: float, seconds: float) -> None:
        self.seconds = seconds
        self._history = History(filepath)
        self._since = now - seconds

    async def read(self, number: int) -> tuple[float, int]:
        """Seconds to read what the disks of one machine did in it, and how many events that are."""
        request = QueryEventsRequest(machine_ids=[_machine(number)], topics=["disk"], since=self._since)
        began = time.perf_counter()
        count = sum([len(page.events) async for page in self._history.pages(request)])
        return time.perf_counter() - began, count


async def days_in_turn(small: Day, large: Day) -> tuple[float, list[tuple[float, int]]]:
    """The median ratio of the large one's time to the small one's, and the large one's readings."""
    ratios, readings = [], []
    for number in range(N_READINGS):
        seconds, _ = await small.read(number * 6)
        readings.append(await large.read(number * 6))
        ratios.append(readings[-1][0] / seconds)
    return statistics.median(ratios), readings


def _machine(number: int) -> str:
    return f"{number:012x}"


def measure(folder: Path, n_events: int) -> None:
    """Grows one database and prints what it is like on the way."""
    grown = Growing(folder / "grown.db")
    for tenth in range(1, 11):
        rate = 1 / grown.grow(n_events // 10)
        print(
            f"   {grown.n_events:9} events: {rate:7.0f} events/s, {grown.bytes_per_event():.1f} bytes for each",
            flush=True,
        )
        if tenth == 1:
            small = grown.copied(folder / "small.db")
    ratio, readings = asyncio.run(days_in_turn(small, Day(grown.filepath, grown.now, small.seconds)))
    seconds, count = statistics.median(seconds for seconds, _ in readings), readings[0][1]
    print(f"   {count} events of a machine's last 24 h in {1000 * seconds:.1f} ms")
    print(f"last 24 h at {n_events} events against a tenth: {ratio:.2f}, goal at most 1.5")
    ratios = []
    for number in range(5):
        empty = Growing(folder / f"empty-{number}.db")
        chunk = min(200_000, n_events // 10)
        ratios.append(empty.grow(chunk) / grown.grow(chunk))
        empty.close()
    rate, low, high = statistics.median(ratios), min(ratios), max(ratios)
    print(f"writing at {n_events} events against empty: {rate:.2f} (from {low:.2f} to {high:.2f}), goal 0.8")
    print(f"bytes for each event: {grown.bytes_per_event():.1f}, goal at most 90")
    grown.close()


def main() -> None:
    """Measures, and prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--folder", help="where the databases are made, and removed: the disk that counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        measure(Path(name), options.events)


if __name__ == "__main__":
    main()
