"""Answers in a ledger move a threshold, and the child release says why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gemel.data.dataset import Dataset
from gemel.errors import ReleaseError
from gemel.ledger.ledger import Ledger
from gemel.ledger.verdicts import answer, is_asked
from gemel.release.make.adapt import accept, feedback
from gemel.release.release import Release
from gemel.settings import AdaptSettings

AUDIT = 0.3
SETTINGS = AdaptSettings(audit_ratio=AUDIT, max_changed=1.0)


@pytest.fixture
def ledger(tmp_path: Path, seeded: None) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        yield ledger


def serve(
    ledger: Ledger,
    release: Release,
    n: int,
    shift: float,
    *,
    audit: float = 1.0,
    answered: float = 1.0,
) -> None:
    """Decisions of a release in a world whose scores moved, answered truthfully."""
    rng = np.random.default_rng(0)
    band = release.policy.verify
    for genuine in rng.random(n) < 0.5:
        score = float(rng.normal(band.threshold + shift + (0.06 if genuine else -0.06), 0.03))
        outcome = release.policy.decide(score).outcome
        probability = 1.0 if outcome == "review" else audit
        record = ledger.append(
            "verify",
            {
                "outcome": outcome,
                "score": score,
                "release": release.id,
                "review_probability": probability,
            },
        )
        if is_asked(record, probability) and rng.random() < answered:
            ledger.append(
                "verdict", {"decision": record, "genuine": bool(genuine), "reviewer": "a"}
            )
    ledger.flush()


def test_a_world_that_moved_makes_a_child_that_says_why(
    release: Release, people: Dataset, run_folder: Path, ledger: Ledger, tmp_path: Path
) -> None:
    serve(ledger, release, 1500, shift=0.1)
    said = feedback(release, ledger, SETTINGS)
    assert said.proposal.verdict == "move", said.proposal.reason
    assert said.proposal.band is not None
    assert said.proposal.present is not None
    assert said.proposal.proposed is not None
    old, new = release.policy.verify.threshold, said.proposal.band.threshold
    assert new == pytest.approx(old + 0.1, abs=0.03)
    assert said.proposal.proposed.fmr.value < said.proposal.present.fmr.value
    child = accept(release, said, run_folder, people, into=tmp_path / "child")
    assert child.manifest.parent == release.id
    assert child.policy.verify == said.proposal.band
    assert child.evidence.adapted == said
    assert child.evidence.eval.threshold == new
    assert child.evidence.eval.fnmr.value >= release.evidence.eval.fnmr.value
    assert child.scale_id == release.scale_id
    child.verify()


def test_a_world_that_stayed_keeps_its_threshold(
    release: Release, people: Dataset, run_folder: Path, ledger: Ledger, tmp_path: Path
) -> None:
    serve(ledger, release, 1500, shift=0.0)
    said = feedback(release, ledger, SETTINGS)
    assert said.proposal.verdict == "keep", said.proposal.reason
    with pytest.raises(ReleaseError, match="no move"):
        accept(release, said, run_folder, people, into=tmp_path / "child")


def test_unanswered_decisions_are_stood_for_by_answered_ones(
    release: Release, ledger: Ledger
) -> None:
    serve(ledger, release, 3000, shift=0.0, audit=AUDIT, answered=0.5)
    said = feedback(release, ledger, SETTINGS)
    every = feedback(release, ledger, msgspec.structs.replace(SETTINGS, enough=10_000))
    assert every.n_answered == pytest.approx(0.5 * said.n_asked, rel=0.15)
    assert 2 * SETTINGS.enough < said.n_answered < every.n_answered  # the newest that suffice
    for some in (said, every):
        assert (some.n_decisions, some.n_asked) == (3000, said.n_asked)
        assert some.proposal.present is not None
        assert some.proposal.present.prior.value == pytest.approx(0.5, abs=0.08)


def test_young_decisions_wait(release: Release, ledger: Ledger) -> None:
    serve(ledger, release, 300, shift=0.0)
    said = feedback(release, ledger, AdaptSettings(min_age_days=1.0))
    assert (said.n_decisions, said.n_asked) == (300, 0)
    assert said.proposal.verdict == "wait"


def test_nothing_answered_is_said_plainly(release: Release, ledger: Ledger) -> None:
    said = feedback(release, ledger, SETTINGS)
    assert (said.proposal.verdict, said.n_decisions) == ("wait", 0)
    assert "genuine answers" in said.proposal.reason
    record = ledger.append(
        "verify",
        {"outcome": "review", "score": 0.5, "release": release.id, "review_probability": 1.0},
    )
    answer(ledger, record, True, reviewer="ann")
    assert feedback(release, ledger, SETTINGS).proposal.verdict == "wait"
