"""Long requests one after the other, so that a short one meets one of them at most.

All are done in parts, between which others go. Two of them in parts at the same time would both
end as late as the second one does alone, and hold up everybody else twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gemel.errors import DeadlineExceeded
from gemel.serve.queues.turns import Turns


@dataclass(eq=False, slots=True)
class _Waiter:
    owner: str
    weight: int
    turn: asyncio.Future[None]
    is_out: bool = False


class InTurn:
    """One at a time; owners take turns. Of one event loop.

    Args:
        timeout_s: that one waits for its turn, at most.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._turns: Turns[_Waiter] = Turns()
        self._is_taken = False

    @asynccontextmanager
    async def turn(self, owner: str, weight: int) -> AsyncIterator[None]:
        """Wait for the turn; it lasts as long as the block.

        Args:
            owner: whose request it is.
            weight: items of it.
        Raises:
            DeadlineExceeded: it waited too long.
        """
        if self._is_taken:
            await self._wait(_Waiter(owner, weight, asyncio.get_running_loop().create_future()))
        self._is_taken = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, waiter: _Waiter) -> None:
        self._turns.put(waiter)
        try:
            async with asyncio.timeout(self._timeout_s):
                await waiter.turn
        except BaseException as e:
            if waiter.turn.cancelled():
                if not waiter.is_out:
                    self._turns.drop(waiter)
            else:  # its turn came as it went
                self._pass_on()
            if isinstance(e, TimeoutError):
                what = f"other long requests took all of {self._timeout_s:g} s"
                raise DeadlineExceeded(what, hint="try again later, or send fewer items") from e
            raise

    def _pass_on(self) -> None:
        """Give the turn to who is next; to whoever comes, if nobody waits."""
        while waiter := self._turns.take(self._turns.weight):
            if not waiter.turn.done():  # else it has gone, and does not know it yet
                waiter.turn.set_result(None)
                return
            waiter.is_out = True
        self._is_taken = False
