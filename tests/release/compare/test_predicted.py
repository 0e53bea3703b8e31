from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gemel.release.compare.predicted import predicted_flips
from gemel.release.release import GOLD, Release
from gemel.release.store import Store

STATE = Path(__file__).parents[2] / "flows" / "kept" / "state"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The kept release, with one threshold for all."""
    kept = Store(STATE).get("stable")
    policy = msgspec.structs.replace(kept.policy, categories=None)
    return kept.child(into=tmp_path_factory.mktemp("releases") / "one", policy=policy)


def moved(release: Release, into: Path, by: float) -> Release:
    band = release.policy.verify
    edges = {name: getattr(band, name) + by for name in ("threshold", "review_low", "review_high")}
    band = msgspec.structs.replace(band, **edges)
    return release.child(into=into, policy=msgspec.structs.replace(release.policy, verify=band))


def test_it_is_the_share_of_flips_among_what_is_found(release: Release, tmp_path: Path) -> None:
    after = moved(release, tmp_path / "after", 1.0)
    gold, prior = release.gold, release.policy.prior
    total = {True: 0, False: 0}
    found, flipped = dict(total), dict(total)
    for i, j in itertools.combinations(range(len(gold.ids)), 2):
        score = release.comparator.score(gold.embeddings[i : i + 1], gold.embeddings[j : j + 1])
        codes = [int(r.policy.verify.outcomes(score)[0]) for r in (release, after)]
        genuine = bool(gold.identities[i] == gold.identities[j])
        total[genuine] += 1
        found[genuine] += any(codes)
        flipped[genuine] += codes[0] != codes[1]

    def at_prior(n: dict[bool, int]) -> float:
        return prior * n[True] / total[True] + (1 - prior) * n[False] / total[False]

    expected = at_prior(flipped) / at_prior(found)
    assert 0 < expected < 1
    assert predicted_flips(release, after) == pytest.approx(expected, abs=1e-3)
    assert predicted_flips(release, release) == 0


def test_records_that_are_not_the_same_predict_nothing(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after, gold = moved(release, tmp_path / "after", 0.5), release.gold
    assert GOLD in after.manifest.files
    counted = type(gold)(gold.embeddings, np.roll(gold.identities, 1), gold.ids)
    few = type(gold)(gold.embeddings[:20], gold.identities[:20], gold.ids[:20])
    for other in (counted, few):
        monkeypatch.setitem(after.__dict__, "gold", other)
        assert predicted_flips(release, after) is None
    most = len(gold.ids) - 3
    part = type(gold)(gold.embeddings[:most], gold.identities[:most], gold.ids[:most])
    monkeypatch.setitem(after.__dict__, "gold", part)
    assert predicted_flips(release, after) is not None
