import threading
from collections.abc import Awaitable, Callable

import pytest

from chiatea.question import Question, UnansweredError


async def test_a_late_answer_is_not_lost(until: Callable[[Callable[[], bool]], Awaitable[None]]) -> None:
    release = threading.Event()

    def ask() -> str:
        release.wait(20)
        return "told"

    question = Question(ask)
    with pytest.raises(UnansweredError):
        await question.answer(0.01)
    with pytest.raises(UnansweredError):
        await question.answer(10)
    release.set()
    await until(lambda: not question.is_unanswered)
    assert await question.answer(10) == "told"
