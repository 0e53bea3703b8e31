"""Policies of classes: what dev supports, what is promised, and that it holds for new classes."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from sklearn.datasets import load_digits

from gemel.arrays import Float32, Int64, unit_rows
from gemel.decide.classes import outcome
from gemel.encode.comparators.cosine import Cosine
from gemel.release.evidence import classes
from gemel.release.evidence.part import Part
from gemel.release.evidence.schema import Sampling
from gemel.release.release import Release
from gemel.tasks import episodes, fewshot
from gemel.tasks.fewshot import Supports

DIM = 12


def part(rows: Float32, identities: Int64) -> Part:
    return Part.of(rows, identities, Cosine(), sampling=Sampling(1000))


def world(rng: np.random.Generator, n: int, k: int = 7, spread: float = 0.25) -> Part:
    """Classes that differ in how much their items vary: some are strange as a whole."""
    centre = rng.standard_normal((n, 1, DIM))
    of_class = spread * rng.gamma(4, 0.25, (n, 1, 1))
    rows = centre + of_class * rng.standard_normal((n, k, DIM)) * np.linspace(0.3, 1.5, DIM)
    return part(unit_rows(rows.reshape(n * k, DIM)), np.repeat(np.arange(n), k))


def test_items_of_new_classes_are_called_unknown_as_often_as_was_allowed() -> None:
    """The guarantee, on average over draws of dev: classes that nothing was fitted on."""
    alpha, n_runs = 0.1, 24
    shares: dict[int, list[float]] = {1: [], 5: []}
    unknown: dict[int, list[float]] = {1: [], 5: []}
    unusual: list[float] = []
    for seed in range(n_runs):
        rng = np.random.default_rng(seed)
        fitted = classes.fit(world(rng, 60), alpha=alpha, shots=(1, 5), seed=seed)
        policy, new = fitted.policy, world(rng, 60)
        assert policy is not None and [level.shots for level in policy.levels] == [1, 5]
        unusual.append(float((policy.anomaly(new.embeddings) >= 1 - alpha).mean()))
        for shots in (1, 5):
            dealt = episodes.deal(new.identities, shots=shots, rng=rng)
            refused, taken = [], []
            for episode, other in zip(dealt, [*dealt[1:], dealt[0]], strict=True):
                for e, found in ((episode, refused), (other, taken)):
                    supports = Supports.of(new.embeddings[e.supports], e.labels)
                    rows = new.embeddings[episode.queries]
                    s = fewshot.scores(policy.method, supports, rows, spread=policy.within)
                    least = policy.least(supports.counts, s.shape[1])
                    found += [outcome(row, least) == "unknown" for row in s]
            shares[shots].append(float(np.mean(refused)))
            unknown[shots].append(float(np.mean(taken)))
    for shots, found in shares.items():
        slack = 3 * np.std(found) / np.sqrt(n_runs)
        assert np.mean(found) <= alpha + slack, shots
    assert np.mean(unusual) <= alpha + 3 * np.std(unusual) / np.sqrt(n_runs)
    # It is no empty promise: items of no enrolled class are mostly seen, with more supports more.
    assert np.mean(unknown[5]) > np.mean(unknown[1]) > 0.5


def test_where_classes_are_confused_strangers_are_told_at_the_same_price() -> None:
    """An item little like its own class is like another one: judged by its own class nobody is."""
    alpha, n_runs, told = 0.1, 12, {"own": [], "best": []}
    refused: list[float] = []
    for seed in range(n_runs):
        rng = np.random.default_rng(seed)
        fitted = classes.fit(world(rng, 90, spread=1.2), alpha=alpha, shots=(1,), seed=seed)
        assert fitted.policy is not None
        (level,) = fitted.policy.levels
        alone = msgspec.structs.replace(level, among=())
        own = msgspec.structs.replace(fitted.policy, levels=(alone,))
        new = world(rng, 90, spread=1.2)
        for name, policy in (("own", own), ("best", fitted.policy)):
            found = classes.measure(new, classes.Fitted(policy), confidence=0.95)
            assert found is not None
            told[name].append(1 - found.eval[0].false_known.value)
        refused.append(found.eval[0].false_unknown.value)
    assert np.mean(refused) <= alpha + 3 * np.std(refused) / np.sqrt(n_runs)
    assert np.mean(told["own"]) < 0.05 and np.mean(told["best"]) > 0.2, told


def test_few_identities_are_calibrated_by_encoders_that_had_not_seen_them() -> None:
    """Each side in a space of its own: scores of one are never those of another."""
    alpha, n_runs = 0.1, 24
    refused: list[float] = []
    told: list[float] = []
    for seed in range(n_runs):
        rng = np.random.default_rng(seed)
        one, two, new = (turned(world(rng, 30), rng) for _ in range(3))
        two = replace(two, identities=two.identities + 30)
        dev = part(
            np.concatenate([one.embeddings, two.embeddings]),
            np.concatenate([one.identities, two.identities]),
        )
        fitted = classes.fit(replace(dev, unseen=(one, two)), alpha=alpha, shots=(1, 5), seed=seed)
        assert fitted.policy is not None and fitted.policy.method != "mahalanobis"
        assert [level.calibration.n_classes for level in fitted.policy.levels] == [40, 40]
        assert fitted.policy.levels[0].among[-1].n_classes <= 20
        found = classes.measure(new, fitted, confidence=0.95)
        assert found is not None and found.unusual is None
        assert "that had not seen the classes" in found.guarantee
        refused.append(found.eval[0].false_unknown.value)
        told.append(1 - found.eval[0].false_known.value)
    assert np.mean(refused) <= alpha + 3 * np.std(refused) / np.sqrt(n_runs)
    assert np.mean(told) > 0.5


def turned(of: Part, rng: np.random.Generator) -> Part:
    """The same records in another space."""
    turn, _ = np.linalg.qr(rng.standard_normal((DIM, DIM)))
    return part((of.embeddings @ turn).astype(np.float32), of.identities)


def test_eval_says_how_the_policy_does_with_intervals_by_class() -> None:
    rng = np.random.default_rng(1)
    fitted = classes.fit(world(rng, 90), alpha=0.05, shots=(1, 5))
    found = classes.measure(world(rng, 120), fitted, confidence=0.95)
    assert found is not None
    assert found.n_calibration == {1: 60, 5: 60}
    one, five = found.eval
    assert (one.shots, five.shots, one.ways, one.n_classes) == (1, 5, 20, 120)
    assert one.accuracy.value < five.accuracy.value
    for level in found.eval:
        assert level.false_unknown.low <= 0.05
        assert level.false_unknown.low < level.false_unknown.value < level.false_unknown.high
        assert level.open_set.oscr <= level.open_set.accuracy == level.accuracy.value
        assert "FPR95" in level.open_set.convention
    assert found.unusual.low <= 0.05
    tried = {a.method: a.accuracy for a in found.dev if a.shots == 5}
    assert set(tried) == set(classes.METHODS)
    assert "on average over classes" in found.guarantee


def test_the_method_is_the_one_that_is_right_most_often_on_dev() -> None:
    """Directions that only carry noise mislead all methods but the one that knows the spread."""
    rng = np.random.default_rng(0)
    n, k = 120, 6
    rows = (
        rng.standard_normal((n, 1, DIM))
        + rng.standard_normal((n, k, DIM)) * np.r_[np.full(4, 3.0), np.full(DIM - 4, 0.1)]
    )
    # The last coordinate keeps lengths apart from directions when rows are scaled.
    rows = np.concatenate([rows, np.full((n, k, 1), 20.0)], axis=2)
    dev = part(unit_rows(rows.reshape(n * k, -1)), np.repeat(np.arange(n), k))
    policy = classes.fit(dev, alpha=0.1, shots=(1,)).policy
    assert policy is not None and policy.method == "mahalanobis" and policy.within is not None


def test_too_few_identities_give_no_policy_and_say_what_is_missing() -> None:
    images, digit = load_digits(return_X_y=True)
    digits = part(unit_rows(images), digit.astype(np.int64))
    fitted = classes.fit(digits, alpha=0.05, shots=(1, 5))
    assert fitted.policy is None
    assert "takes 23 identities" in fitted.notes[0] and "there are 10" in fitted.notes[0]
    assert classes.measure(digits, fitted, confidence=0.95) is None
    lenient = classes.fit(digits, alpha=0.25, shots=(1, 5)).policy
    assert lenient is not None and lenient.levels[0].calibration.n_classes >= 3


def test_identities_of_few_records_calibrate_one_shot_only() -> None:
    fitted = classes.fit(world(np.random.default_rng(0), 60, k=2), alpha=0.1, shots=(5,))
    assert fitted.policy is not None
    assert [level.shots for level in fitted.policy.levels] == [1]
    assert "5 supports are not calibrated: 0 identities have 6" in fitted.notes[0]


def test_single_records_and_unknown_identities_do_not_disturb() -> None:
    rng = np.random.default_rng(0)
    dev = world(rng, 60, k=2)
    more = unit_rows(rng.standard_normal((50, DIM)))
    codes = np.r_[dev.identities, np.arange(1000, 1030), np.full(20, -1)]
    mixed = part(np.concatenate([dev.embeddings, more]), codes)
    policy = classes.fit(mixed, alpha=0.1, shots=(1,)).policy
    assert policy is not None
    assert policy.strangeness.n_classes > policy.levels[0].calibration.n_classes


def test_a_built_release_carries_its_policy_of_classes_and_the_evidence(release: Release) -> None:
    policy, evidence = release.policy.classify, release.evidence.classes
    assert policy is not None and evidence is not None
    assert policy.alpha == release.evidence.goals.alpha == evidence.alpha == 0.05
    assert [level.shots for level in evidence.eval] == [1]
    assert not any("supports" in note for note in release.evidence.notes)
    assert release.evidence.classes is not None
    assert "5 supports are not calibrated" in release.evidence.classes.notes[0]
    assert evidence.eval[0].false_unknown.low <= 0.05
    assert (release.folder / "policy.json").stat().st_size < 100_000


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_gives_the_same_policy(seed: int) -> None:
    dev = world(np.random.default_rng(3), 40)
    one, two = (classes.fit(dev, alpha=0.1, shots=(1, 5), seed=seed).policy for _ in range(2))
    assert one == two
