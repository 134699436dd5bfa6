"""Plots that are moved into a folder that a real harvester scans all the time. After the other tests: it has more plots
then.
"""

import hashlib
from pathlib import Path

import pytest

from .farm import RealFarm, until
from .tea import Tea

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

N_V1 = 8
N_V2 = 92
COPIES_MET = 20
"""So often at least the harvester is to look while something is half copied."""


def test_a_harvester_that_scans_during_100_moves_sees_whole_plots_alone_and_farms_them_all(
    farm: RealFarm, tea: Tea
) -> None:
    source, target = farm.folder / "plotted", farm.folder / "plots" / "moved"
    source.mkdir()
    target.mkdir()
    farm.barn.ask("harvester", "add_plot_directory", dirname=str(target))
    harvester = farm.barn.process("harvester")
    log_begin = len(farm.barn.log())
    # One copy of 3 MB, and its reading back, take about as long as the plot.
    copy = {
        "source_folders": [str(source)], "target_folders": [str(target)], "targets_on_root": True, "reserve": 0,
        "settle_seconds": 1, "rescan_every": 1, "max_bandwidth": "8MB", "protect_lookups": 0,
    }  # fmt: skip
    tea.configure("barn", {"root": farm.barn.root}, copy=copy)
    tea.copy("barn")
    hashes: dict[str, str] = {}
    plotter = farm.plot(source, n_v1=N_V1, n_v2=N_V2)
    n_met = 0

    def are_all_moved() -> bool:
        nonlocal n_met
        n_met += any(target.glob("*.copying"))
        farm.barn.ask("harvester", "refresh_plots")
        told = farm.barn.ask("harvester", "get_plots")
        names = [*told["failed_to_open_filenames"], *told["not_found_filenames"]]
        assert [name for name in names if Path(name).parent == target] == []
        loaded = [Path(plot["filename"]) for plot in told["plots"] if Path(plot["filename"]).parent == target]
        hashes.update((path.name, digest(path)) for path in loaded if path.name not in hashes)
        assert plotter.poll() in (None, 0)
        return plotter.poll() == 0 and not any(source.iterdir())

    until(are_all_moved, "100 moves", limit_seconds=600)
    assert n_met >= COPIES_MET
    until(lambda: tea.copier().get("n_done") == N_V1 + N_V2, "what the copier tells")
    until(lambda: tea.copier()["n_not_farming"] == 0, "the farming of all plots")
    are_all_moved()
    assert len(hashes) == N_V1 + N_V2
    assert hashes == {path.name: digest(path) for path in target.iterdir()}
    assert farm.barn.process("harvester") == harvester
    complaints = [line for line in farm.barn.log()[log_begin:].splitlines() if str(target) in line and "ERROR" in line]
    assert complaints == []


def digest(plot: Path) -> str:
    return hashlib.sha256(plot.read_bytes()).hexdigest()
