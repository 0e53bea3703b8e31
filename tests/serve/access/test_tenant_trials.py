"""While a release is tried, a tenant is answered from its own place, and its shadow sees none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.serve import small
from tests.serve.access.test_tenants import (
    OURS,
    SERVICE,
    THEIRS,
    Town,
    asked,
    others,
    town,
)

from gemel.gallery.local.gallery import LocalGallery
from gemel.release.release import Release
from gemel.serve.class_index import Classes
from gemel.serve.http.door import GALLERY
from gemel.serve.http.routes.call import Route
from gemel.serve.http.routes.table import TABLE
from gemel.serve.live import Live
from gemel.serve.rollout.arms import Trial
from gemel.serve.rollout.plan import Plan
from gemel.serve.rollout.shadow import Shadow
from gemel.serve.rollout.watch import Watch
from gemel.telemetry import Metrics

__all__ = ["town"]
SHARES = {"shadow": 0.0, "canary": 1 - 1e-12, "experiment": 1 - 1e-12}
TRIED = [route for route in TABLE if route.is_tried]


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder: Path = tmp_path_factory.mktemp("candidate")
    return small.release(folder / "release", threshold=0.99, review=0.2)


@contextmanager
def trial(town: Town, candidate: Release, mode: Any) -> Iterator[dict[str, Any]]:
    """A candidate beside stable; gives what its shadow counts."""
    arms, counter = town.service.arms, Metrics().counter
    plan = Plan(
        id="tried", release=candidate.id, stable=arms.stable.release.id, mode=mode, steps=(0.1,),
        alpha=0.05, max_flips=0.1, slow_ms=50.0, least=100, actor="test", time="",
    )  # fmt: skip
    watch, words = Watch(plan), ("compared", "failed", "dropped")
    counts = {word: counter("gemel_shadow_total", word) for word in words}
    gallery, beside = arms.stable.gallery, None
    if mode == "experiment":
        assert isinstance(gallery, LocalGallery)
        gallery = gallery.as_of(gallery.position())
        beside = replace(arms.stable, gallery=gallery, classes=Classes())
    live = Live.open(candidate, gallery, previous=arms.stable, label=arms.stable.label)
    shadow = Shadow(watch, counts, arms.are_busy)
    arms.trial = Trial("tried", live, SHARES[mode], watch, shadow, beside)
    try:
        yield counts
    finally:
        arms.trial = None
        shadow.stop()


@pytest.mark.parametrize("of", [THEIRS, SERVICE])
@pytest.mark.parametrize("mode", SHARES)
@pytest.mark.parametrize("route", TRIED, ids=lambda r: r.path)
def test_no_trial_gets_at_what_others_have(
    town: Town, candidate: Release, route: Route, mode: str, of: str
) -> None:
    before, body = town.state(of), asked(of, town.decisions[of])[route.method, route.path]
    with trial(town, candidate, mode) as counts:
        got = town.ask(OURS, route.method, route.path, body)
        assert town.state(of) == before
        own = town.ask(SERVICE, route.method, route.path, body)
    if f"{of}-0" in json.dumps(body):
        assert got.status_code == 404, got.text
    else:
        assert got.status_code == 200, got.text
        assert not any(mark in got.text for mark in others(OURS))
        answers = candidate.id if mode == "canary" else town.service.pick().release.id
        assert got.headers["x-gemel-release"] == answers
    n_offered = sum(one._value.get() for one in counts.values())
    is_ours_left_out = mode == "experiment" or not GALLERY.isdisjoint(route.lanes)
    assert n_offered == (own.status_code == 200) + (got.status_code == 200) * (not is_ours_left_out)


@pytest.mark.parametrize("mode", SHARES)
def test_a_tenant_finds_its_own_while_a_release_is_tried(
    town: Town, candidate: Release, mode: str
) -> None:
    with trial(town, candidate, mode):
        for who in (OURS, THEIRS, SERVICE):
            got = town.ask(who, "POST", "/v1/search", {"query": small.ROWS[0], "k": 100}).json()
            count = town.ask(who, "GET", "/v1/records").json()["count"]
            assert len(got["hits"]) == count
            assert {hit["id"].rpartition("-")[0] for hit in got["hits"]} == {who}


def test_no_tenant_sees_or_moves_a_rollout(town: Town, candidate: Release) -> None:
    with trial(town, candidate, "canary"):
        for key in (OURS, f"{OURS}.reviewer", THEIRS):
            for action in ("start", "pause", "resume", "abort", "promote"):
                body = {"action": action, "release": candidate.id}
                assert town.ask(key, "POST", "/v1/rollout", body).status_code == 403
            assert town.ask(key, "GET", "/v1/rollout").status_code == 403
            hook = {"metadata": {"hook": "rollout"}}
            assert town.ask(key, "POST", "/v1/rollout/hook", hook).status_code == 403
        assert town.service.arms.trial is not None
