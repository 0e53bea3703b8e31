"""What gemel once wrote opens today, and gives the answers that it gave then.

`kept/` is the project that `make_kept.py` made. Scores and rates may differ by what another
processor rounds; all else is the same, except for words that are meant for people.
"""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

import gemel
from gemel import config
from gemel.cli.main import run
from gemel.gallery.local.gallery import LocalGallery
from gemel.gallery.local.indexer import Indexing

KEPT = Path(__file__).parent / "kept"
EXPECTED = json.loads((KEPT / "expected.json").read_bytes())
RELEASES: dict[str, str] = EXPECTED["releases"]
TOLERANCE = 1e-5
WORDS = {"detail", "hint", "message", "note", "reason", "text"}
"""Keys of sentences: that they are there counts, not how they are put."""
GONE = {"intervals", "corners", "spread_p", "first", "stages"}
"""Keys of what was dropped since: read, and no longer written."""

NEW = {
    *("unproven", "eer", "share", "n_units", "finds_nothing", "useful"),
    *("n_highest", "n_false_highest", "probability_is", "prior", "category", "least"),
    *("as_likely", "outside", "not_compared"),
}
"""Keys that were not written then."""
N_ANSWERED = 2
"""Decisions that people answered. One of them two people answered, and not alike: it did not count
while the answer of most was the truth, and does since second answers say how often they err."""

Told = Callable[..., Any]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, as the working directory."""
    folder = tmp_path / "project"
    shutil.copytree(KEPT, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def told(project: Path, capsys: pytest.CaptureFixture[str]) -> Told:
    """Gives what a command writes as JSON."""

    def call(*words: str) -> Any:
        capsys.readouterr()
        code = run([*words, "--json"])
        seen = capsys.readouterr()
        assert code == 0, seen.err
        return json.loads(seen.out)

    return call


@pytest.fixture
def store(project: Path) -> gemel.Store:
    return gemel.Store("state")


@pytest.fixture
def gallery_folder(project: Path) -> Path:
    (folder,) = Path("state/gallery").iterdir()
    return folder


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest, store: gemel.Store) -> gemel.Release:
    return store.get(RELEASES[request.param])


@pytest.fixture
def service(release: gemel.Release, gallery_folder: Path) -> Iterator[gemel.Service]:
    if not release.space_id.startswith(gallery_folder.name):
        yield gemel.Service(release)
        return
    with gemel.Gallery.open(gallery_folder, comparator=release.comparator, write=False) as gallery:
        yield gemel.Service(release, gallery)


def differences(then: Any, now: Any, at: str = "") -> list[str]:
    """Where two JSON values differ by more than rounding."""
    if isinstance(then, dict) and isinstance(now, dict):
        apart = (then.keys() ^ now.keys()) - GONE - NEW
        names = [f"{at}.{name}: only then or now" for name in apart]
        both = sorted((then.keys() & now.keys()) - WORDS)
        if at.endswith(".around"):
            # What stands around a score is of a window that may be narrower than it was then.
            return names + [
                f"{at}.{n}: {now[n]} is more than {then[n]}" for n in both if now[n] > then[n]
            ]
        return names + [d for n in both for d in differences(then[n], now[n], f"{at}.{n}")]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        pairs = enumerate(zip(then, now, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{at}[{i}]")]
    if isinstance(then, float) and isinstance(now, float | int):
        equal = math.isclose(then, now, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    else:
        equal = then == now
    return [] if equal else [f"{at}: {then!r} then, {now!r} now"]


def of(then: Any, now: Any) -> Any:
    """What is there now of what was kept: names that were not kept are left out of objects."""
    if isinstance(then, dict) and isinstance(now, dict):
        return {name: of(then[name], now[name]) for name in then if name in now}
    return now


def same(then: Any, now: Any) -> None:
    assert not differences(then, now)


def plain(value: Any) -> Any:
    """A struct as JSON values."""
    return msgspec.json.decode(msgspec.json.encode(value))


def test_a_release_is_whole_and_encodes_as_it_did(release: gemel.Release) -> None:
    release.verify()
    assert release.check_parity().n == 24
    assert release.encoder.space_id == release.space_id


def test_policy_and_evidence_are_read_as_they_were_written(
    release: gemel.Release, told: Told
) -> None:
    shown = told("release", "show", release.id)
    for part in ("manifest", "policy", "evidence"):
        written = json.loads((release.folder / f"{part}.json").read_bytes())
        same(written, of(written, shown[part]))


def test_a_card_has_its_figures(release: gemel.Release, told: Told) -> None:
    (then,) = (EXPECTED["cards"][name] for name, i in RELEASES.items() if i == release.id)
    card = told("report", release.id)
    assert set(then["names"]) <= card.keys()
    for part, names in then["parts"].items():
        assert set(names) - GONE <= card[part].keys(), part
    same(then["figures"], of(then["figures"], card))


def test_a_service_answers_as_it_did(service: gemel.Service) -> None:
    verbs: dict[str, Callable[..., Any]] = {
        "verify": service.verify,
        "search": service.search,
        "identify": service.identify,
        "classify": service.classify,
        "classes": service.classes,
        "explain": service.explain,
    }
    live = service.pick().release.id
    questions = [q for q in EXPECTED["service"] if q["release"] == live]
    assert len(questions) >= 3
    for question in questions:
        reply = verbs[question["verb"]](**question["args"])
        assert not differences(question["reply"], plain(reply)), question["args"]


@pytest.mark.parametrize("release", ["first"], indirect=True)
def test_http_answers_as_it_did(service: gemel.Service) -> None:
    with TestClient(gemel.create_app(service), base_url="http://gemel.localhost") as client:
        for then in EXPECTED["http"]:
            method, path, body = then["request"]
            reply = client.request(method, path, json=body, headers={"x-request-id": "kept"})
            now = {
                "request": then["request"],
                "status": reply.status_code,
                "type": reply.headers["content-type"],
                "reply": reply.json(),
            }
            assert not differences(then, now), path


@pytest.mark.parametrize("then", EXPECTED["commands"], ids=lambda then: " ".join(then["words"][:2]))
def test_a_command_says_what_it_said(then: dict[str, Any], told: Told) -> None:
    reply, now = then["reply"], told(*then["words"])
    if then["words"][:2] == ["review", "proposal"]:
        proposal = now.pop("proposal")
        reply = {k: v for k, v in reply.items() if k != "proposal"} | {"n_answered": N_ANSWERED}
        assert (proposal["verdict"], proposal["n_answers"]) == ("wait", N_ANSWERED)
        assert 1 < proposal["n_genuine"] < 2 and proposal["band"] is None
    same(reply, now)


def test_gates_open_as_they_did(store: gemel.Store) -> None:
    for name, then in EXPECTED["gates"].items():
        before = store.history()
        report, _ = gemel.promote(store, RELEASES[name], actor="me", reason="again", force=True)
        now = {gate.name: gate.passed for gate in report.gates}
        same(then, of(then, now))
        assert store.history()[: len(before)] == before
        assert store.pointer("stable") == RELEASES[name]


def test_the_ledger_goes_on(project: Path, store: gemel.Store, told: Told) -> None:
    question = EXPECTED["service"][0]
    head = told("ledger", "verify")["head"]
    with gemel.Ledger.open("state/ledger.db", create=False) as ledger:
        service = gemel.Service(store.get(question["release"]), ledger=ledger)
        reply = service.verify(**question["args"])
        known = ledger.head()
        ledger.flush()
        assert plain(known) == head
        report = ledger.verify(known)
        assert (report.ok, report.entries) == (True, head["seq"] + 1)
        entry = ledger.find(str(reply.decision_id))
    assert entry is not None and entry.body["score"] == reply.score


def test_a_ledger_that_was_changed_is_found_out(project: Path) -> None:
    path = Path("state/ledger.db")
    data = path.read_bytes()
    assert data.count(b'"genuine":true') > 0
    path.write_bytes(data.replace(b'"genuine":true', b'"genuine":null'))
    assert run(["ledger", "verify"]) == 1


def test_the_gallery_uses_its_index_and_knows_its_records(
    gallery_folder: Path, store: gemel.Store
) -> None:
    release = store.get(RELEASES["first"])
    (index,) = gallery_folder.glob("index-*")
    written = index.read_bytes()
    how = Indexing(engine="hnsw", exact_rows=0, background=False)
    with LocalGallery.open(
        gallery_folder, space_id=release.space_id, comparator=release.comparator, indexing=how
    ) as gallery:
        stats = gallery.stats()
        assert (stats.rows, stats.deleted) == (20, 1)
        assert (stats.engine, stats.index_behind, stats.index_problem) == ("hnsw", 0, None)
        record = gallery.get("r74.0")
        again = gallery.enroll([record.id], record.embedding[None], [record.attributes])
        assert (again.added, again.updated, again.unchanged) == (0, 0, 1)
        (search,) = (
            q
            for q in EXPECTED["service"]
            if q["verb"] == "search" and q["release"] == release.id and "category" in q["args"]
        )
        row = release.encoder.encode([search["args"]["query"]])[0]
        hits = [{"id": hit.id, "score": hit.score} for hit in gallery.search(row[None], k=3)[0]]
        then = [{"id": hit["id"], "score": hit["score"]} for hit in search["reply"]["hits"]]
        same(then, hits)
    assert index.read_bytes() == written


def test_goals_find_their_release_or_make_the_child_they_made(told: Told) -> None:
    """A new key under [split] or [train] names runs anew: then `git mv` the run folder."""
    for then in EXPECTED["calibrated"]:
        found = told("calibrate", *still_set(then["words"]))
        (point,) = (p for p in found["operating_points"] if p["chosen"])
        counts = {side: _values(point[side]) for side in ("dev", "eval")}
        now = {
            "words": then["words"],
            "parent": found["manifest"]["parent"],
            "policy": found["policy"],
            "point": counts,
        }
        same(then, of(then, now))


def still_set(words: list[str]) -> list[str]:
    """Words of a command without settings that are gone."""
    gone = {i for i, word in enumerate(words) if word.partition("=")[0] in config.GONE}
    return [word for i, word in enumerate(words) if not {i, i + 1} & gone]


def _values(point: dict[str, Any]) -> dict[str, Any]:
    """Figures of a point, those with intervals without them."""
    return {k: v["value"] if isinstance(v, dict) else v for k, v in point.items()}
