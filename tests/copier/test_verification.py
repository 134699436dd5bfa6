"""Which blocks a sample reads back."""

from hypothesis import given
from hypothesis import strategies as st

from chiatea.copier.verification import blocks_to_read


def test_full_is_all_and_none_is_none() -> None:
    assert blocks_to_read("full", 2, 5, "") == [2, 3, 4]
    assert blocks_to_read("none", 2, 5, "") == []


@given(st.integers(0, 50), st.integers(0, 3000), st.binary(min_size=32, max_size=32))
def test_a_sample_has_both_ends_and_a_twentieth(first: int, n_more: int, plot_id: bytes) -> None:
    blocks = blocks_to_read("sample", first, first + n_more, plot_id.hex())
    assert blocks == sorted(set(blocks))
    assert len(blocks) == min(n_more, max(4, -(-n_more // 20)))
    if n_more:
        assert (blocks[0], blocks[-1]) == (first, first + n_more - 1)


def test_two_plots_are_sampled_at_different_places() -> None:
    one, two = (set(blocks_to_read("sample", 0, 1600, plot_id * 32)) for plot_id in ("12", "cd"))
    assert len(one & two) < len(one) / 2
