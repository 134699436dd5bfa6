import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.chia.rpc import RpcFailedError, RpcRefusedError
from chiatea.copier.farming import HarvesterTold, Verdict, ask_every_seconds, judged
from chiatea.copier.harvester import PlotsAnswer

FOLDER = Path("/mnt/a b")
PLOT = "/mnt/a b/x.plot"
TOLD = HarvesterTold(folders=("/mnt/a b",), is_recursive=False)


def told(**answers: list[str]) -> HarvesterTold:
    return HarvesterTold(
        TOLD.folders, is_recursive=False, **{name: frozenset(paths) for name, paths in answers.items()}
    )


def test_a_plot_is_farmed_when_the_harvester_has_loaded_that_very_file() -> None:
    assert judged(PLOT, FOLDER, told(loaded=[PLOT])) == Verdict(is_farming=True)
    assert judged(PLOT, FOLDER, told(loaded=["/mnt/b/x.plot"])) == Verdict(is_farming=False)


def test_what_the_harvester_cannot_farm_has_a_reason() -> None:
    assert "cannot open" in judged(PLOT, FOLDER, told(failed=[PLOT])).reason
    assert "no key" in judged(PLOT, FOLDER, told(no_key=[PLOT])).reason


@pytest.mark.parametrize(
    ("folders", "is_recursive", "is_there"),
    [
        (["/mnt/a b"], False, True),
        (["/mnt"], False, False),
        (["/mnt"], True, True),
        (["/"], True, True),
        (["/mnt/a"], True, False),
        ([], True, False),
    ],
)
def test_a_folder_that_the_harvester_does_not_look_into_is_said_with_the_command_that_adds_it(
    folders: list[str], is_recursive: bool, is_there: bool
) -> None:
    verdict = judged(PLOT, FOLDER, HarvesterTold(tuple(folders), is_recursive))
    assert verdict.reason == (
        "" if is_there else "not in the harvester's plot directories: chia plots add -d '/mnt/a b'"
    )


def test_a_long_list_is_asked_for_seldom_and_none_more_often_than_the_harvester_looks() -> None:
    assert ask_every_seconds(120, 0.0) == 30
    assert ask_every_seconds(12, 0.0) == 6
    assert ask_every_seconds(3, 0.0) == 5
    assert ask_every_seconds(120, 6.0) == 600


def answer_of(body: bytes, wanted: list[str], size: int) -> HarvesterTold:
    answer = PlotsAnswer(frozenset(wanted))
    for begin in range(0, len(body), size):
        answer.feed(body[begin : begin + size])
    return answer.told(TOLD)


@given(st.integers(1, 400))
def test_an_answer_in_pieces_of_any_size_tells_of_those_that_were_asked_for(size: int) -> None:
    odd = "/mnt/\udcff/ü.plot"
    document = {
        "plots": [{"filename": name, "size": 32, "inner": {"filename": "/no"}} for name in ("/a", odd, "/other")],
        "failed_to_open_filenames": ["/b", "/c"],
        "not_found_filenames": ["/d"],
        "success": True,
    }
    seen = answer_of(json.dumps(document).encode(), ["/a", odd, "/b", "/d", "/e", "/no"], size)
    assert [set(paths) for paths in (seen.loaded, seen.failed, seen.no_key)] == [{"/a", odd}, {"/b"}, {"/d"}]
    assert seen.folders == TOLD.folders


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"plots": [{"filename": "/a"}', RpcFailedError),
        (b"[]", RpcFailedError),
        (b'{"success": false, "error": "no"}', RpcRefusedError),
    ],
)
def test_an_answer_that_is_none_farms_nothing(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        answer_of(body, ["/a"], 10)
