from chiatea.collector.observations import Complaint
from chiatea.collector.watchdog.complaints import Complaints
from chiatea.collector.watchdog.notices import KEPT_NOTICES, Notices
from chiatea.protobuf.chia_pb2 import ChiaNotice

HOUR = 3600.0 * 400_000


def complaint(time: float, text: str, service: str = "full_node") -> Complaint:
    return Complaint(time, ChiaNotice.NODE_WARNING, service, text)


def counts(notices: Notices) -> dict[str, int]:
    return {notice.text: notice.count for notice in notices.all().values()}


def test_a_text_is_one_notice_an_hour_with_how_often_it_came() -> None:
    notices = Notices()
    complaints = Complaints(notices)
    for n in range(3000):
        complaints.take(complaint(HOUR + n, f"Block validation: {n}.5s, height: {n}"))
    assert len(notices.all()) == 1
    assert next(iter(counts(notices).values())) == 1, "a count that goes up is told by and by"
    complaints.pass_time(HOUR + 3000)
    assert counts(notices) == {"Block validation: 2999.5s, height: 2999": 3000}
    complaints.take(complaint(HOUR + 3600, "Block validation: 1.5s, height: 7"))
    assert len(notices.all()) == 2


def test_a_count_is_told_every_five_minutes_at_most_and_a_notice_is_never_changed_in_place() -> None:
    notices = Notices()
    complaints = Complaints(notices)
    complaints.take(complaint(HOUR, "slow 1"))
    first = next(iter(notices.all().values()))
    complaints.take(complaint(HOUR + 1, "slow 2"))
    complaints.pass_time(HOUR + 2)
    complaints.take(complaint(HOUR + 3, "slow 3"))
    complaints.pass_time(HOUR + 200)
    assert (first.count, counts(notices)) == (1, {"slow 2": 2})
    complaints.pass_time(HOUR + 400)
    assert counts(notices) == {"slow 3": 3}


def test_a_log_that_is_read_again_counts_nothing_twice() -> None:
    notices = Notices()
    told = [complaint(HOUR + n, f"slow {n}") for n in range(5)]
    for _ in range(2):
        complaints = Complaints(notices)
        for one in told:
            complaints.take(one)
        complaints.pass_time(HOUR + 1000)
    assert counts(notices) == {"slow 4": 5}


def test_a_node_that_complains_in_ever_new_words_makes_few_notices() -> None:
    notices = Notices()
    complaints = Complaints(notices)
    for n in range(500):
        words = f"word{'x' * n}"
        complaints.take(complaint(HOUR + n, words))
    complaints.pass_time(HOUR + 1000)
    assert len(notices.all()) == 11
    assert sum(counts(notices).values()) == 500


def notice(kind: "ChiaNotice.Kind.ValueType", number: int) -> ChiaNotice:
    return ChiaNotice(id=f"{kind}/{number}", kind=kind, time=float(number))


def test_proofs_of_a_pool_farm_push_out_no_other_notice() -> None:
    notices = Notices()
    assert notices.add(notice(ChiaNotice.BLOCK_FARMED, 1))
    assert notices.add(notice(ChiaNotice.PLOT_ERROR, 1))
    for number in range(5000):
        notices.add(notice(ChiaNotice.PROOF_FOUND, number))
    kinds = [kept.kind for kept in notices.all().values()]
    assert {ChiaNotice.BLOCK_FARMED, ChiaNotice.PLOT_ERROR} < set(kinds)
    assert kinds.count(ChiaNotice.PROOF_FOUND) == 40
    assert max(kept.time for kept in notices.all().values()) == 4999


def test_the_notices_are_bounded_whatever_comes() -> None:
    notices = Notices()
    for kind in ChiaNotice.Kind.values():
        for number in range(300):
            notices.add(notice(kind, number))
    assert len(notices.all()) == KEPT_NOTICES


def test_what_gave_way_to_newer_notices_is_not_new_again() -> None:
    notices = Notices()
    thousand = [notice(ChiaNotice.PLOT_ERROR, number) for number in range(1000)]
    assert sum(notices.add(one) for one in thousand) == 1000
    before = notices.all()
    for one in thousand:
        again = ChiaNotice(id=one.id, kind=one.kind, time=one.time + 1000)
        assert not notices.add(again)
    assert notices.all() == before
