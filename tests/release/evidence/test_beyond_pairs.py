"""Rules of a built release are counted on eval, and views measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gemel.arrays import unit_rows
from gemel.calibrate.scores.scores import Scores
from gemel.data.dataset import Dataset
from gemel.decide.policy import Policy
from gemel.decide.rules import parse
from gemel.encode.comparators.cosine import Cosine
from gemel.release.evidence.beyond_pairs import views
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.part import Part
from gemel.release.make.build import build
from gemel.serve.service import Service

BORN = "born apart 0: no_match"


def test_a_release_counts_what_its_rules_cost(
    people: Dataset, run_folder: Path, tmp_path: Path
) -> None:
    goals = Goals(rules=(parse(BORN), parse("first differs: review")))
    built = build(run_folder, people, goals=goals, into=tmp_path / "release")
    policy, evidence = built.policy, built.evidence
    assert Policy.from_json(policy.to_json()) == policy
    born, first = evidence.rules
    assert (born.rule, born.lost.value) == (BORN, 0.0)  # the same year stands in both records
    assert first.lost.value > 0.5  # a typing error in about every name
    assert first.n_checked == evidence.eval.n_genuine - evidence.eval.n_false_non_match


def test_a_rule_takes_a_match_away_and_says_so(
    people: Dataset, run_folder: Path, tmp_path: Path
) -> None:
    goals = Goals(rules=(parse("born apart 2: no_match"),))
    service = Service(build(run_folder, people, goals=goals, into=tmp_path / "release"))
    row = people.payloads([0])[0]
    assert service.verify(row, row).outcome == "match"
    older = {**row, "born": row["born"] + 3}
    ruled = service.verify(row, older)
    assert (ruled.outcome, ruled.rule) == ("no_match", "born apart 2: no_match")
    assert ruled.score >= ruled.threshold
    assert service.verify(older, row).outcome == "no_match"
    explained = service.explain(row, older)
    assert (explained.outcome, explained.rule) == (ruled.outcome, ruled.rule)


def test_views_are_of_some_records_of_each_identity() -> None:
    """Two identities of 5,000 records would be 50 million comparisons at once."""
    rng = np.random.default_rng(0)
    identities = np.repeat(np.arange(3), 5000)
    embeddings = unit_rows(rng.standard_normal((15_000, 4)).astype(np.float32))
    scores = Scores(np.zeros(1, np.float32), np.ones(1, bool), *np.zeros((2, 1), np.int32))
    found = views(Part(embeddings, identities, Cosine(), scores), 0.5, 0.95)
    assert found is not None and found.fnmr is not None
    assert 0 < found.fmr.value < 0.25
