"""Two releases are compared on the same comparisons; what differs is counted and bounded."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

import gemel
from gemel.calibrate.rates import difference
from gemel.calibrate.scores.all_pairs import all_pairs
from gemel.data import splits
from gemel.data.dataset import Dataset
from gemel.data.splits import Splits
from gemel.errors import DataError, ReleaseError
from gemel.release.compare.compare import Comparison, compare
from gemel.release.release import Release


@pytest.fixture(scope="module")
def sides(people: Dataset) -> Splits:
    return splits.by_identity(people, dev=0.3, eval=0.3)


@pytest.fixture(scope="module")
def found(release: Release, other_release: Release, people: Dataset, sides: Splits) -> Comparison:
    return compare(release, other_release, people, sides)


def test_both_ends_are_what_the_evidence_says(
    found: Comparison, release: Release, other_release: Release
) -> None:
    of = {d.measure: d for d in found.differences}
    for end, made in (("before", release), ("after", other_release)):
        seen, ours = made.evidence.eval, made.evidence.candidates[0]
        for name in ("F1", "precision", "recall", "FMR", "FNMR"):
            estimate = getattr(seen, name.lower())
            assert getattr(of[name], end) == pytest.approx(estimate.value, abs=1e-9), name
        curve = made.evidence.eval_curve
        assert getattr(of["EER"], end) == pytest.approx(curve.eer)
        assert getattr(of["AUROC"], end) == pytest.approx(curve.auroc)
        assert getattr(of["recall_at_1"], end) == pytest.approx(ours.retrieval.recall_at_k[1])
        assert getattr(of["MAP@R"], end) == pytest.approx(ours.retrieval.map_at_r)
        wrong = seen.prior * seen.fnmr.value + (1 - seen.prior) * seen.fmr.value
        assert getattr(of["cost"], end) == pytest.approx(wrong)
    for d in found.differences:
        assert d.value == pytest.approx(d.after - d.before)
        assert d.low <= d.value <= d.high
    assert "FNMR at FMR 0.01" in of
    assert "FNMR at FMR 0.001" not in of  # would rest on 4 false matches


def test_flips_are_those_that_counting_gives(
    found: Comparison, release: Release, other_release: Release, people: Dataset, sides: Splits
) -> None:
    dataset = people.take(sides.eval)
    match = []
    for made in (release, other_release):
        rows = made.encoder.encode(dataset.payloads())
        scores = all_pairs(rows, dataset.identities, made.comparator)
        match.append(scores.score >= np.float64(made.policy.verify.threshold))
    n = {(f.genuine, f.before, f.after): f.n for f in found.flips}
    assert sum(n.values()) == np.count_nonzero(match[0] != match[1]) > 0
    lost = scores.genuine & match[0] & ~match[1]
    assert n.get((True, "match", "no_match"), 0) == np.count_nonzero(lost)
    for flip in found.flips:
        assert len(flip.examples) == min(flip.n, 3)
        for example in flip.examples:
            assert (example.left.identity == example.right.identity) == flip.genuine
            for made, outcome, score in (
                (release, flip.before, example.before),
                (other_release, flip.after, example.after),
            ):
                assert made.policy.decide(score).outcome == outcome
                pair = [
                    made.encoder.encode([p.payload["row"]]) for p in (example.left, example.right)
                ]
                assert made.comparator.score(*pair)[0] == pytest.approx(score, abs=1e-5)


def test_turning_it_round_turns_every_difference_round(
    found: Comparison, release: Release, other_release: Release, people: Dataset, sides: Splits
) -> None:
    back = compare(other_release, release, people, sides)
    for d, e in zip(found.differences, back.differences, strict=True):
        assert (e.value, e.low, e.high) == pytest.approx((-d.value, -d.high, -d.low), abs=1e-9)


def test_a_better_threshold_is_called_better(
    release: Release, people: Dataset, sides: Splits, tmp_path: Path
) -> None:
    """The threshold of one child accepts everything."""
    band = msgspec.structs.replace(
        release.policy.verify, threshold=-1.0, review_low=-1.0, review_high=-1.0
    )
    policy = msgspec.structs.replace(release.policy, verify=band)
    child = release.child(policy=policy, into=tmp_path / "child")
    worse, better = compare(release, child, people, sides), compare(child, release, people, sides)
    assert (worse.verdict, better.verdict) == ("worse", "better")
    assert worse.sentence.startswith("Worse: F1 ")
    assert worse.sentence.endswith("worse also in precision, FMR, cost.")
    assert "better also in precision, FMR, cost" in better.sentence
    assert "only their thresholds differ" in worse.notes[0]
    assert "EER" not in {d.measure for d in worse.differences}
    of = {d.measure: d for d in worse.differences}
    assert min(of["FMR"].low, of["recall"].low, -of["FNMR"].high) >= 0, "matches only come to it"
    fmr = next(d for d in worse.differences if d.measure == "FMR")
    assert fmr.after == 1.0
    assert fmr.seen == "worse"


def test_releases_that_decide_alike_are_bounded_by_identities(
    release: Release, people: Dataset, sides: Splits, tmp_path: Path
) -> None:
    child = release.child(evidence=release.evidence, into=tmp_path / "child", name="same")
    found = compare(release, child, people, sides)
    assert not found.flips
    assert "both give every comparison the same score and have the same threshold" in found.notes
    bound = 1 - 0.05 ** (1 / (found.n_identities // 2))
    seen = release.evidence.eval
    for d in found.differences:
        assert d.value == 0
        assert d.method == difference.UNMOVED
        assert -bound - 1e-12 <= d.low < 0 < d.high <= bound + 1e-12
    widest = next(d for d in found.differences if d.measure == "F1")
    assert (widest.low, widest.high) == pytest.approx((-bound, bound))
    fmr = next(d for d in found.differences if d.measure == "FMR")
    assert fmr.high == pytest.approx(min(bound, seen.fmr.high - seen.fmr.low))
    assert found.verdict == "cannot tell"
    assert compare(release, child, people, sides, margin=0.2).verdict == "not worse"


def test_other_records_are_refused(
    release: Release, people: Dataset, sides: Splits, run_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ReleaseError, match="with itself"):
        compare(release, release, people, sides)
    child = release.child(evidence=release.evidence, into=tmp_path / "child", name="same")
    with pytest.raises(DataError, match="these eval records are"):
        compare(release, child, people, Splits(sides.train, sides.eval, sides.dev))
    data = release.evidence.data
    moved = {**data.sides, "eval": msgspec.structs.replace(data.sides["eval"], digest="f" * 64)}
    evidence = msgspec.structs.replace(
        release.evidence, data=msgspec.structs.replace(data, sides=moved)
    )
    elsewhere = release.child(evidence=evidence, into=tmp_path / "elsewhere")
    with pytest.raises(DataError, match=f"{release.short_id}.*{elsewhere.short_id}.*ffffffffffff"):
        compare(release, elsewhere, people, sides)


def test_it_is_public() -> None:
    assert gemel.compare is compare
    assert gemel.Comparison is Comparison


def test_every_kind_of_flip_has_examples(
    release: Release, people: Dataset, sides: Splits, tmp_path: Path
) -> None:
    """Nearly everything leaves a wide review band, and rare kinds are not crowded out."""
    band = msgspec.structs.replace(release.policy.verify, review_low=-1.0, review_high=1.0)
    policy = msgspec.structs.replace(release.policy, verify=band)
    child = release.child(policy=policy, into=tmp_path / "child")
    found = compare(child, release, people, sides)
    assert {f.after for f in found.flips if f.genuine} == {"match", "no_match"}
    for flip in found.flips:
        assert len(flip.examples) == min(flip.n, 3)
        at = release.policy.verify.threshold
        sure = [abs(e.after - at) for e in flip.examples]
        assert sure == sorted(sure, reverse=True)
    review = next(d for d in found.differences if d.measure == "review share")
    assert (review.after, review.seen) == (0.0, "better")
