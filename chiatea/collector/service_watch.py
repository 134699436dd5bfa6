"""One Chia service's RPC: asked at its pace, left alone for longer while it fails."""

import asyncio
from collections.abc import Callable
from typing import Final

from chiatea.chia.place import ChiaPlace, one_line
from chiatea.chia.rpc import NoServiceError, RpcFailedError
from chiatea.collector.observations import Observation, ServiceStopping
from chiatea.collector.source_health import BackOff, SourceHealth
from chiatea.collector.sources.rpc_rounds import Rounds

__all__ = ["ServiceWatch"]

_ASK_EVERY: Final = 5.0
_ASK_FAILED_AT_MOST_EVERY: Final = 30.0


class ServiceWatch:
    """Runs one service's rounds in the background, one at a time."""

    def __init__(self, rounds: Rounds, take: Callable[[Observation], None], clock: Callable[[], float]) -> None:
        """`take` is called with each observation."""
        self.rounds = rounds
        self.health = SourceHealth(f"{rounds.service.replace('_', ' ')} rpc", clock)
        self._take = take
        self._clock = clock
        self._back_off = BackOff(_ASK_EVERY, _ASK_FAILED_AT_MOST_EVERY)
        self._task: asyncio.Task[None] | None = None
        self._next_time = float("-inf")
        self._is_up = False

    def begin_if_due(self, place: ChiaPlace | None, now: float) -> asyncio.Task[None] | None:
        """Begins a round if one is due; gives the one that is under way."""
        if self._task is not None and not self._task.done():
            return self._task
        if place is None:
            self.health.absent()
            return None
        # A next time further off than any pause means that the clock was set back.
        if now < self._next_time <= now + _ASK_FAILED_AT_MOST_EVERY:
            return None
        self._task = asyncio.create_task(self._round(place))
        return self._task

    async def _round(self, place: ChiaPlace) -> None:
        self.health.located(place.address(self.rounds.service))
        try:
            observations = await self.rounds.round(place)
            for observation in observations:
                self._take(observation)
        except NoServiceError as error:
            if self._is_up:
                self._take(ServiceStopping(self._clock(), self.rounds.service))
            self.health.absent(str(error))
            self._went()
        except RpcFailedError as error:
            self.health.failed(str(error))
            self._went()
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # An answer of a shape that nobody foresaw is the source's fault, and no reason to stop watching.
            self.health.failed(f"a strange answer: {type(error).__name__}: {one_line(error)}")
            self._went()
        else:
            self._is_up = True
            self.health.succeeded(n_understood=len(observations))
            self._back_off.succeeded()
            self._next_time = self._clock() + _ASK_EVERY

    def _went(self) -> None:
        if self._is_up:
            self.rounds.lost()
        self._is_up = False
        self._next_time = self._clock() + self._back_off.failed()

    async def close(self) -> None:
        """Ends what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.rounds.client.close()
