from __future__ import annotations

import math
import random
from typing import Literal

import msgspec
import pytest

from gemel.serve.rollout import guard
from gemel.serve.rollout.evalues import Falls, Share, ln_one_sided, more
from gemel.serve.rollout.paired import difference
from gemel.serve.rollout.plan import Plan, State, Tally
from gemel.serve.rollout.watch import Watch
from gemel.serve.wire.searches import HitReply, SearchReply

Found = Literal["same", "less", "more", "another"]
PLAN = Plan(
    id="r",
    release="b" * 64,
    stable="a" * 64,
    mode="canary",
    steps=(0.05, 0.25, 0.5),
    alpha=0.05,
    max_flips=0.03,
    slow_ms=50,
    least=50,
    actor="test",
    time="2026-01-01",
)
N_ROLLOUTS = 300


def test_the_mixture_is_what_is_published() -> None:
    assert math.exp(ln_one_sided(30, 14, 0.5)) == pytest.approx(6.7468, abs=1e-3)
    assert ln_one_sided(0, 0, 0.05) == pytest.approx(0)
    assert Falls(0.5, 30, 14).ln_less(1.0) == pytest.approx(ln_one_sided(14, 30, 0.5))
    # Twice as often on one of two halves: two thirds of all events.
    assert Falls(0.5, 30, 14).ln_less(2.0) == pytest.approx(ln_one_sided(14, 30, 1 / 3))


@pytest.mark.parametrize("limit", [0.01, 0.05, 0.3])
def test_looking_after_every_event_alarms_no_more_often_than_stated(limit: float) -> None:
    alarms = 0
    for seed in range(100):
        rng, share = random.Random(seed), Share(limit, 0.05)
        for _ in range(1000):
            share.add(float(rng.random() < limit))
            if share.ln_more >= math.log(20):
                alarms += 1
                break
    assert alarms <= 10  # 5 are expected at most; 11 or more has a probability of .011


def test_twice_the_limit_is_seen_after_about_a_thousand_events() -> None:
    took = []
    for seed in range(20):
        rng, share = random.Random(seed), Share(0.01, 0.05)
        while share.ln_more < math.log(20):
            share.add(float(rng.random() < 0.02))
        took.append(share.n)
    assert 500 < sorted(took)[10] < 2000


def test_what_is_missing_is_guessed_from_what_was_seen() -> None:
    assert more(2.0, 100, 4.0) == 100
    assert more(4.0, 100, 4.0) == 0
    assert more(-1.0, 100, 4.0) is None


def step_of(rng: random.Random, tally: Tally, step: int, n: int, rates: dict[str, float]) -> None:
    """n subjects at one step of a rollout whose candidate flips and fails this often."""
    for _ in range(n):
        ours = rng.random() < PLAN.steps[step]
        failed, slow = rng.random() < rates["failed"], rng.random() < rates["slow"]
        if ours:
            failed = failed or rng.random() < rates["fails_more"]
            tally.answers[step] += 1
            tally.errors.add(float(failed))
            tally.slow.add(float(slow))
        for happened, falls in ((failed, tally.error_falls), (slow, tally.slow_falls)):
            if happened and ours:
                falls[step].ours += 1
            elif happened:
                falls[step].theirs += 1
        tally.flips.add(float(rng.random() < rates["flips"]))


def rolled_out(seed: int, **rates: float) -> tuple[str, State]:
    """Verdict and state of a simulated rollout that is judged after every few requests."""
    rng, state = random.Random(seed), State(plan=PLAN, moved="")
    tally = guard.empty(PLAN)
    usual = {"flips": PLAN.max_flips, "failed": 0.02, "slow": 0.05, "fails_more": 0.0} | rates
    for _ in range(16):
        step_of(rng, tally, state.step, 50, usual)
        state = msgspec.structs.replace(state, tallies={"me": tally})
        verdict = guard.judge(state)
        if verdict.verdict == "worse":
            return verdict.reasons[0], state
        if verdict.verdict == "not worse" and state.step < 2:
            state = msgspec.structs.replace(state, step=state.step + 1)
    return verdict.verdict, state


def test_healthy_rollouts_are_rolled_back_no_more_often_than_stated() -> None:
    """At the edge of what is allowed: as many flips as may be, errors and times like stable's."""
    ends = [rolled_out(seed)[0] for seed in range(N_ROLLOUTS)]
    rolled_back = sum(end not in ("need more", "not worse") for end in ends)
    assert rolled_back <= PLAN.alpha * N_ROLLOUTS


def test_alpha_is_shared_by_the_questions_and_by_two_looks_at_one() -> None:
    tally = guard.empty(PLAN)
    state = State(plan=PLAN, moved="", tallies={"me": tally})
    before = 0.0
    while (judged := guard.judge(state)).verdict != "worse":
        before = judged.readings[0].e_worse
        tally.flips.add(1.0)
    needed = len(guard.QUESTIONS) / PLAN.alpha
    assert before < needed <= judged.readings[0].e_worse
    for _ in range(50):
        tally.errors.add(0.0)
    falls = tally.error_falls[0]
    falls.ours, falls.theirs = 1, 200
    looks = math.exp(tally.errors.ln_less), math.exp(falls.ln_less(guard.TWICE))
    assert guard.judge(state).readings[1].e_fine == pytest.approx(max(looks) / 2)


def test_a_bad_candidate_is_seen_within_what_is_predicted() -> None:
    for seed in range(10):
        reason, state = rolled_out(seed, flips=0.3)
        assert "differ" in reason
        assert state.tallies["me"].flips.n <= 100
        reason, state = rolled_out(seed, fails_more=0.5, flips=0.0)
        assert "errors of the service" in reason


def test_a_good_candidate_goes_through_all_steps() -> None:
    verdict, state = rolled_out(1, flips=0.0, failed=0.0, slow=0.0)
    assert (verdict, state.step) == ("need more", 0), "a twentieth of 800 is not enough"
    tally = guard.empty(PLAN)
    for step in range(3):
        rates = {"flips": 0.0, "failed": 0.0, "slow": 0.0, "fails_more": 0.0}
        step_of(random.Random(step), tally, step, 20_000 if step == 0 else 1000, rates)
        judged = guard.judge(State(plan=PLAN, moved="", step=step, tallies={"me": tally}))
        assert (judged.verdict, judged.needs) == ("not worse", 0)


def test_no_traffic_needs_more_whatever_the_step() -> None:
    nothing = State(plan=PLAN, moved="", tallies={"me": guard.empty(PLAN)})
    for state in (State(plan=PLAN, moved=""), nothing):
        verdict = guard.judge(state)
        assert (verdict.verdict, verdict.needs) == ("need more", PLAN.least)


def test_what_several_processes_saw_counts_together() -> None:
    halves = [guard.empty(PLAN), guard.empty(PLAN)]
    for i in range(12):
        halves[i % 2].flips.add(1.0)
    alone = guard.judge(State(plan=PLAN, moved="", tallies={"a": halves[0]}))
    both = guard.judge(State(plan=PLAN, moved="", tallies=dict(zip("ab", halves, strict=True))))
    e_alone, e_both = alone.readings[0].e_worse, both.readings[0].e_worse
    assert 2 * e_both == pytest.approx((2 * e_alone) ** 2, rel=1e-6)


def searched(seed: int, n: int, found: dict[Found, float]) -> guard.Reading:
    """What is said of flips after n searches; both find the same, or what only one finds."""
    rng, watch = random.Random(seed), Watch(PLAN)
    hit = HitReply("a", 1.0, 0.9, "match", 0.5, "r", 1, {})
    other = msgspec.structs.replace(hit, id="b")
    replies = {True: SearchReply([hit], "r", "s", None), False: SearchReply([], "r", "s", None)}
    another = SearchReply([other], "r", "s", None)
    for key in range(n):
        (kind,) = rng.choices([*found], [*found.values()])
        stable, candidate = replies[kind != "more"], replies[kind in ("more", "same")]
        reply = another if kind == "another" else candidate
        watch.compared(key, difference(stable, reply), failed=False)
    state = State(plan=PLAN, moved="", tallies={"me": watch.tally()})
    return guard.judge(state).readings[0]


def test_searches_that_differ_are_worse_only_if_the_same_one_misses_more() -> None:
    """Any two encoders find other strangers: 40 % differ of what one of both finds."""
    alike: dict[Found, float] = {"same": 0.6, "less": 0.2, "more": 0.2}
    ends = [searched(seed, 1000, alike).verdict for seed in range(20)]
    assert ends.count("need more") == 20, "and it is not called good either"
    bad: list[dict[Found, float]] = [
        {"same": 0.6, "less": 0.4}, {"same": 0.6, "more": 0.4}, {"another": 1.0}
    ]  # fmt: skip
    for worse in bad:
        reading = searched(1, 200, worse)
        assert reading.verdict == "worse"
        assert reading.misses is not None and 0 in reading.misses
    assert searched(1, 400, {"same": 0.99, "less": 0.01}).verdict == "not worse"
