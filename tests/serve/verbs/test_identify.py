"""Who somebody is, where several are as good: never a match with one of them."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from msgspec import UNSET
from tests.serve import small

from gemel.decide.bands import SizedBand
from gemel.decide.ratio import Logistic
from gemel.gallery.gallery import Gallery
from gemel.ledger.ledger import Ledger
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service
from gemel.serve.wire.enrolled import NewRecord

ANNA = small.ROWS[0]
NAME = {"first": ANNA["first"], "last": ANNA["last"]}


def homonyms(service: Service, names: list[str]) -> None:
    """One record of exactly this name for each identity."""
    service.enroll(
        [
            NewRecord(f"{i}", ANNA, {"class": name, "street": f"street {i}"})
            for i, name in enumerate(names)
        ]
    )


def test_six_who_are_as_good_are_listed_and_none_is_named(service: Service, ledger: Ledger) -> None:
    homonyms(service, [f"person {i}" for i in range(6)])
    reply = service.identify(ANNA)
    assert (reply.outcome, reply.record, reply.attributes) == ("ambiguous", None, None)
    assert [one.record for one in reply.candidates] == list("012345")
    assert reply.candidates[3].attributes["street"] == "street 3"
    ledger.flush()
    entry = ledger.find(str(reply.decision_id))
    assert entry is not None and msgspec.json.decode(entry.text)["outcome"] == "ambiguous"


def test_records_of_one_identity_are_no_rivals(service: Service) -> None:
    homonyms(service, ["anna", "anna", "anna"])
    reply = service.identify(ANNA)
    assert (reply.outcome, reply.record, reply.candidates) == ("match", "0", [])
    other = service.identify(ANNA, label="street")
    assert other.outcome == "ambiguous", "whose a record is, the label says"


def test_where_no_label_says_the_release_decides_who_is_one(service: Service) -> None:
    service.enroll([NewRecord("a", ANNA), NewRecord("b", ANNA)])
    assert service.identify(ANNA).outcome == "match", "the two match each other"


@pytest.mark.parametrize(("slope", "outcome"), [(8.0, "ambiguous"), (80.0, "match")])
def test_another_identity_is_as_good_by_likelihood_not_by_rank(
    release: Release, gallery: Gallery, tmp_path: Path, slope: float, outcome: str
) -> None:
    """Scores of 1 and .948: 1.5 times or 64 times as likely."""
    steep = Logistic(slope=slope, intercept=-slope / 2)
    policy = msgspec.structs.replace(release.policy, likelihood=steep)
    service = Service(release.child(policy=policy, into=tmp_path / "child"), gallery)
    service.enroll([NewRecord(str(i), small.ROWS[i], {"class": i}) for i in (0, 4)])
    assert service.identify(ANNA).outcome == outcome


def test_what_was_not_compared_is_said(service: Service) -> None:
    service.enroll([NewRecord("a", ANNA)])
    assert service.identify(ANNA).not_compared == []
    for given in (NAME, {**NAME, "born": None}):
        reply = service.identify(given)
        assert (reply.outcome, reply.not_compared) == ("match", ["born"])
        assert service.search(given).not_compared == ["born"]
        assert service.verify(given, ANNA).not_compared == ["born"]
        assert service.verify([ANNA, given], ANNA).not_compared is UNSET
        assert service.verify(given, given).not_compared is UNSET
    assert service.search(ANNA).not_compared is UNSET


def test_what_no_decision_can_be_without_a_person_is_said(
    release: Release, gallery: Gallery, tmp_path: Path
) -> None:
    sized = SizedBand(gallery_size=1, fmr=0.01, band=release.policy.verify)
    policy = msgspec.structs.replace(release.policy, sizes=(sized,))
    service = Service(release.child(policy=policy, into=tmp_path / "child"), gallery)
    service.enroll([NewRecord(str(i), small.ROWS[i]) for i in (0, 4)])
    reply = service.search(ANNA)
    assert reply.hits[0].decision == service.identify(ANNA).outcome == "review"
    said = "the gallery has 2 records, thresholds are certified for up to 1"
    assert said in str(reply.warning) and said in service.identify(ANNA).warning


@pytest.fixture
def named(release: Release, tmp_path: Path) -> Iterator[Service]:
    """A service where `who` says whose a record is."""
    with Gallery.open(tmp_path / "who", space_id=release.space_id, dim=small.DIM) as gallery:
        yield Service(release, gallery, label="who")


def test_a_service_knows_what_says_whose_a_record_is(named: Service) -> None:
    named.enroll([NewRecord(str(i), ANNA, {"who": i}) for i in range(2)])
    python = msgspec.to_builtins(named.identify(ANNA))
    with running(create_app(named)) as url, httpx.Client(base_url=url, timeout=10) as client:
        http = client.post("/v1/identify", json={"query": ANNA}).json()
    assert python["outcome"] == http["outcome"] == "ambiguous"
    assert python["candidates"] == http["candidates"]
