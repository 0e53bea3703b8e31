"""A job goes on where it was, refuses what is not its own, and notices damage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import gemel
from gemel.data.dataset import Dataset
from gemel.errors import DataError
from gemel.improve import by_keys
from gemel.improve import comparison as module
from gemel.improve import job as jobs
from gemel.improve.result import Duplicates
from gemel.release.release import Release


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_PAIRS", 40 * 400)
    monkeypatch.setattr(module, "BLOCK_RECORDS", 40)
    monkeypatch.setattr(by_keys, "SCORED", 40)
    monkeypatch.setattr(module, "ENCODED_AT_ONCE", 50)


class Stopped(Exception):
    """Somebody pulled the plug."""


@pytest.mark.parametrize("engine", ["exact", "keys", "hnsw"])
def test_a_stopped_job_goes_on_and_finds_the_same(
    release: Release, strangers: Dataset, tmp_path: Path, engine: str
) -> None:
    whole = gemel.duplicates(release, strangers, engine=engine)
    seen: list[tuple[str, int]] = []

    def stop_at(limit: int) -> Duplicates | None:
        n = 0

        def progress(stage: str, done: int, total: int) -> None:
            nonlocal n
            seen.append((stage, done))
            n += 1
            if n == limit:
                raise Stopped

        try:
            return gemel.duplicates(
                release, strangers, engine=engine, folder=tmp_path / "job", progress=progress
            )
        except Stopped:
            return None

    assert [stop_at(n) for n in (1, 3, 9, 2)] == [None] * 4
    got = stop_at(1000)
    assert got is not None
    assert_frame_equal(got.clusters, whole.clusters)
    assert_frame_equal(got.pairs, whole.pairs)
    assert got.summary == whole.summary
    assert seen.count(("encoding", 50)) >= 2  # read or encoded, the first part is reported


def test_another_method_encodes_and_compares_nothing_again(
    release: Release, strangers: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = gemel.duplicates(release, strangers, folder=tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("done again")

    monkeypatch.setattr("gemel.encode.encoder.Encoder.encode", refuse)
    monkeypatch.setattr(module, "scan", refuse)
    second = gemel.duplicates(release, strangers, folder=tmp_path, method="components")
    assert_frame_equal(first.pairs, second.pairs)
    unknown = replace(strangers, identities=np.full(len(strangers), -1))
    third = gemel.duplicates(release, unknown, folder=tmp_path)
    assert_frame_equal(first.clusters, third.clusters)
    assert first.summary.agreement is not None and third.summary.agreement is None


def test_other_input_is_not_mixed_in(release: Release, strangers: Dataset, tmp_path: Path) -> None:
    gemel.duplicates(release, strangers, folder=tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    less = strangers.take(range(len(strangers) - 1))
    with pytest.raises(DataError, match="a job with other data"):
        gemel.duplicates(release, less, folder=tmp_path)
    with pytest.raises(DataError, match="a job with other engine, parameters"):
        gemel.duplicates(release, strangers, folder=tmp_path, engine="flat")
    with pytest.raises(DataError, match="a job with other data"):
        gemel.duplicates(release, strangers, less, folder=tmp_path)
    after = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert {p: t for p, t in after.items() if p.name != jobs.LOCK} == {
        p: t for p, t in before.items() if p.name != jobs.LOCK
    }


def test_another_release_is_not_mixed_in(
    release: Release, strangers: Dataset, tmp_path: Path
) -> None:
    from msgspec.structs import replace

    policy = release.policy
    band = replace(policy.verify, threshold=0.99, review_low=0.99, review_high=0.99)
    child = release.child(into=tmp_path / "child", policy=replace(policy, verify=band))
    gemel.duplicates(release, strangers, folder=tmp_path / "job")
    with pytest.raises(DataError, match="a job with other release"):
        gemel.duplicates(child, strangers, folder=tmp_path / "job")


def test_a_folder_of_something_else_is_left_alone(
    release: Release, strangers: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match=r"letter\.txt but no job"):
        gemel.duplicates(release, strangers, folder=tmp_path)
    with pytest.raises(DataError, match="cannot write here"):
        gemel.duplicates(release, strangers, folder=tmp_path / "letter.txt")


def test_a_damaged_block_is_named(release: Release, strangers: Dataset, tmp_path: Path) -> None:
    whole = gemel.duplicates(release, strangers, folder=tmp_path)
    block = sorted((tmp_path / "pairs").iterdir())[2]
    sound = block.read_bytes()
    block.write_bytes(sound[: len(sound) // 2])
    with pytest.raises(DataError, match=block.name):
        gemel.duplicates(release, strangers, folder=tmp_path)
    flipped = bytearray(sound)
    flipped[30] ^= 255
    block.write_bytes(bytes(flipped))
    with pytest.raises(DataError, match=block.name):
        gemel.duplicates(release, strangers, folder=tmp_path)
    block.unlink()
    assert gemel.duplicates(release, strangers, folder=tmp_path).summary == whole.summary


def test_damaged_embeddings_are_named(release: Release, strangers: Dataset, tmp_path: Path) -> None:
    whole = gemel.duplicates(release, strangers, folder=tmp_path)
    (rows,) = tmp_path.glob("rows-*.npy")
    rows.write_bytes(rows.read_bytes()[:1000])
    with pytest.raises(DataError, match=rows.name):
        gemel.duplicates(release, strangers, folder=tmp_path)
    rows.unlink()
    assert gemel.duplicates(release, strangers, folder=tmp_path).summary == whole.summary


def test_one_process_works_on_a_job(release: Release, strangers: Dataset, tmp_path: Path) -> None:
    with (
        jobs.opened(tmp_path, {"a": 1}),
        pytest.raises(DataError, match="another process works on this job"),
    ):
        gemel.duplicates(release, strangers, folder=tmp_path)


def test_the_finished_blocks_are_parquet(
    release: Release, strangers: Dataset, tmp_path: Path
) -> None:
    got = gemel.duplicates(release, strangers, folder=tmp_path)
    blocks = pl.read_parquet(tmp_path / "pairs" / "*.parquet")
    assert len(blocks) >= len(got.pairs) > 100 and blocks.columns == ["left", "right", "score"]
    assert not list((tmp_path / "rows").iterdir())
