from __future__ import annotations

import http.client
import json
import random
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serve import small
from tests.serve.small import DIM, ROWS

from gemel.encode.comparators.as_norm import normalised
from gemel.encode.comparators.cosine import Cosine
from gemel.errors import ParityError, SpaceMismatch
from gemel.gallery.gallery import Gallery
from gemel.release.release import Release
from gemel.release.store import Store
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.live import Live
from gemel.serve.rollout.follower import Follower
from gemel.serve.service import Service

N_REQUESTS = 10_000
N_CLIENTS = 16
N_MOVES = 50


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def put(store: Store, folder: Path, **how: Any) -> Release:
    return store.put(small.release(folder, **how).folder)


def point(store: Store, release: Release) -> None:
    store.point("stable", release.id, actor="test", reason="test")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def ask(url: str, n: int, seed: int, seen: list[tuple[float, str, float, str, str]]) -> None:
    """One client: n varied comparisons over one connection."""
    rng = random.Random(seed)
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    headers = {"content-type": "application/json"}
    for _ in range(n):
        left, right = rng.choice(ROWS), {**rng.choice(ROWS), "born": rng.randrange(1900, 2000)}
        connection.request(
            "POST", "/v1/verify", json.dumps({"left": left, "right": right}), headers
        )
        reply = connection.getresponse()
        body = json.loads(reply.read())
        seen.append(
            (
                body.get("score"),
                body.get("outcome"),
                body.get("threshold"),
                body.get("release"),
                reply.headers["x-gemel-release"],
            )
            if reply.status == 200
            else (0.0, f"status {reply.status}", 0.0, "", "")
        )
    connection.close()


def test_no_reply_mixes_releases_while_the_pointer_moves(store: Store, tmp_path: Path) -> None:
    low = put(store, tmp_path / "low", threshold=0.2)
    high = put(store, tmp_path / "high", threshold=0.995)
    point(store, low)
    service = Service(store.get("stable"))
    follower = Follower(service, store)
    seen: list[tuple[float, str, float, str, str]] = []
    with running(create_app(service)) as url:
        clients = [
            threading.Thread(target=ask, args=(url, N_REQUESTS // N_CLIENTS, i, seen))
            for i in range(N_CLIENTS)
        ]
        for client in clients:
            client.start()
        for move in range(N_MOVES):
            # A move for each fiftieth of the requests, so that all happen under load.
            while len(seen) < N_REQUESTS * move // (N_MOVES + 1):
                clients[0].join(0.002)
            point(store, high if move % 2 == 0 else low)
            assert follower.check()
        for client in clients:
            client.join()
    thresholds = {low.id: 0.2, high.id: 0.995}
    assert len(seen) == N_REQUESTS
    for score, outcome, threshold, release, header in seen:
        assert outcome in ("match", "no_match"), outcome
        assert threshold == thresholds[release]
        assert header == release
        assert (outcome == "match") == (score >= threshold)
    by_release = {i: sum(entry[3] == i for entry in seen) for i in thresholds}
    assert min(by_release.values()) > N_REQUESTS // 10
    assert len({entry[1] for entry in seen}) == 2


def test_a_new_policy_reuses_the_encoder_and_a_thread_follows_the_pointer(
    store: Store, tmp_path: Path
) -> None:
    first = put(store, tmp_path / "first", threshold=0.2)
    child = first.child(into=tmp_path / "child", policy=small.policy(0.7))
    second = store.put(child.folder)
    point(store, first)
    service = Service(store.get("stable"))
    encoder = service.pick().encoder
    switched = threading.Event()
    follower = Follower(service, store, on_switch=switched.set)
    follower.start()
    point(store, second)
    assert switched.wait(10)
    follower.stop()
    assert service.pick().release.id == second.id
    assert service.pick().encoder is encoder
    assert service.verify(ROWS[0], ROWS[0]).threshold == 0.7


def test_another_comparator_in_the_same_space_is_taken_over_while_serving(
    store: Store, tmp_path: Path
) -> None:
    first = put(store, tmp_path / "first")
    cohort = first.encoder.encode([{**row, "born": 1900 + i} for i, row in enumerate(ROWS)])
    other = put(store, tmp_path / "other", comparator=normalised(Cosine(), cohort))
    assert other.space_id == first.space_id
    rows = first.encoder.encode(ROWS[:2])
    point(store, first)
    with Gallery.open(tmp_path / "g", space_id=first.space_id, dim=DIM) as gallery:
        gallery.enroll(["a"], rows[1:])
        service = Service(store.get("stable"), gallery)
        follower = Follower(service, store)
        for release in (first, other, first):
            point(store, release)
            follower.check()
            expected = float(release.comparator.score(rows[:1], rows[1:])[0])
            for score in (
                service.search(ROWS[0]).hits[0].score,
                service.identify(ROWS[0]).score,
                service.verify(ROWS[0], ROWS[1]).score,
                service.explain(ROWS[0], record="a").score,
            ):
                assert score == pytest.approx(expected, abs=1e-5)
            assert service.warning is None and service.search(ROWS[0]).release == release.id


def test_another_space_comes_with_its_own_gallery_and_goes_back_to_the_old_one(
    store: Store, tmp_path: Path
) -> None:
    first, second = (put(store, tmp_path / f"r{i}", seed=i) for i in (0, 1))

    def open_gallery(release: Release) -> Gallery:
        folder = tmp_path / "gallery" / release.space_id[:12]
        return Gallery.open(folder, space_id=release.space_id, dim=DIM)

    point(store, first)
    gallery = open_gallery(first)
    gallery.enroll(["a"], first.encoder.encode(ROWS[:1]))
    service, clock = Service(store.get("stable"), gallery), Clock()
    follower = Follower(service, store, open_gallery=open_gallery, clock=clock)
    point(store, second)
    assert not follower.check(), "whoever is enrolled would be unknown at once"
    assert "gallery is empty" in str(service.warning)
    with open_gallery(second) as other:  # nobody holds it meanwhile
        other.enroll(["b"], second.encoder.encode(ROWS[:1]))
    clock.now += 60
    assert follower.check()
    assert [hit.id for hit in service.search(ROWS[0]).hits] == ["b"]
    assert service.pick().encoder.space_id == second.space_id
    point(store, first)
    assert follower.check()
    assert [hit.id for hit in service.search(ROWS[0]).hits] == ["a"]
    follower.stop()
    gallery.close()


def test_a_release_that_cannot_be_served_changes_nothing_but_a_warning(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = put(store, tmp_path / "good")
    bad = put(store, tmp_path / "bad", threshold=0.9)
    point(store, good)
    service = Service(store.get("stable"))
    clock = Clock()
    follower = Follower(service, store, clock=clock)
    point(store, bad)
    policy = bad.folder / "policy.json"
    before = policy.read_bytes()
    policy.chmod(0o644)
    policy.write_bytes(before + b" ")
    with running(create_app(service)) as url:
        assert not follower.check()
        assert not follower.check()
        ready = httpx.get(f"{url}/readyz")
        assert ready.status_code == 200
        assert ready.json()["release"] == good.id
        assert bad.id[:12] in ready.json()["warning"]
        assert httpx.post(f"{url}/v1/verify", json={"left": ROWS[0], "right": ROWS[1]}).is_success
        failed = {"result": "failed"}
        count = service.metrics.registry.get_sample_value
        assert count("gemel_rollouts_total", failed) == 1, "no second try at once"
        policy.write_bytes(before)
        clock.now += 60
        assert follower.check()
        assert httpx.get(f"{url}/readyz").json().get("warning") is None
    assert "release_refused" in capsys.readouterr().err


def test_release_and_gallery_of_different_spaces_are_refused(tmp_path: Path) -> None:
    first, second = (small.release(tmp_path / f"r{i}", seed=i) for i in (0, 1))
    gallery = Gallery.open(tmp_path / "g", space_id=first.space_id, dim=DIM)
    with gallery, pytest.raises(SpaceMismatch, match=second.space_id[:12]):
        Service(second, gallery)


def test_a_release_that_does_not_encode_as_it_did_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = small.release(tmp_path / "r")
    payloads, rows = release.probe_payloads()
    drifted = Release(release.folder, release.manifest)
    monkeypatch.setattr(Release, "probe_payloads", lambda _: (payloads, rows[::-1].copy()))
    with pytest.raises(ParityError, match="probe"):
        Live.open(drifted)
