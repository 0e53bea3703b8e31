"""Experiments: both arms search what was there at one moment, and nobody is misled by looking."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from tests.serve.rollout.kept import PEOPLE, Project, opened_project
from tests.serve.rollout.test_evalues import PLAN
from tests.serve.rollout.test_tried import House, house

from gemel.cli.main import run
from gemel.errors import InvalidInput
from gemel.ledger.verdicts import answer
from gemel.serve.rollout import guard
from gemel.serve.rollout.desk import Wish
from gemel.serve.rollout.evalues import interval
from gemel.serve.rollout.readout import readout

project = pytest.fixture(opened_project)
pytestmark = pytest.mark.usefixtures("seeded")


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5])
def test_an_interval_holds_at_all_times_together(share: float) -> None:
    left_out = 0
    for seed in range(120):
        rng, ones = random.Random(seed), 0
        for n in range(1, 400):
            ones += rng.random() < share
            mixed = math.lgamma(ones + 1) + math.lgamma(n - ones + 1) - math.lgamma(n + 2)
            said = ones * math.log(share) + (n - ones) * math.log1p(-share)
            if mixed - said > math.log(20):
                left_out += 1
                low, high = interval(ones, n, 0.05)
                assert not low <= share <= high, "which is what the two ways say"
                break
    assert left_out <= 12  # 6 are expected at most; 13 or more has a probability of .009


def test_two_that_are_alike_are_not_told_apart_however_often_one_looks() -> None:
    told = 0
    for seed in range(60):
        rng, tally = random.Random(seed), guard.empty(PLAN)
        for i in range(600):
            arm = tally.ours if rng.random() < 0.5 else tally.theirs
            arm.n += 1
            arm.n_decided += 1
            arm.matches += rng.random() < 0.3
            if i % 50 == 49 and readout(PLAN, [tally])[0].says != "not told apart":
                told += 1
                break
    assert told <= 6


def test_what_several_processes_saw_is_read_out_together_and_a_difference_is_told() -> None:
    halves = [guard.empty(PLAN), guard.empty(PLAN)]
    for i in range(600):
        tally = halves[i % 2]
        for arm, every in ((tally.ours, 3), (tally.theirs, 10)):
            arm.judged += 1
            arm.wrong += i // 2 % every == 0
    wrong = next(row for row in readout(PLAN, halves) if row.question == "wrong")
    assert (wrong.candidate.n, wrong.candidate.share) == (600, pytest.approx(1 / 3))
    assert wrong.says == "more" and wrong.low > 0
    assert wrong.candidate.low < 1 / 3 < wrong.candidate.high
    nothing = readout(PLAN, [guard.empty(PLAN)])[0]
    assert (nothing.stable.share, nothing.low, nothing.high) == (None, -1.0, 1.0)


def found(at: House, subject: str, query: Any) -> tuple[str, list[str]]:
    """Who answers a search of a subject, and with what."""
    headers = {"x-gemel-subject": subject}
    reply = at.client.post("/v1/search", json={"query": query, "k": 4}, headers=headers).json()
    return reply["release"], [hit["id"] for hit in reply["hits"]]


def test_both_arms_search_the_galleries_of_one_moment(project: Project) -> None:
    good = project.put(1e-5)
    new = {**PEOPLE[0], "first": "somebody", "last": "new"}
    subjects = [f"account {i}" for i in range(24)]
    with house(project) as at:
        start = {"action": "start", "release": good.id, "experiment": 50, "slow_ms": 5000}
        begun = at.client.post("/v1/rollout", json=start).json()
        assert (begun["mode"], begun["share"], begun["steps"]) == ("experiment", 0.5, 1)
        at.look()
        before = {subject: found(at, subject, new) for subject in subjects}
        assert {release for release, _ in before.values()} == {good.id, project.stable.id}
        body = {"records": [{"id": "late", "payload": new}]}
        assert at.client.post("/v1/records", json=body).json()["added"] == 1
        assert at.client.get("/v1/records/late").status_code == 200
        assert {subject: found(at, subject, new) for subject in subjects} == before
        gone = before[subjects[0]][1][0]
        at.client.delete(f"/v1/records/{gone}")
        after = [found(at, subject, new) for subject in subjects]
        assert all(gone not in ids and len(ids) == 4 for _, ids in after), "erased is erased"
        at.look()
        assert project.desk.state().positions.keys() == {good.space_id, project.stable.space_id}
        at.client.post("/v1/rollout", json={"action": "abort", "reason": "read out"})
        at.look()
        assert found(at, subjects[0], new)[1][0] == "late"
    with house(project) as at:
        at.client.post("/v1/rollout", json=start)
        at.look()
        assert found(at, "x", new)[1][0] == "late"
        positions = project.desk.state().positions
    with house(project) as at:  # another process, or the same after a restart
        body = {"records": [{"id": "later", "payload": new}]}
        assert at.client.post("/v1/records", json=body).json()["added"] == 1
        at.look()
        assert project.desk.state().positions == positions
        assert all("later" not in found(at, subject, new)[1] for subject in subjects)


def test_an_experiment_ends_by_hand_and_says_how_the_two_differ(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = project.put(1.0)
    monkeypatch.chdir(project.folder)
    with pytest.raises(InvalidInput, match="per cent"):
        Wish(release=bad.id, experiment=100).check()
    with house(project) as at:
        words = (bad.short_id, "--experiment", "50", "--slow-ms", "5000")
        assert run(["rollout", "start", *words]) == 0
        at.look()
        for i in range(200):
            said = at.verify(2 * i % 200, f"account {i}").json()
            if said["outcome"] == "match":
                answer(at.service.ledger, said["decision_id"], True, reviewer="ann")
        at.compared(200)
        reply = at.told()
        assert reply["status"] == "running", "that they decide differently ends nothing"
        assert "flips" not in {reading["question"] for reading in reply["readings"]}
        differ = reply["differ"]
        assert differ["n"] > 5 and differ["low"] < differ["share"] <= differ["high"]
        assert differ["share"] > 0.5
        rows = {row["question"]: row for row in reply["readout"]}
        stable, candidate = (rows["matches"][arm] for arm in ("stable", "candidate"))
        assert stable["n"] + candidate["n"] == 200 and min(stable["n"], candidate["n"]) > 60
        assert stable["low"] < stable["share"] < stable["high"]
        assert rows["matches"]["says"] == "fewer", "the candidate sees nobody as one"
        assert rows["wrong"]["stable"]["n"] > 10 and rows["wrong"]["says"] == "not told apart"
        capsys.readouterr()
        assert run(["rollout", "status"]) == 0
        shown = capsys.readouterr().out
        assert "experiment" in shown and "fewer" in shown and "not told apart" in shown
        assert run(["rollout", "abort"]) == 0
        at.look()
        assert at.service.arms.trial is None and project.store.pointer("canary") is None
    assert at.service.pick().release.id == project.stable.id
