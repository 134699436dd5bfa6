"""Tests against a real Chia, where $CHIA_TEA_REAL_CHIA names a virtual environment with it: `make test-real`."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from .farm import Processes, RealFarm, until
from .tea import Tea

CHIA = os.environ.get("CHIA_TEA_REAL_CHIA")
collect_ignore_glob = [] if CHIA else ["*"]


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealFarm]:
    """A running farm whose node sends nothing yet. Whatever happens, nothing of it is left running."""
    assert CHIA is not None
    # Ended from outside, pytest would leave without tearing anything down.
    signal.signal(signal.SIGTERM, _interrupt)
    processes = Processes(tmp_path_factory.mktemp("real").resolve())
    try:
        made = RealFarm(Path(CHIA).resolve(), processes)
        made.start()
        yield made
    finally:
        processes.end()


@pytest.fixture(scope="session")
def tea(farm: RealFarm) -> Tea:
    """chia-tea on both machines of the farm, and a third collector that can read the farm's log and nothing else."""
    made = Tea(farm.folder, farm.processes)
    made.configure("farm", {"root": farm.farm.root})
    made.configure("barn", {"root": farm.barn.root})
    nothing = farm.folder / "nothing"
    made.configure("log", {"root": nothing, "logfile_filepath": farm.farm.root / "log" / "debug.log"})
    made.serve()
    for machine in ("farm", "barn", "log"):
        made.collect(machine)
    until(lambda: made.source("farm", "chia daemon") == "OK", "chia-tea hears Chia's daemon")
    farm.start_node()
    return made


class Freeze:
    """The barn's harvester stopped by SIGSTOP for 70 s, for 17 signage points, and a little more, so that none was sent
    close to 25 s before it went on.
    """

    def __init__(self, farm: RealFarm) -> None:
        self._farm = farm
        farm.until_after_a_point(2.0, answered_by=farm.barn)
        self.begin = time.time()
        farm.barn.signal("harvester", signal.SIGSTOP)
        self.end: float | None = None
        self._thread = threading.Thread(target=self._thaw, daemon=True)
        self._thread.start()

    def _thaw(self) -> None:
        time.sleep(max(0.0, self.begin + 70.0 - time.time()))
        until(lambda: sum(point.time > self.begin for point in self._farm.points()) >= 17, "17 points in the freeze")
        self._farm.until_after_a_point(1.7)
        self.end = time.time()
        self._farm.barn.signal("harvester", signal.SIGCONT)

    def wait(self) -> tuple[float, float]:
        """Waits until it goes on; gives when it was frozen and when it went on."""
        self._thread.join()
        assert self.end is not None
        return self.begin, self.end


@pytest.fixture(scope="session")
def frozen(farm: RealFarm, tea: Tea) -> Freeze:
    """Begins when it is first asked for: what other tests check meanwhile, they check while it lasts."""
    return Freeze(farm)
