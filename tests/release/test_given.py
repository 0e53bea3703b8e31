"""Functions about a release say in words what they were given instead of one."""

from collections.abc import Callable
from pathlib import Path

import pytest

import gemel
from gemel.data.dataset import Dataset
from gemel.data.splits import by_identity
from gemel.errors import ConfigError
from gemel.release.release import Release


def test_what_is_no_release_run_goal_or_split_is_named(
    people: Dataset, release: Release, other_release: Release, run_folder: Path, tmp_path: Path
) -> None:
    splits, goals, into = by_identity(people), gemel.Goals(), tmp_path / "made"
    build, shrink, compare = gemel.build_release, gemel.shrink, gemel.compare
    wrong: list[Callable[[], object]] = [
        lambda: build(5, people, goals=goals, into=into),
        lambda: build(run_folder, "x", goals=goals, into=into),
        lambda: build(run_folder, people, goals=gemel.Target(), into=into),
        lambda: build(run_folder, people, goals=goals, into=5),
        lambda: build(run_folder, people, goals=goals, into=into, sampling=5),
        lambda: gemel.Goals(search="f1"),
        lambda: gemel.Goals(alpha="x"),
        lambda: gemel.explain("x", {}, {}),
        lambda: gemel.Service("x"),
        lambda: gemel.create_app(release),
        lambda: compare("x", release, people, splits),
        lambda: compare(release, other_release, "x", splits),
        lambda: compare(release, other_release, people, None),
        lambda: compare(release, other_release, people, splits, margin="x"),
        lambda: gemel.duplicates(release, people, max_risk="x"),
        lambda: gemel.duplicates(release, people, prior="x"),
        lambda: gemel.duplicates(release, people, canonical=5),
        lambda: gemel.duplicates(release, people, folder=5),
        lambda: shrink("x", people, splits, into=into),
        lambda: shrink(release, "x", splits, into=into),
        lambda: shrink(release, people, None, into=into),
        lambda: shrink(release, people, splits, keep="x", into=into),
        lambda: gemel.promote(gemel.Store(tmp_path), release, actor="a", reason="b"),
        lambda: gemel.remove_releases(gemel.Store(tmp_path), "abc", actor="a"),
    ]
    for call in wrong:
        with pytest.raises(ConfigError, match="expected"):
            call()
