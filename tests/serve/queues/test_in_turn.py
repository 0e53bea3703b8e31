from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from gemel.errors import DeadlineExceeded
from gemel.serve.queues.in_turn import InTurn


class Desk:
    """Requests that take turns, each until it is told to end; remembers who had one."""

    def __init__(self, timeout_s: float = 10.0) -> None:
        self.in_turn = InTurn(timeout_s)
        self.had: list[str] = []
        self.n_inside = 0
        self.ends: dict[str, asyncio.Event] = {}

    async def come(self, name: str, weight: int = 1) -> None:
        self.ends[name] = asyncio.Event()
        async with self.in_turn.turn(name[0], weight):
            self.had.append(name)
            self.n_inside += 1
            assert self.n_inside == 1
            try:
                await self.ends[name].wait()
            finally:
                self.n_inside -= 1

    async def all_come(self, *names: str) -> dict[str, asyncio.Task[None]]:
        """Tasks of those, in this order."""
        tasks = {name: asyncio.create_task(self.come(name)) for name in names}
        await asyncio.sleep(0)
        return tasks

    async def end(self, tasks: dict[str, asyncio.Task[None]]) -> None:
        """Whoever has the turn ends, until all did."""
        while self.n_inside:
            name = self.had[-1]
            self.ends[name].set()
            await tasks[name]
            await asyncio.sleep(0)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 20))


def test_one_has_the_turn_and_owners_alternate() -> None:
    async def story() -> None:
        desk = Desk()
        tasks = await desk.all_come("a1", "a2", "a3", "a4", "b1", "b2")
        await desk.end(tasks)
        assert desk.had == ["a1", "a2", "b1", "a3", "b2", "a4"]

    run(story())


def test_who_goes_away_while_it_waits_keeps_nobody_waiting() -> None:
    async def story() -> None:
        desk = Desk()
        tasks = await desk.all_come("a1", "a2", "a3")
        tasks.pop("a2").cancel()
        await desk.end(tasks)
        assert desk.had == ["a1", "a3"]

    run(story())


def test_who_goes_away_as_its_turn_comes_passes_it_on() -> None:
    async def story() -> None:
        desk = Desk()
        async with desk.in_turn.turn("a", 1):
            tasks = await desk.all_come("a2", "a3")
        tasks.pop("a2").cancel()  # the turn is its own, and it has not gone on yet
        for _ in range(3):
            await asyncio.sleep(0)
        await desk.end(tasks)
        assert desk.had == ["a3"]

    run(story())


@pytest.mark.parametrize("order", [("a1", "a2", "b3"), ("b3", "a2", "a1"), ("a2", "a1", "b3")])
def test_all_who_go_away_at_once_leave_the_turn_to_who_comes(order: tuple[str, ...]) -> None:
    async def story() -> None:
        desk = Desk(timeout_s=1.0)
        tasks = await desk.all_come("a1", "a2", "b3", "a4")
        for name in order:
            tasks[name].cancel()
        gone = await asyncio.gather(*(tasks[name] for name in order), return_exceptions=True)
        assert [type(one) for one in gone] == [asyncio.CancelledError] * 3
        await asyncio.sleep(0)
        assert desk.had == ["a1", "a4"], "who waited has the turn"
        desk.ends["a4"].set()
        await tasks["a4"]
        async with desk.in_turn.turn("c", 1):
            pass

    run(story())


def test_an_error_gives_the_turn_back() -> None:
    async def story() -> None:
        in_turn = InTurn(1.0)
        with pytest.raises(KeyError):
            async with in_turn.turn("a", 1):
                raise KeyError
        async with in_turn.turn("a", 1):
            pass

    run(story())


def test_who_waits_too_long_is_told_and_the_others_go_on() -> None:
    async def story() -> None:
        desk = Desk(timeout_s=0.05)
        tasks = await desk.all_come("a1", "a2")
        with pytest.raises(DeadlineExceeded, match="other long requests"):
            await tasks.pop("a2")
        assert desk.had == ["a1"]
        await desk.end(tasks)
        tasks = await desk.all_come("a5")
        await desk.end(tasks)
        assert desk.had == ["a1", "a5"]

    run(story())
