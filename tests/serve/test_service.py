from __future__ import annotations

import re
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from tests.serve import small
from tests.serve.small import ROWS

from gemel.data.schema import Field
from gemel.decide.bands import Band, SizedBand
from gemel.decide.rules import bound, parse
from gemel.decide.venn_abers import VennAbers
from gemel.encode.encoder import Encoder
from gemel.encode.row.prepare import RowPrepare
from gemel.errors import DeadlineExceeded, GalleryUnavailable, InvalidInput, NoGallery
from gemel.gallery.gallery import Gallery
from gemel.ledger.ledger import Ledger
from gemel.release.items import Items
from gemel.release.release import Release
from gemel.serve.context import Context
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.live import Live
from gemel.serve.service import Service
from gemel.serve.steps import Done, Task, go_on, run
from gemel.serve.verbs.embed import embed
from gemel.serve.verbs.search import search
from gemel.serve.verbs.verify import verify
from gemel.serve.wire.pairs import VerifyBody
from gemel.serve.wire.searches import SearchBody
from gemel.serve.wire.vectors import EmbeddingsBody
from gemel.settings import ServeSettings


def test_a_batch_gives_each_work_what_it_would_get_alone(service: Service) -> None:
    context, pairs = service.context(), [(left, right) for left in ROWS for right in ROWS]
    verbs: list[Any] = [verify(context, VerifyBody(left, right)) for left, right in pairs]
    verbs[3:3] = [
        embed(context, EmbeddingsBody([ROWS[0], ROWS[1]])),
        verify(context, VerifyBody({"x": "y"}, ROWS[0])),
    ]
    found: list[Any] = run([waiting(context, steps) for steps in verbs])
    rows = [msgspec.json.decode(item.embedding) for item in found[3].value.data]
    np.testing.assert_allclose(rows, service.embed(ROWS[:2]), atol=1e-6)
    assert isinstance(found[4], InvalidInput)
    assert found[4].where == "left.x"
    del found[3:5]
    for (left, right), together in zip(pairs, found, strict=True):
        alone = service.verify(left, right)
        assert together.value.score == pytest.approx(alone.score, abs=1e-6)
        assert together.value.outcome == alone.outcome


def test_records_that_are_taken_out_are_not_lost(release: Release, gallery: Gallery) -> None:
    rows = Service(release, gallery).embed(ROWS)
    gallery.enroll([f"r{i}" for i in range(len(ROWS))], rows)
    whole, poor = (Service(release, gallery, n_noted=n) for n in (len(ROWS), 2 * len(ROWS) + 1))
    with pytest.raises(GalleryUnavailable, match=f"has {len(ROWS)} of the {2 * len(ROWS) + 1} "):
        poor.search(ROWS[0])
    gallery.enroll(["back"], rows[:1])
    assert poor.search(ROWS[0]).hits and "records that the ledger knows" in poor.warnings()[0]
    whole.delete(["back", *(f"r{i}" for i in range(1, len(ROWS)))])
    assert whole.search(ROWS[0]).hits and whole.warnings() == []


def test_searches_that_are_done_together_find_what_each_finds_alone(
    service: Service, gallery: Gallery
) -> None:
    numbers = [{"n": i % 2} for i in range(len(ROWS))]
    gallery.enroll([str(i) for i in range(len(ROWS))], service.embed(ROWS), numbers)
    context, wrong = service.context(), {"n": [[]]}
    asked: list[tuple[int, Any]] = [(2, None), (2, {"n": 1}), (2, wrong), (1, None), (2, None)]
    bodies = [SearchBody(ROWS[i % 2], k, where) for i, (k, where) in enumerate(asked)]
    verbs: list[Any] = [search(context, body) for body in bodies]
    encoded = run([waiting(context, steps) for steps in verbs])
    steps: list[Any] = list(zip(verbs, encoded, strict=True))
    found: list[Any] = run([Task(verb, step, context.deadline) for verb, step in steps])
    assert isinstance(found.pop(2), InvalidInput)
    del bodies[2]
    for body, together in zip(bodies, found, strict=True):
        alone = service.search(body.query, body.k, body.where)
        assert [hit.id for hit in together.value.hits] == [hit.id for hit in alone.hits]
        assert len(alone.hits) == min(body.k, gallery.count(body.where))


def waiting(context: Context, steps: Any) -> Task[Any]:
    """A verb at its first step."""
    step = go_on(steps, None)
    assert not isinstance(step, Done)
    return Task(steps, step, context.deadline)


def test_what_nobody_waits_for_any_more_is_not_begun(service: Service) -> None:
    late, now = service.context(deadline=time.monotonic() - 1), service.context()
    body = VerifyBody(ROWS[0], ROWS[1])
    refused, done = run([waiting(context, verify(context, body)) for context in (late, now)])
    assert isinstance(refused, DeadlineExceeded)
    assert isinstance(done, Done) and done.value.release == now.live.release.id


def test_too_many_views_or_none_are_refused(service: Service) -> None:
    for side, n in ((ROWS * 2, 10), ([], 0)):
        with pytest.raises(InvalidInput, match=f"{n} views, expected 1 to 8") as refused:
            service.verify(ROWS[0], side)
        assert refused.value.where == "right"
    assert service.verify(ROWS[0], (ROWS * 2)[:8]).outcome


def test_work_that_began_with_one_release_ends_with_it(service: Service, tmp_path: Path) -> None:
    before = service.context()
    child = before.live.release.child(into=tmp_path / "child", policy=small.policy(0.9))
    service.switch(child, before.live.gallery)
    body = VerifyBody(*ROWS[:2])
    found: list[Any] = run([waiting(c, verify(c, body)) for c in (before, service.context())])
    old, new = (done.value for done in found)
    assert (old.release, old.threshold) == (before.live.release.id, 0.5)
    assert (new.release, new.threshold) == (child.id, 0.9)


def test_scores_in_the_band_below_the_threshold_are_for_review(tmp_path: Path) -> None:
    release = small.release(tmp_path / "r", threshold=1.5, review=5.0)
    assert Service(release).verify(ROWS[0], ROWS[0]).outcome == "review"


def test_a_decision_carries_the_interval_of_its_probability(tmp_path: Path) -> None:
    release = small.release(tmp_path / "r", threshold=0.5)
    steps = VennAbers((0.9,), (0.0, 0.2), (0.1, 1.0), 0.1)
    policy = msgspec.structs.replace(release.policy, venn_abers=steps, review_width=0.5)
    child = release.child(into=tmp_path / "child", policy=policy)
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        reply = Service(child, None, ledger).verify(ROWS[0], ROWS[0])
        assert reply.interval == pytest.approx((0.2, 1.0))
        assert reply.outcome == "review"
    assert Service(release).verify(ROWS[0], ROWS[0]).interval is None


def test_what_cannot_be_noted_is_not_answered(release: Release, tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "ledger.db")
    service = Service(release, None, ledger)
    assert service.verify(ROWS[0], ROWS[0]).decision_id
    ledger.close()
    with pytest.raises(Exception, match="closed"):
        service.verify(ROWS[0], ROWS[0])


def test_a_text_stands_for_the_only_field_there_is(release: Release) -> None:
    with pytest.raises(InvalidInput, match="object of fields"):
        Live.open(release).items.read("anna", "query")
    prepare = RowPrepare.fit([{"text": "abc"}], (Field("text", "text"),))
    assert Items.of(release, prepare).read("anna", "query").payload == {"text": "anna"}


def test_search_needs_a_gallery_and_decides_each_hit(
    service: Service, gallery: Gallery, release: Release
) -> None:
    with pytest.raises(NoGallery):
        Service(release).search(ROWS[0])
    gallery.enroll(["a", "b"], service.embed(ROWS[:2]), [{"n": 1}, {"n": 2}])
    reply = service.search(ROWS[0], k=5)
    assert [hit.id for hit in reply.hits] == ["a", "b"]
    for hit in reply.hits:
        assert hit.decision == release.policy.identify(hit.score).outcome
        assert (hit.threshold, hit.release) == (0.5, release.id)
    assert [hit.id for hit in service.search(ROWS[0], where={"n": 2}).hits] == ["b"]


def sized(release: Release, into: Path, *, expires: str | None = None) -> Release:
    """A child whose thresholds go by the size of the gallery: up to two, up to four records."""
    steps = tuple(
        SizedBand(gallery_size=n, band=Band(threshold=t, review_low=t, review_high=t), fmr=0.01)
        for n, t in ((2, 0.6), (4, 0.9))
    )
    policy = msgspec.structs.replace(release.policy, sizes=steps, expires=expires)
    return release.child(policy=policy, into=into)


def test_the_threshold_of_a_search_grows_with_the_gallery(
    release: Release, gallery: Gallery, tmp_path: Path
) -> None:
    service = Service(sized(release, tmp_path / "child"), gallery)
    rows = release.encoder.encode(ROWS)
    seen = []
    for i in range(5):
        gallery.enroll([str(i)], rows[i : i + 1])
        reply = service.identify(ROWS[0])
        hit = service.search(ROWS[0], k=1).hits[0]
        assert (hit.id, hit.threshold, hit.decision) == ("0", reply.threshold, reply.outcome)
        assert reply.record == "0" and reply.gallery_size == i + 1
        seen.append((reply.threshold, reply.outcome))
    assert seen == [(0.6, "match")] * 2 + [(0.9, "match")] * 2 + [(0.9, "review")]
    (warning,) = service.warnings()
    assert "5 records" in warning and "up to 4" in warning
    gallery.delete(["4"])
    assert service.warnings() == []
    nobody = service.identify({"first": "zzzzzzzzzzzz", "last": "", "born": 1950})
    assert (nobody.outcome, nobody.record, nobody.attributes) == ("unknown", None, None)
    assert nobody.score is not None and nobody.score < nobody.threshold == 0.9


def test_an_id_that_is_given_alone_is_not_taken_apart(release: Release, gallery: Gallery) -> None:
    gallery.enroll(["1", "2", "12"], release.encoder.encode(ROWS[:3]))
    service = Service(release, gallery)
    assert service.delete("12").deleted == 1 and service.count() == 2


def test_an_expired_policy_serves_and_warns(release: Release, tmp_path: Path) -> None:
    child = sized(release, tmp_path / "child", expires="2026-12-31")
    for day, expected in ((date(2026, 12, 31), 0), (date(2027, 1, 1), 1)):
        service = Service(child, today=lambda day=day: day)  # type: ignore[misc]
        assert len(service.warnings()) == expected
        assert service.verify(ROWS[0], ROWS[0]).outcome == "match"
        with running(create_app(service)) as url:
            ready = httpx.get(f"{url}/readyz")
        assert ready.status_code == 200
        assert ("expired on 2026-12-31" in ready.json().get("warning", "")) == bool(expected)


def test_a_lane_that_does_not_end_shows(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """One batch held everybody for 17 seconds while `/readyz` was 200 and no metric moved."""
    entered, go = threading.Event(), threading.Event()
    encode = Live.encode

    def held(live: Live, payloads: Any) -> Any:
        entered.set()
        go.wait(10)
        return encode(live, payloads)

    monkeypatch.setattr(Live, "encode", held)
    body = {"left": ROWS[0], "right": ROWS[1]}
    running_s = re.compile(r'^gemel_batch_running_seconds{lane="encode"} (\S+)', re.M)
    with running(create_app(service, ServeSettings(timeout_ms=50))) as url:
        assert httpx.get(f"{url}/readyz").status_code == 200
        assert httpx.post(f"{url}/v1/verify", json=body).status_code == 504
        assert entered.is_set()
        ready = httpx.get(f"{url}/readyz")
        assert (ready.status_code, "does not come to an end" in ready.text) == (503, True)
        assert float(running_s.findall(httpx.get(f"{url}/metrics").text)[0]) > 0.05
        go.set()
        until = time.monotonic() + 10
        while (status := httpx.post(f"{url}/v1/verify", json=body).status_code) != 200:
            assert time.monotonic() < until, status
        assert httpx.get(f"{url}/readyz").status_code == 200


def test_a_lane_of_what_takes_long_that_does_not_end_keeps_nothing_else_up(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, encode, old = threading.Event(), Live.encode, {**ROWS[0], "born": 1100}

    def held(live: Live, payloads: Any) -> Any:
        assert old not in payloads or go.wait(60)
        return encode(live, payloads)

    monkeypatch.setattr(Live, "encode", held)
    monkeypatch.setattr(Encoder, "seconds", lambda _, items: [float(i == old) for i in items])
    with running(create_app(service, ServeSettings(timeout_ms=50))) as url:
        body = {"left": old, "right": ROWS[1]}
        assert httpx.post(f"{url}/v1/verify", json=body).status_code == 504
        ready = httpx.get(f"{url}/readyz")
        assert (ready.status_code, "lane encode_long takes longer" in ready.text) == (200, True)
        go.set()


def test_all_views_have_to_match_and_the_lowest_score_decides(
    service: Service, tmp_path: Path
) -> None:
    views, other = [ROWS[0], ROWS[1]], [ROWS[0], ROWS[2]]
    reply = service.verify(views, other)
    alone = [service.verify(a, b).score for a in views for b in other]
    assert reply.score == pytest.approx(min(alone), abs=1e-6)
    strict = Service(small.release(tmp_path / "r", threshold=max(alone) - 1e-3))
    assert strict.verify([ROWS[0]], ROWS[0]).outcome == "match"
    assert strict.verify([ROWS[0], ROWS[1]], ROWS[0]).outcome == "no_match"
    with pytest.raises(InvalidInput) as refused:
        service.verify([ROWS[0], {"x": 1}], ROWS[0])
    assert refused.value.where == "left[1].x"


def test_a_record_with_attributes_of_its_own_keeps_what_rules_look_at(tmp_path: Path) -> None:
    release = small.release(tmp_path / "r", threshold=-1.0)
    rules = bound([parse("born apart 2: no_match")], {"born": "number"})
    policy = msgspec.structs.replace(release.policy, rules=rules)
    child = release.child(into=tmp_path / "child", policy=policy)
    with Gallery.open(tmp_path / "g", space_id=child.space_id, dim=small.DIM) as gallery:
        with running(create_app(Service(child, gallery))) as url:
            record = {"id": "a", "payload": ROWS[0], "attributes": {"shelf": "x"}}
            httpx.post(f"{url}/v1/records", json={"records": [record]}).raise_for_status()
        found = Service(child, gallery).search({**ROWS[0], "born": 1900}, 1).hits[0]
    assert found.attributes == {"born": 1950, "shelf": "x"}
    assert (found.decision, found.rule) == ("no_match", "born apart 2: no_match")


def test_a_value_that_does_not_fit_is_missing_as_in_a_file_and_named(tmp_path: Path) -> None:
    row = {"name": "anna", "born": "1961-01-02"}
    release = small.dated_release(tmp_path / "r", row, [])
    dirty, empty = {**row, "born": "1961-07-34"}, {**row, "born": None}
    with Gallery.open(tmp_path / "g", space_id=release.space_id, dim=small.DIM) as gallery:
        service = Service(release, gallery)
        with running(create_app(service)) as url:

            def said(path: str, body: dict[str, Any], code: int = 200) -> Any:
                reply = httpx.post(f"{url}/v1/{path}", json=body)
                assert reply.status_code == code, reply.text
                return reply.json()

            missing = said("verify", {"left": row, "right": empty})
            assert "unfit" not in missing
            found = said("verify", {"left": row, "right": dirty})
            assert (found["score"], found["unfit"]) == (missing["score"], ["right.born"])
            records = [{"id": str(i), "payload": one} for i, one in enumerate((row, dirty))]
            assert said("records", {"records": records})["unfit"] == ["records[1].payload.born"]
            assert gallery.get("1").attributes == {"name": "anna", "born": None}
            asked = said("search", {"query": dirty, "k": 2})
            assert asked["unfit"] == ["query.born"]
            assert asked["hits"][0]["id"] == "1", "as it is without the date"
            alone = said("verify", {"left": row, "right": {"born": "soon"}}, 422)
            assert alone["where"] == "right.born", "nothing else is there"
            assert said("verify", {"left": row, "right": {**row, "born": ["x"]}}, 422)
        assert service.search(dirty).unfit == ["query.born"]


def test_dates_are_iso_before_they_are_encoded_enrolled_or_ruled_on(tmp_path: Path) -> None:
    row = {"name": "anna", "born": "1961-01-02"}
    release = small.dated_release(tmp_path / "r", row, ["born differs: review"])
    with Gallery.open(tmp_path / "g", space_id=release.space_id, dim=small.DIM) as gallery:
        service = Service(release, gallery)
        with running(create_app(service)) as url:
            for spelling in ("02.01.1961", "2 Jan 1961", "19610102", "1961-1-2"):
                other = {"name": "anna", "born": spelling}
                said = httpx.post(f"{url}/v1/verify", json={"left": row, "right": other}).json()
                assert (said["outcome"], said["score"]) == ("match", pytest.approx(1, abs=1e-6))
            record = {"id": "a", "payload": {"name": "anna", "born": "02.01.1961"}}
            httpx.post(f"{url}/v1/records", json={"records": [record]}).raise_for_status()
            unsure = httpx.post(
                f"{url}/v1/verify", json={"left": row, "right": {"born": "03/04/1980"}}
            )
        assert gallery.get("a").attributes == row
    assert unsure.status_code == 422
    assert unsure.json()["where"] == "right.born" and "write YYYY-MM-DD" in unsure.json()["hint"]
    assert Live.open(release).items.read(row, "").payload == row
