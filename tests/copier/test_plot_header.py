"""Headers of real plots, of made ones, and of what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.copier.plot_header import HEADER_BYTES, PlotHeader, name_fault, parse_plot_header
from tests.copier.plots import REAL_PLOTS, plot_bytes, plot_name


def parse(content: bytes, file_bytes: int | None = None) -> PlotHeader | str:
    return parse_plot_header(content[:HEADER_BYTES], len(content) if file_bytes is None else file_bytes)


@pytest.mark.skipif(not REAL_PLOTS.is_dir(), reason="there are no real plots beside this repository")
def test_real_plots_are_whole_fit_their_names_and_are_known_when_cut_off() -> None:
    for path in REAL_PLOTS.iterdir():
        content = path.read_bytes()
        header = parse(content)
        assert isinstance(header, PlotHeader)
        assert header.version == (2 if path.suffix == ".plot2" else 1)
        assert header.plot_id in path.name
        assert f"k{header.k}" in path.name
        assert name_fault(header, path.name) is None
        assert "cut off" in str(parse(content[: len(content) * 9 // 10]))


@pytest.mark.parametrize("version", [1, 2])
def test_a_header_tells_version_id_and_k(version: int) -> None:
    plot_id, content = plot_bytes(10_000, version, k=30)
    assert parse(content) == PlotHeader(version, plot_id, 30)


@pytest.mark.parametrize("version", [1, 2])
def test_a_plot_cut_off_anywhere_before_its_last_table_is_known(version: int) -> None:
    _, content = plot_bytes(10_000, version)
    for n_bytes in range(0, 8_000, 7):
        assert isinstance(parse(content[:n_bytes]), str), n_bytes


def test_a_header_of_a_compressed_format_is_not_judged_by_tables_that_it_does_not_have() -> None:
    plot_id, content = plot_bytes(10_000)
    compressed = content.replace(b"v1.0", b"v2.0")
    assert parse(compressed, 400) == PlotHeader(1, plot_id, 32)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (bytes(1000), "zeros"),
        (b"no plot at all", "does not begin"),
        (b"Proof of Space Plot" + bytes(1000), "all zeros"),
        (b"pos2\x01" + bytes(1000), "all zeros"),
        (b"Proof of Space Plot" + b"x" * 32 + b"\x05" + bytes(1000), "k is 5"),
        (b"Proof of Space Plot" + b"x" * 20, "within its header"),
    ],
)
def test_what_is_no_plot_is_said_in_words(content: bytes, said: str) -> None:
    assert said in str(parse(content))


def test_a_name_must_tell_of_the_plot_that_is_in_the_file() -> None:
    plot_id, _ = plot_bytes(1000)
    header = PlotHeader(1, plot_id, 32)
    assert name_fault(header, plot_name(plot_id)) is None
    assert name_fault(header, plot_name(plot_id).upper()) is None
    assert name_fault(header, f"{plot_id}.plot") is None
    assert "no plot id" in str(name_fault(header, "my.plot"))
    assert plot_id[:10] in str(name_fault(header, plot_name("0" * 64)))
    assert "k 33" in str(name_fault(header, plot_name(plot_id, k=33)))


@given(st.binary(max_size=400), st.integers(0, 2**40), st.sampled_from([b"", b"Proof of Space Plot", b"pos2\x01"]))
def test_no_bytes_at_all_make_the_parser_fail(content: bytes, file_bytes: int, magic: bytes) -> None:
    assert isinstance(parse_plot_header(magic + content, file_bytes), PlotHeader | str)
