from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gemel.calibrate.goals.target import Target
from gemel.data.dataset import Dataset
from gemel.errors import DigestMismatch, NotFound, ParityError, ReleaseError, SpaceMismatch
from gemel.release import folder as folders
from gemel.release.evidence.goals import Goals
from gemel.release.make.build import build
from gemel.release.release import Release


@pytest.fixture
def copy(release: Release, tmp_path: Path) -> Path:
    """A copy of the release that a test may damage."""
    target = tmp_path / "copy"
    shutil.copytree(release.folder, target)
    for path in target.rglob("*"):
        path.chmod(0o755)
    return target


def reseal(folder: Path, **changes: object) -> None:
    """Give a changed folder a manifest that fits it, as a forger would."""
    body = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").unlink()
    head = {k: v for k, v in body.items() if k not in ("format", "id", "files")}
    folders.seal(folder, {**head, **changes})


def test_opening_gives_back_every_part(release: Release, people: Dataset) -> None:
    opened = Release.open(release.folder)
    assert opened.id == release.id
    assert opened.encoder.space_id == opened.space_id
    assert opened.policy.verify.threshold == opened.evidence.dev.threshold
    assert opened.profile.dim == opened.encoder.dim == opened.evidence.dim
    assert opened.gold.embeddings.shape == (len(opened.gold.ids), opened.encoder.dim)
    assert set(opened.gold.ids) <= set(people.ids)
    payloads, rows = opened.probe_payloads()
    assert 16 <= len(payloads) == len(rows) <= 32
    assert opened.check_parity().max_abs <= opened.manifest.tolerance.max_abs


def test_one_flipped_byte_of_any_file_is_refused_with_its_name(copy: Path) -> None:
    names = sorted(folders.plain_files(copy))
    assert {"manifest.json", "encoder/encoder.onnx", "policy.json", "gold.npz"} <= set(names)
    for name in names:
        data = (copy / name).read_bytes()
        for at in {0, len(data) // 2, len(data) - 1}:
            flipped = bytearray(data)
            flipped[at] ^= 1
            (copy / name).write_bytes(flipped)
            with pytest.raises(DigestMismatch) as caught:
                Release.open(copy)
            assert caught.value.where == str(copy / name)
        (copy / name).write_bytes(data)
    Release.open(copy)


def test_every_byte_of_the_manifest_counts(copy: Path) -> None:
    data = (copy / "manifest.json").read_bytes()
    for at in range(0, len(data), 7):
        flipped = bytearray(data)
        flipped[at] ^= 1
        (copy / "manifest.json").write_bytes(flipped)
        with pytest.raises(DigestMismatch):
            Release.open(copy, verify=False)


@pytest.mark.parametrize("name", ["policy.json", "encoder/encoder.onnx"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(DigestMismatch, match="missing") as caught:
        Release.open(copy)
    assert caught.value.where.endswith(name)


def test_an_extra_file_is_named(copy: Path) -> None:
    (copy / "encoder" / "notes.txt").write_text("hello")
    with pytest.raises(DigestMismatch, match="not in the manifest") as caught:
        Release.open(copy)
    assert caught.value.where.endswith("encoder/notes.txt")


def test_a_link_in_place_of_a_file_is_refused(copy: Path, tmp_path: Path) -> None:
    shutil.move(copy / "policy.json", tmp_path / "policy.json")
    (copy / "policy.json").symlink_to(tmp_path / "policy.json")
    with pytest.raises(DigestMismatch, match="not a plain file"):
        Release.open(copy)


def test_a_file_changed_after_opening_is_refused_when_read(copy: Path) -> None:
    release = Release.open(copy)
    (copy / "policy.json").write_text((copy / "policy.json").read_text() + " ")
    with pytest.raises(DigestMismatch, match="changed"):
        _ = release.policy


def test_no_manifest_is_no_release(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no release here"):
        Release.open(tmp_path)


def test_an_unknown_format_is_refused(copy: Path) -> None:
    body = json.loads((copy / "manifest.json").read_text())
    body["format"] = 2
    body["id"] = folders.manifest_id(body)
    text = json.dumps(body, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    (copy / "manifest.json").write_text(text)
    with pytest.raises(ReleaseError, match="format 2 is not known"):
        Release.open(copy)


def test_an_encoder_of_another_space_is_refused(copy: Path, other_release: Release) -> None:
    shutil.copy(other_release.folder / "encoder" / "encoder.onnx", copy / "encoder")
    reseal(copy)
    with pytest.raises(SpaceMismatch, match="the manifest says"):
        _ = Release.open(copy).encoder


def test_a_changed_encoder_fails_the_parity_check(copy: Path, other_release: Release) -> None:
    shutil.copy(other_release.folder / "encoder" / "encoder.onnx", copy / "encoder")
    reseal(copy, space_id=other_release.space_id)
    with pytest.raises(ParityError, match=r"probe \d+ moved by .* allowed is 0.0001"):
        Release.open(copy).check_parity()


def test_a_probe_moved_by_more_than_the_tolerance_is_named(copy: Path) -> None:
    rows = np.load(copy / "probes.npy")
    rows[5, 3] += 5e-4
    np.save(copy / "probes.npy", rows)
    reseal(copy)
    with pytest.raises(ParityError, match=r"probe 5 moved by 0.0005 .* 1 of 24 probes"):
        Release.open(copy).check_parity()


def test_a_probe_moved_by_less_is_fine(copy: Path) -> None:
    rows = np.load(copy / "probes.npy")
    np.save(copy / "probes.npy", rows + np.float32(2e-5))
    reseal(copy)
    parity = Release.open(copy).check_parity()
    assert 1e-5 < parity.max_abs < 1e-4


@pytest.mark.parametrize("part", ["zoo", "validity", "stability", "against", "sampling"])
def test_evidence_that_lacks_a_part_is_refused(copy: Path, part: str) -> None:
    body = json.loads((copy / "evidence.json").read_bytes())
    del body[part]
    (copy / "evidence.json").write_text(json.dumps(body))
    reseal(copy)
    with pytest.raises(ReleaseError, match=part):
        _ = Release.open(copy).evidence


def test_pickled_probes_are_not_loaded(copy: Path) -> None:
    rows = np.empty(24, dtype=object)
    rows[:] = [{"a": 1}] * 24
    np.save(copy / "probes.npy", rows, allow_pickle=True)
    reseal(copy)
    with pytest.raises(ReleaseError, match="no readable probes"):
        Release.open(copy).check_parity()


def test_a_child_has_another_id_in_the_same_space(release: Release, stricter: Release) -> None:
    opened = Release.open(stricter.folder)
    assert opened.id != release.id
    assert opened.space_id == release.space_id
    assert opened.manifest.parent == release.id
    assert opened.policy.verify.threshold == 0.95
    assert opened.check_parity().n == 24
    Release.open(release.folder)


def test_a_child_of_a_damaged_release_is_refused(copy: Path, tmp_path: Path) -> None:
    release = Release.open(copy)
    policy = msgspec.structs.replace(release.policy, prior=0.5)
    (copy / "gold.npz").write_bytes(b"")
    with pytest.raises(DigestMismatch):
        release.child(policy=policy, into=tmp_path / "child")
    assert not (tmp_path / "child").exists()


def test_a_child_without_a_change_is_refused(release: Release, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="without a new policy"):
        release.child(into=tmp_path / "child")


def test_same_content_and_time_give_the_same_id(
    release: Release, people: Dataset, run_folder: Path, tmp_path: Path
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    policy = msgspec.structs.replace(release.policy, prior=0.5)
    one = release.child(policy=policy, into=tmp_path / "one", now=now)
    two = release.child(policy=policy, into=tmp_path / "two", now=now)
    assert one.id == two.id
    assert one.manifest.created == "2026-01-01T00:00:00+00:00"


def test_a_release_is_never_overwritten(
    release: Release, people: Dataset, run_folder: Path, tmp_path: Path
) -> None:
    into = tmp_path / "there"
    into.mkdir()
    with pytest.raises(ReleaseError, match="exists already"):
        build(run_folder, people, goals=Goals(), into=into)


def test_a_failed_build_leaves_nothing_behind(
    people: Dataset, run_folder: Path, tmp_path: Path
) -> None:
    impossible = Target(kind="fmr", value=1e-9)
    with pytest.raises(Exception, match="cannot prove"):
        build(run_folder, people, goals=Goals(verify=impossible), into=tmp_path / "release")
    assert list(tmp_path.iterdir()) == []
