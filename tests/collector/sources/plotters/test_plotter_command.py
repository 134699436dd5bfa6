from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.collector.sources.plotters.plotter_command import PlotterCommand, command_of
from chiatea.protobuf.chia_pb2 import PlotInProgress

KEYS = f"-f {'8a' * 48} -c xch1{'q' * 58}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            f"/opt/chia_plot -n 2 -r 8 -t /mnt/ssd/ -2 /mnt/ram/ -d /mnt/farm/ {KEYS}",
            (PlotInProgress.MADMAX, 32, None, "/mnt/ssd/", "/mnt/farm/"),
        ),
        (f"chia_plot -k34 -t ./ {KEYS}", (PlotInProgress.MADMAX, 34, None, "./", "./")),
        (f"./chia_plot --level=7 --tmpdir=/t/ {KEYS}", (PlotInProgress.GIGAHORSE, 32, 7, "/t/", "/t/")),
        (
            f"./cuda_plot_k33 -n -1 -C 18 -t /t/ -d @farm.lan -d /b/ {KEYS}",
            (PlotInProgress.GIGAHORSE, 33, 18, "/t/", "@farm.lan"),
        ),
        (
            f"C:\\plots\\cuda_plot_k32.exe -C7 -t D:\\ -d E:\\ {KEYS}",
            (PlotInProgress.GIGAHORSE, 32, 7, "D:\\", "E:\\"),
        ),
        (f"bladebit -t 24 -n 9 {KEYS} ramplot /out", (PlotInProgress.BLADEBIT, 32, None, None, "/out")),
        (f"bladebit -n 9 {KEYS}", (PlotInProgress.BLADEBIT, 32, None, None, None)),
        (f"bladebit {KEYS} /out/", (PlotInProgress.BLADEBIT, 32, None, None, "/out/")),
        (
            f"bladebit {KEYS} diskplot --cache 100G -t1 /mnt/ssd /out",
            (PlotInProgress.BLADEBIT_DISK, 32, None, "/mnt/ssd", "/out"),
        ),
        (f"bladebit_cuda {KEYS} --compress 5 cudaplot /out", (PlotInProgress.BLADEBIT_CUDA, 32, 5, None, "/out")),
        (f"bladebit_cuda -z {KEYS} cudaplot /out", (PlotInProgress.BLADEBIT_CUDA, 32, 1, None, "/out")),
        (f"bladebit_cuda -z 0 {KEYS} cudaplot /out", (PlotInProgress.BLADEBIT_CUDA, 32, 0, None, "/out")),
        (
            f"/venv/bin/python3 /venv/bin/chia plots create -k 32 -t /t -d /d {KEYS}",
            (PlotInProgress.CHIAPOS, 32, None, "/t", "/d"),
        ),
        (
            f"/venv/bin/python3 /venv/bin/chia plotters madmax -k 32 -t /t/ -d /d/ {KEYS}",
            (PlotInProgress.MADMAX, 32, None, "/t/", "/d/"),
        ),
        (
            f"chia plotters bladebit cudaplot --compress 3 -d /d {KEYS}",
            (PlotInProgress.BLADEBIT_CUDA, 32, 3, None, "/d"),
        ),
        ("ProofOfSpace create -k 25 -t /t -d /d -f plot.dat", (PlotInProgress.CHIAPOS, 25, None, "/t", "/d")),
    ],
)
def test_a_command_line_tells_what_is_made_where(line: str, expected: tuple[Any, ...]) -> None:
    assert command_of(line.split()) == PlotterCommand(*expected)


@pytest.mark.parametrize(
    "line",
    [
        "chia_plot_sink -- /mnt/d0 /mnt/d1",
        "chia_plot_copy -t host -- /mnt/plot.plot",
        "ProofOfSpace check plot.plot 100",
        "bladebit validate -f /mnt/plot.plot",
        "chia plots check -n 30",
        "chia plotters install madmax",
        "chia plotters",
        "chia farm summary",
        "python script.py",
        "",
    ],
)
def test_what_makes_no_plots_is_no_plotter(line: str) -> None:
    assert command_of(line.split()) is None


@given(
    st.lists(
        st.text(max_size=8)
        | st.sampled_from(
            ["chia", "plotters", "plots", "create", "bladebit", "chia_plot", "-k", "-C", "-z", "-t", "-d"]
        ),
        max_size=9,
    )
)
def test_any_command_line_is_read_without_an_error(words: list[str]) -> None:
    command_of(words)


def test_no_key_is_ever_told() -> None:
    key = "8a" * 48
    for start in (
        "chia_plot",
        "bladebit",
        "bladebit_cuda -z",
        "cuda_plot_k32",
        "chia plots create",
        "chia plotters bladebit",
    ):
        for option in ("-f", "-p", "-c", "-i", "--memo"):
            assert key not in str(command_of([*start.split(), "-n", "1", option, key]))
