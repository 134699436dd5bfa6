"""The ledger against DESIGN.md's own words, said in the simplest way: all events known beforehand, nothing in order."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from chiatea.collector.watchdog.challenges import Challenges, Point

NODES = ("a", "b")


@dataclass(frozen=True)
class Event:
    what: str
    node: str
    point: str
    time: float


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """What happens at a farmer with two harvesters: points mostly one after the other, some of them sent again."""
    now, n_points = 1000.0, 0
    events = []
    steps = st.tuples(
        st.sampled_from(["sent", "sent", "sent", "answer", "answer", "answer late", "connect", "gone", "sent again"]),
        st.sampled_from(NODES),
        # Whole seconds, so that they often come to exactly 25 and 60.
        st.integers(1, 30),
    )
    for what, node, pause in draw(st.lists(steps, max_size=50)):
        now += pause
        if what == "sent":
            n_points += 1
        n = n_points if what in {"sent", "answer"} else draw(st.integers(max(0, n_points - 8), n_points))
        kind = {"answer late": "answer", "sent again": "sent"}.get(what, what)
        events.append(Event(kind, node, f"sp{n}", now))
    return [event for n, event in enumerate(events) if not is_echo(event, events[:n])]


def is_echo(event: Event, before: list[Event]) -> bool:
    """An answer told twice: the two are seconds apart at most, and the ledger takes no notice of the second one."""
    first = [e for e in before if (e.what, e.node, e.point) == ("answer", event.node, event.point)]
    return event.what == "answer" and bool(first) and event.time - first[0].time < 5


def is_connected(node: str, events: list[Event], time: float) -> bool:
    words = [e.what for e in events if e.node == node and e.what in {"connect", "gone", "answer"} and e.time < time]
    return bool(words) and words[-1] != "gone"


def expected(node: str, events: list[Event], end: float) -> tuple[int, int, int, int]:
    """Owed and judged by `end`, answered late, missed, time-outs."""
    sent: dict[str, float] = {}
    for event in events:
        if event.what == "sent":
            sent.setdefault(event.point, event.time)
    answers: dict[str, float] = {}
    signs = []
    for event in events:
        if event.node == node and event.what == "answer":
            signs.append(event.time)
            answers.setdefault(event.point, event.time)
        elif event.node == node and event.what == "gone":
            signs.append(event.time)
    owed = {p: t for p, t in sent.items() if p in answers or is_connected(node, events, t)}
    late = sum(p in answers and answers[p] - t > 25 for p, t in owed.items())
    missed = sum(answers.get(p, float("inf")) - t > 25 for p, t in owed.items())
    # A silence begins with the first point that it owes after it gave a sign, and ends with its next one.
    silences: dict[float, float] = {}
    for point, time in owed.items():
        if is_connected(node, events, time) and answers.get(point, float("inf")) > time:
            next_sign = min((sign for sign in signs if sign > time), default=end)
            silences[next_sign] = min(time, silences.get(next_sign, time))
    timeouts = sum(ended - begun >= 60 for ended, begun in silences.items())
    return len(owed), late, missed, timeouts


@settings(max_examples=200, derandomize=True)
@given(histories(), st.lists(st.floats(0.0, 1500.0), max_size=5))
def test_whatever_happens_the_ledger_agrees_with_the_definition(events: list[Event], looks: list[float]) -> None:
    challenges = Challenges()
    for node in NODES:
        challenges.debt_of(node)
    end = events[-1].time + 100 if events else 1100.0
    looked = [Event("look", "", "", 1000.0 + seconds) for seconds in looks if 1000.0 + seconds < end]
    for event in sorted([*events, *looked], key=lambda event: event.time):
        match event.what:
            case "sent":
                challenges.sent(Point(event.point, "challenge", 0, event.time))
            case "answer":
                challenges.answered(event.node, event.point, event.time)
            case "connect":
                challenges.connected(event.node, event.time)
            case "gone":
                challenges.disconnected(event.node, event.time)
            case "look":
                challenges.pass_time(event.time)
    challenges.pass_time(end)
    for node in NODES:
        debt = challenges.debt_of(node)
        assert not debt.pending
        assert (debt.n_owed, debt.n_late, debt.n_missed, debt.n_timeouts) == expected(node, events, end)
        missed = [entry for entry in challenges.missed.values() if entry.node_id == node]
        assert len(missed) == debt.n_missed
