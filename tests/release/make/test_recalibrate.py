"""Another goal gives a child with complete evidence, and nothing is encoded for it."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from gemel.arrays import Float32, Int64
from gemel.calibrate.goals.target import Target
from gemel.calibrate.goals.use import Use
from gemel.data.dataset import Dataset
from gemel.encode.encoder import Encoder
from gemel.errors import ConfigError, SpaceMismatch, TargetRefused
from gemel.release import gates
from gemel.release.evidence import part
from gemel.release.evidence.goals import Goals
from gemel.release.make.build import build
from gemel.release.make.recalibrate import is_of, recalibrate
from gemel.release.release import Release
from gemel.release.words.sentence import sentence

NOW = datetime(2026, 11, 25, tzinfo=UTC)
FMR = Goals(verify=Target(kind="fmr", value=0.05))


def test_a_child_is_what_a_build_with_its_goals_would_be(
    release: Release, people: Dataset, run_folder: Path, tmp_path: Path
) -> None:
    child = recalibrate(release, run_folder, people, goals=FMR, into=tmp_path / "child", now=NOW)
    built = build(run_folder, people, goals=FMR, into=tmp_path / "built", now=NOW)
    assert (child.manifest.parent, built.manifest.parent) == (release.id, None)
    assert child.space_id == built.space_id == release.space_id
    assert child.policy == built.policy
    for name in ("goals", "dev", "eval", "points", "smallest_fmr", "stability", "validity"):
        assert getattr(child.evidence, name) == getattr(built.evidence, name), name
    assert child.evidence.mistakes == built.evidence.mistakes
    assert child.evidence.candidates == release.evidence.candidates
    assert child.manifest.name == "people"
    assert gates.run(child, release).passed


def test_nothing_is_encoded_for_a_child(
    release: Release,
    people: Dataset,
    run_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded: list[int] = []
    encode = part.encode

    def counted(encoder: Encoder, dataset: Dataset, idx: Int64) -> Float32:
        encoded.append(len(idx))
        return encode(encoder, dataset, idx)

    monkeypatch.setattr(part, "encode", counted)
    recalibrate(release, run_folder, people, goals=FMR, into=tmp_path / "one")
    assert encoded == []
    kept = run_folder / part.KEPT
    whole = kept.read_bytes()
    for damaged in (whole[: len(whole) // 2], b""):
        kept.write_bytes(damaged)
        child = recalibrate(
            release, run_folder, people, goals=FMR, into=tmp_path / f"{len(damaged)}"
        )
        assert sum(encoded) > 0 and child.manifest.parent == release.id
        encoded.clear()
    with np.load(kept) as file:
        assert file["dev"].shape == (len(release.gold.ids), release.encoder.dim)


def test_a_prior_changes_what_the_baseline_is_measured_at(
    release: Release, people: Dataset, run_folder: Path, tmp_path: Path
) -> None:
    goals = Goals(verify=Target(kind="f1", prior=0.5))
    child = recalibrate(release, run_folder, people, goals=goals, into=tmp_path / "child")
    assert child.evidence.candidates[1].point.prior == 0.5


def test_another_run_and_an_impossible_goal_are_refused(
    release: Release,
    other_release: Release,
    people: Dataset,
    run_folder: Path,
    tmp_path: Path,
) -> None:
    assert is_of(release, run_folder) and not is_of(other_release, run_folder)
    with pytest.raises(SpaceMismatch, match="not of this run"):
        recalibrate(other_release, run_folder, people, goals=FMR, into=tmp_path / "child")
    strict = Goals(verify=Target(kind="fmr", value=1e-6))
    with pytest.raises(TargetRefused):
        recalibrate(release, run_folder, people, goals=strict, into=tmp_path / "child")
    assert not (tmp_path / "child").exists()


def test_searches_are_measured_on_eval_for_each_size(
    release: Release, people: Dataset, run_folder: Path, tmp_path: Path
) -> None:
    use = Use(kind="search", records=5_000)
    goals = Goals(search=Target(kind="fpir", value=0.3), use=use, valid_days=30)
    child = recalibrate(release, run_folder, people, goals=goals, into=tmp_path / "c", now=NOW)
    sizes = child.policy.sizes
    assert len(sizes) >= 2
    assert [p.gallery_size for p in child.evidence.searches] == [
        s.gallery_size for s in sizes if s.gallery_size <= 86
    ]
    for seen, step in zip(child.evidence.searches, sizes, strict=False):
        assert seen.threshold == step.band.threshold
        assert 0 < seen.fpir.value <= 0.3
        assert seen.n_mated == seen.n_probes == 90
    assert child.policy.expires == "2026-12-25"
    validity = child.evidence.validity
    assert validity.largest_gallery == sizes[-1].gallery_size
    assert any("gallery grows" in c for c in validity.conditions)
    assert f"galleries of up to {validity.largest_gallery}" in sentence(child.evidence)
    assert "in the 5,000 that it is for, whatever would match is for a person" in sentence(
        child.evidence
    )
    assert "in one of 5,000" not in sentence(child.evidence)
    largest = sizes[-1].gallery_size
    for n, stable, passes in (
        (largest, None, True),
        (largest + 1, None, False),
        (largest + 1, release, False),
        (largest + 1, child, True),
    ):
        ids = {"": [], "acme": [f"r{i}" for i in range(n)]}
        found = gates.foreseen(child, stable, enrolled=lambda _, ids=ids: ids).gates
        gate = next(gate for gate in found if gate.name == "certified for its gallery")
        assert gate.passed == passes
        assert ("what would match is for review" in gate.detail) == (n > largest)
    with pytest.raises(ConfigError, match="of a search"):
        Goals(verify=Target(kind="fpir", value=0.1))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Target(kind="fmr", value=0.05), "Of 100 pairs that do not belong together, at most 5 are"),
        (Target(kind="recall", value=0.5), "Of 10 pairs that belong together, at most 5 are miss"),
        (Target(kind="f1"), "counted on eval, not proven"),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_one_sentence_says_what_is_promised(
    release: Release,
    people: Dataset,
    run_folder: Path,
    tmp_path: Path,
    target: Target,
    said: str,
) -> None:
    goals = Goals(verify=target, valid_days=7)
    child = recalibrate(release, run_folder, people, goals=goals, into=tmp_path / "child")
    text = sentence(child.evidence)
    assert said in text
    assert text.count(". ") == 0 and text.endswith(".")
    assert ("95 % confidence" in text) == (target.value is not None)
