import json
from typing import Any

from chiatea.collector.plots import PlotList, disk_id_of, effective_bytes, folder_totals, k_of_name
from chiatea.collector.sources.plot_stream import PlotStream
from chiatea.protobuf.chia_pb2 import HarvesterPlot


def test_effective_sizes_agree_to_the_byte_with_what_the_recorded_farm_said(rpc_answers: dict[str, Any]) -> None:
    told = rpc_answers["farmer.get_harvesters_summary"]["harvesters"][0]
    stream = PlotStream(["/"], None)
    stream.feed(json.dumps(rpc_answers["harvester.get_plots"]).encode())
    totals = stream.plots().totals
    assert totals.effective_plot_bytes == told["total_effective_plot_size"]
    assert totals.total_plot_bytes == told["total_plot_size"]
    assert (totals.n_plots_v1, totals.n_plots_v2, totals.n_failed_to_open) == (3, 2, 1)


def test_a_k32_plot_counts_for_109_gb() -> None:
    assert effective_bytes(1, 32) == int(0.78 * 65 * 2**31)
    assert effective_bytes(1, 0) is None


def test_a_disk_is_the_longest_mount_point_above_a_path() -> None:
    mounts = ["/", "/mnt/a", "/mnt/a/b", "/mnt/ab"]
    assert disk_id_of("/mnt/a/b/plot", mounts) == "/mnt/a/b"
    assert disk_id_of("/mnt/abc/plot", mounts) == "/"
    assert disk_id_of("/mnt/a", mounts) == "/mnt/a"
    assert disk_id_of("plot", []) is None


def test_k_stands_in_the_names_that_plotters_give() -> None:
    assert k_of_name("/mnt/a/plot-k28-2026-ab.plot2") == 28
    assert k_of_name("plot-mainnet-k32-ab.plot") == 32
    assert k_of_name("/mnt/plot-k32-x/else.plot") is None or k_of_name("/mnt/plot-k32-x/else.plot") == 32


def test_folders_without_plots_are_told_too_and_subfolders_belong_to_theirs() -> None:
    plots = [
        HarvesterPlot(id="/mnt/a/sub/x.plot", state=HarvesterPlot.LOADED, plot_version=1, k=32, file_bytes=5),
        HarvesterPlot(id="/mnt/gone/y.plot", state=HarvesterPlot.FAILED_TO_OPEN),
    ]
    folders = folder_totals(PlotList.of(plots), ["/mnt/a", "/mnt/empty"], ["/", "/mnt/a"])
    assert (folders["/mnt/a"].n_plots, folders["/mnt/a"].total_plot_bytes, folders["/mnt/a"].disk_id) == (
        1,
        5,
        "/mnt/a",
    )
    assert folders["/mnt/empty"].n_plots == 0
    assert folders["/mnt/gone"].n_failed_to_open == 1


def plot(name: str, state: "HarvesterPlot.State.ValueType" = HarvesterPlot.LOADED, **more: Any) -> HarvesterPlot:
    return HarvesterPlot(id=f"/mnt/a/{name}", state=state, plot_version=1, k=32, **more)


def test_a_list_made_after_another_has_what_is_the_same_in_common_with_it_and_nothing_that_went() -> None:
    before = PlotList.of([plot("x"), plot("y"), plot("z")])
    now = PlotList(before)
    for entry in (plot("x"), plot("y", file_bytes=5), plot("new")):
        now.add(entry)
    now.completed()
    assert {entry.id: entry.file_bytes for entry in now} == {"/mnt/a/x": 0, "/mnt/a/y": 5, "/mnt/a/new": 0}
    assert len(before) == 3, "the list before stays as it was"
    assert now.messages.packed["/mnt/a/x"] is before.messages.packed["/mnt/a/x"]
    assert (now.n_loaded_beside(before), before.n_loaded_beside(now)) == (1, 1)


def test_a_plot_that_fails_to_open_is_no_loaded_one_and_of_two_of_one_file_the_first_counts() -> None:
    before = PlotList.of([plot("x"), plot("y")])
    now = PlotList.of([plot("x", HarvesterPlot.FAILED_TO_OPEN), plot("x"), plot("y", HarvesterPlot.NO_KEY)])
    assert (now.totals.n_plots, now.totals.n_failed_to_open, now.totals.n_no_key) == (0, 1, 1)
    assert (now.n_loaded_beside(before), before.n_loaded_beside(now)) == (0, 2)
