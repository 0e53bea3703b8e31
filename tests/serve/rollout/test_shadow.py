"""The shadow asks what was asked, in moments in which nobody is answered, and hides nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from tests.serve.small import ROWS

from gemel.release.release import Release
from gemel.serve.live import Live
from gemel.serve.rollout import shadow as shadows
from gemel.serve.rollout.plan import Plan
from gemel.serve.rollout.shadow import MAX_WAITING, Pair, Shadow
from gemel.serve.rollout.watch import Watch
from gemel.serve.service import Service
from gemel.serve.steps import run
from gemel.serve.verbs.batches import verify_batch
from gemel.serve.verbs.verify import verify
from gemel.serve.wire.pairs import VerifyBatchBody, VerifyBody
from gemel.telemetry import Metrics

WORDS = ("compared", "failed", "dropped")
BODY = VerifyBatchBody([VerifyBody(a, b) for a in ROWS for b in ROWS])
PLAN = Plan(
    id="tried", release="a", stable="b", mode="shadow", steps=(0.1,), alpha=0.05, max_flips=0.1,
    slow_ms=50.0, least=100, actor="test", time="",
)  # fmt: skip


@pytest.fixture
def made(release: Release) -> Any:
    """A shadow that can be told whether somebody is answered, and what it counted."""
    service, watch, counter = Service(release), Watch(PLAN), Metrics().counter
    busy = threading.Event()
    counts = {word: counter("gemel_shadow_total", word) for word in WORDS}

    def pair(key: int, body: Any = BODY, verb: Any = verify_batch) -> Pair:
        live: Live = service.pick()
        reply = service.ask(verb, body) if key else None
        return Pair(live, key, is_ours=False, verb=verb, body=body, reply=reply)

    def counted() -> dict[str, int]:
        return {word: int(one._value.get()) for word, one in counts.items()}

    shadow = Shadow(watch, counts, busy.is_set)
    yield SimpleNamespace(shadow=shadow, watch=watch, busy=busy, pair=pair, counted=counted)
    busy.clear()
    shadow.stop()


def until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_in_parts_it_finds_what_was_replied(made: Any) -> None:
    views = VerifyBody(ROWS[:3], ROWS[:3])
    made.shadow.offer(made.pair(1, views, verify))
    made.shadow.offer(made.pair(2))
    until(lambda: made.counted()["compared"] == 2)
    tally = made.watch.tally()
    assert (tally.errors.n, tally.n_shift) == (2, 1)
    assert tally.shift == pytest.approx(0, abs=1e-6)


def test_no_part_takes_more_items_than_others_wait_for(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_items, asked = [], made.pair(1)

    def noted(tasks: Any) -> Any:
        n_items.extend(len(task.step.items) for task in tasks)
        return run(tasks)

    monkeypatch.setattr("gemel.serve.steps.run", noted)
    made.shadow.offer(asked)
    until(lambda: made.counted()["compared"] == 1)
    assert max(n_items) == shadows.PART and sum(n_items) == 2 * len(BODY.pairs)


def test_it_begins_nothing_while_somebody_is_answered(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadows, "WAIT_SECONDS", 60.0)
    looked = threading.Semaphore(0)
    is_set = made.busy.is_set

    def told() -> bool:
        looked.release()
        return bool(is_set())

    made.shadow._are_busy = told
    made.busy.set()
    made.shadow.offer(made.pair(1))
    for _ in range(5):
        assert looked.acquire(timeout=10)
    assert not any(made.counted().values())
    made.busy.clear()
    until(lambda: made.counted()["compared"] == 1)


def test_where_somebody_is_always_answered_it_goes_on_slowly(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadows, "WAIT_SECONDS", 0.01)
    made.busy.set()
    made.shadow.offer(made.pair(1))
    until(lambda: made.counted()["compared"] == 1)


def test_all_that_was_offered_is_counted(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadows, "WAIT_SECONDS", 60.0)
    made.shadow.offer(made.pair(0, VerifyBatchBody([VerifyBody({"frist": "x"}, ROWS[0])])))
    until(lambda: made.counted()["failed"] == 1)
    made.busy.set()
    for i in range(1, 2 * MAX_WAITING):
        made.shadow.offer(made.pair(i))
    assert made.counted()["dropped"] in (MAX_WAITING - 1, MAX_WAITING - 2)
    made.shadow.stop()
    assert made.counted() == {"compared": 0, "failed": 1, "dropped": 2 * MAX_WAITING - 1}
    assert made.watch.tally().dropped == 2 * MAX_WAITING - 1
