"""The card says what the evidence says, and names nobody."""

import dataclasses
import re
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gemel.calibrate.goals.target import Target
from gemel.calibrate.rates.difference import Difference
from gemel.data.dataset import Dataset
from gemel.errors import NotFound
from gemel.release import folder as folders
from gemel.release.folder import sha256
from gemel.release.make.measured import side
from gemel.release.release import Head, Release, seal
from gemel.release.words.card import Card, card
from gemel.release.words.doubts import warning
from gemel.release.words.headline import headline as headline_of
from gemel.release.words.promise import kept_promise


def test_every_figure_is_that_of_the_evidence(release: Release) -> None:
    shown, evidence = card(release), release.evidence
    assert shown.operating_points == evidence.points
    assert shown.operating_points[0].eval == shown.measured.eval == evidence.eval
    assert shown.smallest_fmr == evidence.smallest_fmr
    assert shown.expires == release.policy.expires
    assert shown.data.prior == evidence.eval.prior
    assert shown.data.failure_to_acquire == 0.0
    sides = shown.data.sides
    assert sum(side.n_records for side in sides.values()) == shown.data.n_records == 300
    assert (sides["train"].n_genuine, sides["eval"].n_genuine) == (None, 45)
    assert sides["eval"].n_impostor == 45 * 44 * 2
    assert shown.scoring.range[0] < shown.scoring.threshold < shown.scoring.range[1]
    assert shown.scoring.metric.startswith("cosine")
    refused = [p for p in shown.operating_points if p.refusal is not None]
    assert refused
    assert all(p.refusal.missing_identities > 0 for p in refused if p.refusal)


def test_digests_are_those_of_the_files(release: Release) -> None:
    digests = card(release).details.digests
    for name, file in (
        ("preprocessing", "encoder/prepare.json"),
        ("encoder", "encoder/encoder.onnx"),
        ("comparator", "comparator.json"),
    ):
        assert digests[name] == sha256(release.folder / file)


def test_nobody_is_named_and_it_survives_json(release: Release, people: Dataset) -> None:
    text = msgspec.json.encode(card(release))
    assert msgspec.json.decode(text, type=Card) == card(release)
    assert not re.search(rb"person \d", text)
    for row in people.payloads()[:20]:
        assert str(row["last"]).encode() not in text
    zoo = release.evidence.zoo
    assert zoo.wolves.worst[0].identity.startswith("person ")


def test_refused_input_is_a_failure_to_acquire(release: Release, tmp_path: Path) -> None:
    data = msgspec.structs.replace(release.evidence.data, n_bad=100)
    evidence = msgspec.structs.replace(release.evidence, data=data)
    child = release.child(evidence=evidence, into=tmp_path / "child")
    assert card(child).data.failure_to_acquire == 0.25
    assert card(child).data.n_refused == 100


def test_without_evidence_there_is_none(release: Release, tmp_path: Path) -> None:
    with folders.draft(tmp_path / "bare") as draft:
        for name in ("encoder/prepare.json", "encoder/encoder.onnx", "comparator.json"):
            (draft / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(release.folder / name, draft / name)
        bare = seal(draft, tmp_path / "bare", Head(release.space_id, "row"))
    with pytest.raises(NotFound, match=r"evidence\.json"):
        card(bare)


@pytest.mark.parametrize(
    ("low", "high", "headline"),
    [(0.1, 0.3, "Clearly better"), (-0.1, 0.3, "Not clearly better"), (-0.3, -0.1, "Worse")],
)
def test_the_verdict_rests_on_the_paired_difference(
    release: Release, low: float, high: float, headline: str
) -> None:
    first = next(d for d in release.evidence.against if d.measure == "F1")
    seen = "better" if low > 0 else "worse" if high < 0 else "no difference shown"
    moved = msgspec.structs.replace(first, low=low, high=high, seen=seen)
    found = headline_of(msgspec.structs.replace(release.evidence, against=(moved,)), "records")
    assert found.headline.startswith(headline)
    assert f"{100 * low:+.1f} to {100 * high:+.1f} points" in found.sentences[1]


def test_the_headline_says_where_it_was_better_if_not_where_it_decides(release: Release) -> None:
    evidence, at = release.evidence, "each at its threshold of the best F1"
    best = evidence.candidates[0].point
    here = msgspec.structs.replace(evidence, eval=best)
    moved = msgspec.structs.replace(best, threshold=best.threshold + 1)
    elsewhere = msgspec.structs.replace(evidence, eval=moved)
    assert at not in headline_of(here, "records").headline
    assert at in headline_of(elsewhere, "records").headline


def test_a_verdict_carries_the_warning_that_calibrate_gives(release: Release) -> None:
    """However much better than nothing: few right matches are no good news."""
    seen = release.evidence.eval.precision
    at = msgspec.structs.replace(
        release.evidence.eval,
        precision=msgspec.structs.replace(seen, value=0.04, low=0.03, high=0.05),
        n_false_match=600,
    )
    first = next(d for d in release.evidence.against if d.measure == "F1")
    better = msgspec.structs.replace(first, low=0.1, high=0.3, seen="better")
    evidence = msgspec.structs.replace(release.evidence, against=(better,))
    assert (headline_of(evidence, "records").tone, warning(evidence)) == ("good", "")
    found = headline_of(msgspec.structs.replace(evidence, eval=at), "records")
    assert found.tone == "unsure"
    assert found.warning.startswith("Of 100 matches only about 1")


def test_a_proof_says_that_it_is_of_one_side_and_of_dev(release: Release) -> None:
    verify = Target(kind="precision", value=0.9)
    goals = msgspec.structs.replace(release.evidence.goals, verify=verify)
    evidence = msgspec.structs.replace(release.evidence, goals=goals)
    said = headline_of(evidence, "records").sentences[-1]
    assert re.search(r"a limit on one side by its \d+ records; eval measured \S+\s% \(", said), said
    assert "limits on both sides by " in said
    assert "by a one-sided proof on dev" in kept_promise(evidence).checks[0].detail


def test_the_baseline_is_compared_both_ends_as_measured(release: Release) -> None:
    ours, theirs = release.evidence.candidates
    against: dict[str, Difference] = {d.measure: d for d in release.evidence.against}
    assert against["F1"].after == pytest.approx(ours.point.f1.value)
    assert against["F1"].before == pytest.approx(theirs.point.f1.value)
    assert against["EER"].before == pytest.approx(theirs.curve.eer)
    assert against["recall_at_1"].after == pytest.approx(ours.retrieval.recall_at_k[1])


def test_sessions_are_counted_by_side(people: Dataset) -> None:
    """Every record of an identity in one session, three identities to a session."""
    session = people.identities // 3
    session[:2] = -1
    grouped = dataclasses.replace(people, groups={"session": session})
    found = side(grouped, np.arange(2, 20))
    assert found.groups == {"session": 4}
    assert side(people, np.arange(2, 20)).groups == {}
