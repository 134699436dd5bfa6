import io
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chiatea.collector.explain import Explained, Summary, explained_lines, lines_of_stream
from chiatea.collector.sources.log.log_reader import MAX_LINE_BYTES

NOW = 1_795_463_720.0
START = "2026-11-23T19:51:11.602 2.7.5 harvester chia.harvester.harvester: "


def explained(data: bytes) -> tuple[list[Explained], Summary]:
    summary = Summary()
    return list(explained_lines(lines_of_stream(io.BytesIO(data)), summary, NOW)), summary


def test_every_line_of_a_log_is_explained_and_counted(data_folder: Path) -> None:
    lines, summary = explained((data_folder / "debug_farmer.log").read_bytes())
    assert summary.n_lines == len(lines) == 142
    assert (summary.told["lookup"], summary.n_continued, summary.n_not_understood) == (60, 8, 0)
    assert summary.n_told + summary.n_known + summary.n_continued == 142
    assert lines[3].facts == {
        "challenge_prefix": "a3648d6003",
        "eligible_plots": 1,
        "proofs": 1,
        "seconds": 0.01387,
        "n_plots": 5,
        "v2_qualities": 0,
    }


def test_what_is_not_understood_is_counted_by_form_with_a_sample_of_each() -> None:
    text = "".join(f"{START}INFO     a new thing of {n}\n" for n in range(50))
    text += f"{START}ERROR    The disk melted\nTraceback (most recent call last):\nValueError: 5\n"
    lines, summary = explained(text.encode())
    assert sorted(n for n, _ in summary.not_understood.values()) == [1, 50]
    assert summary.n_continued == 2
    assert lines[50].kind == "not understood"
    assert lines[50].facts == {"service": "harvester", "text": "The disk melted", "notice": "SERVICE_ERROR"}


def test_a_log_with_ever_new_forms_is_summed_up_in_bounded_memory() -> None:
    text = "".join(f"{START}INFO     {'x' * (n % 60)}{'y' * (n // 60)}\n" for n in range(2400))
    _, summary = explained(text.encode())
    assert (len(summary.not_understood), summary.n_not_understood) == (1000, 2400)


def test_a_line_without_end_is_cut_and_the_next_is_whole() -> None:
    lines, summary = explained(b"x" * 1_000_000 + f"\n{START}INFO     Loaded 5 bytes\nthe last".encode())
    assert [line.kind for line in lines] == ["not understood", "known", "not understood"]
    assert summary.n_cut == 1


@given(st.binary(max_size=500), st.integers(1, 40))
def test_any_bytes_are_explained_and_no_line_is_left_out(data: bytes, n_times: int) -> None:
    data *= n_times
    lines, summary = explained(data)
    assert len(lines) == summary.n_lines == data.count(b"\n") + bool(data and not data.endswith(b"\n"))


def test_a_stream_is_split_as_the_file_is(data_folder: Path) -> None:
    data = (data_folder / "debug_farmer.log").read_bytes() * 40 + b"y" * (MAX_LINE_BYTES + 1) + b"\nend"
    assert len(data) > 1_000_000
    lines = [line for line, _ in lines_of_stream(io.BytesIO(data))]
    assert [line[:MAX_LINE_BYTES] for line in data.decode().split("\n")] == lines
