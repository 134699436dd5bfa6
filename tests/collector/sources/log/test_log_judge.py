import pytest

from chiatea.collector.observations import Complaint, Observation
from chiatea.collector.sources.log.log_judge import LineJudge, Verdict
from chiatea.collector.sources.log.log_samples import Samples, form_of
from chiatea.protobuf.chia_pb2 import ChiaNotice

START = "2026-01-01T10:00:00.000 2.7.5 "
INFO = START + "harvester chia.plotting.cache: INFO     Loaded 5 bytes of cached data"
ERROR = START + "harvester chia.harvester.harvester: ERROR    Unknown error: x"
LOOKUP = START + "harvester chia.harvester.harvester: INFO     2 plots were eligible for farming 37c5941d80... "
LOOKUP += "Found 1 proofs. Time: 0.02732 s. Total 42 plots"
TRACEBACK = (
    "Traceback (most recent call last):",
    '  File "/opt/chia/manager.py", line 331, in process_file',
    "    prover = get_prover(path)",
    "             ^^^^^^^^^^^^^^^^",
    "ValueError: 5 is too much",
    "",
    "During handling of the above exception, another exception occurred:",
    "",
    "Traceback (most recent call last):",
    "RuntimeError",
)


def verdicts(*lines: str) -> list[str]:
    judge = LineJudge()
    return [judge.judge(line, 1.0).verdict.value for line in lines]


def observation(line: str) -> Observation | None:
    return LineJudge().judge(line, 1.0).observation


def test_a_traceback_belongs_to_the_line_above_it() -> None:
    assert verdicts(ERROR, *TRACEBACK, INFO) == ["told", *["continued"] * len(TRACEBACK), "known"]


def test_indented_lines_of_a_message_belong_to_it() -> None:
    coin = START + "wallet chia.wallet.wallet_state_manager: INFO     Adding coin: {'amount': 5,"
    assert verdicts(coin, " 'parent_coin_info': '0x33',", " 'puzzle_hash': '0x11'} at 42") == [
        "told",
        "continued",
        "continued",
    ]


@pytest.mark.parametrize(
    "form",
    [
        "{0} 2.9.0|harvester|INFO|2 plots looked up",
        "harvester says at {0}: INFO 2 plots looked up",
        "harvester: 2 plots looked up",
        '{{"time": "{0}", "level": "INFO", "message": "2 plots looked up"}}',
        "  {0} harvester INFO 2 plots looked up",
    ],
)
def test_a_log_of_another_form_is_not_understood_line_by_line(form: str) -> None:
    lines = [form.format(f"2027-01-01T10:00:0{n}.000") for n in range(9)]
    assert verdicts(*lines) == ["not understood"] * 9
    assert verdicts(INFO, *lines) == ["known", *["not understood"] * 9]


def test_lines_of_another_form_do_not_hide_behind_an_error_of_the_known_form() -> None:
    other = "2027-01-01T10:00:00.000 2.9.0|harvester|INFO|2 plots looked up"
    assert verdicts(ERROR, other, TRACEBACK[0], TRACEBACK[1], other) == [
        "told",
        "not understood",
        "continued",
        "continued",
        "not understood",
    ]


def test_what_follows_an_error_without_end_is_not_part_of_it() -> None:
    found = verdicts(ERROR, *["a word"] * 600)
    assert found.count("continued") == 500
    assert found[-1] == "not understood"
    indented = verdicts(INFO, *[" a word"] * 600)
    assert indented.count("continued") == 500


def test_a_judge_goes_on_where_another_one_stopped() -> None:
    first = LineJudge()
    first.judge(ERROR, 1.0)
    first.judge(TRACEBACK[0], 1.0)
    second = LineJudge(first.n_may_follow, first.n_indented)
    assert second.judge(TRACEBACK[1], 1.0).verdict is Verdict.CONTINUED
    assert second.judge(TRACEBACK[4], 1.0).verdict is Verdict.CONTINUED


def test_columns_that_are_no_time_are_not_understood() -> None:
    assert verdicts(INFO.replace("T10:", "T29:")) == ["not understood"]


@pytest.mark.parametrize(
    ("line", "kind", "text"),
    [
        (
            "full_node chia.full_node.full_node: WARNING  Block validation: 3.20s, pre_validation: 0.1s",
            ChiaNotice.NODE_WARNING,
            "Block validation: 3.20s, pre_validation: 0.1s",
        ),
        (
            "full_node chia.full_node.full_node: WARNING  Dropping farmed unfinished block as it would be infused",
            ChiaNotice.NODE_WARNING,
            "Dropping farmed unfinished block as it would be infused",
        ),
        (
            "farmer chia.farmer.farmer         : ERROR    Error sending partial to https://pool.example, 502",
            ChiaNotice.PARTIAL_FAILED,
            "Error sending partial to https://pool.example, 502",
        ),
        (
            "harvester chia.plotting.util     : WARNING  Directory: /mnt/a does not exist.",
            ChiaNotice.SERVICE_ERROR,
            "Directory: /mnt/a does not exist.",
        ),
        (
            "daemon chia.daemon.server : ERROR    Error while handling message: Traceback (most recent call last):",
            ChiaNotice.SERVICE_ERROR,
            "Error while handling message:",
        ),
    ],
)
def test_known_warnings_and_errors_are_complaints(line: str, kind: "ChiaNotice.Kind.ValueType", text: str) -> None:
    assert verdicts(START + line) == ["told"]
    told = observation(START + line)
    assert isinstance(told, Complaint)
    assert (told.kind, told.service, told.text) == (kind, line.split(maxsplit=1)[0], text)


def test_an_unknown_error_is_a_complaint_and_not_understood() -> None:
    line = START + "harvester chia.harvester.new: ERROR    The disk melted"
    assert verdicts(line) == ["not understood"]
    assert observation(line) == Complaint(
        1767261600.0 - _offset(), ChiaNotice.SERVICE_ERROR, "harvester", "The disk melted"
    )


def _offset() -> float:
    """Seconds that this machine's zone is ahead of UTC at the lines' time."""
    told = LineJudge().judge(INFO, 1.0).time
    assert told is not None
    return 1767261600.0 - told


def test_warnings_about_strangers_are_known_and_no_complaint() -> None:
    line = START + "full_node full_node_server    : WARNING  Banning 1.2.3.4 for 10 seconds"
    assert (verdicts(line), observation(line)) == (["known"], None)


def test_lines_that_say_the_same_have_one_form_and_one_sample() -> None:
    first = "2026-01-01T10:00:00.000 farmer x: INFO a new thing 5 of /mnt/a/b.plot 0xabcdef0123456789"
    second = "2027-02-03T11:12:13.456 farmer x: INFO a new thing 77 of /mnt/c/d.plot 0xfedcba9876543210"
    assert form_of(first) == form_of(second)
    samples = Samples()
    for line in (first, "another\x1b[31m one\x07", second):
        samples.add(line)
    assert samples.all() == ["another one ", second]
    for n in range(9):
        samples.add("x" * 300 + " " + "y" * n)
        samples.add(f"thing{'z' * n} " + "x" * 300)
    assert len(samples.all()) == 5
    assert all(len(sample) <= 200 and sample.isprintable() for sample in samples.all())
