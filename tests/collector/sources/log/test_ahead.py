import threading

import pytest

from chiatea.collector.sources.log.ahead import Ahead


def test_what_was_begun_is_answered_in_order_and_done_in_one_thread_till_it_is_ended() -> None:
    threads: list[threading.Thread] = []

    def work() -> int:
        threads.append(threading.current_thread())
        if len(threads) == 2:
            raise OSError(5, "Input/output error")
        return len(threads)

    ahead = Ahead(work)
    assert ahead.answer() == 1
    ahead.begin()
    with pytest.raises(OSError, match="Input/output error"):
        ahead.answer()
    ahead.begin()
    assert ahead.answer() == 3
    assert not ahead.is_begun
    ahead.end()
    threads[0].join(5)
    assert not threads[0].is_alive()
    assert len(set(threads)) == 1
