"""Other goals for a release: a child in the same space, measured again on the same records.

The encoder, the comparator and everything that goals do not touch are the parent's; policy and
evidence are new and complete. Nothing is encoded if the embeddings of the run are still there.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gemel.data.dataset import Dataset
from gemel.encode.comparators import FILE as COMPARATOR
from gemel.encode.encoder import NETWORK, PREPARE
from gemel.errors import SpaceMismatch
from gemel.release import folder as folders
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.part import Origin, compared
from gemel.release.evidence.schema import DEFAULT_SAMPLING, Sampling
from gemel.release.make.build import N_STEPS
from gemel.release.make.decide import decide
from gemel.release.make.measured import measured
from gemel.release.make.progress import Progress, ticker
from gemel.release.release import POLICY, Release
from gemel.release.run import ENCODER, Run


def recalibrate(
    parent: Release,
    run_folder: str | Path,
    dataset: Dataset,
    *,
    goals: Goals,
    into: str | Path,
    name: str | None = None,
    sampling: Sampling = DEFAULT_SAMPLING,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> Release:
    """The child of a release that reaches other goals.

    Args:
        parent: a release of the run.
        run_folder: of the run.
        dataset: the one it was trained on.
        goals: what the child's decisions have to reach.
        into: folder to become; must not exist.
        name: None keeps the parent's.
        sampling: which comparisons are made.
        now: creation time, for reproducible ids.
        progress: called with steps done and steps in all.
    Raises:
        SpaceMismatch: the parent is of another run.
        TargetRefused: the data cannot support a goal.
        DataError: other records than the run's.
        ReleaseError: no finished run, or `into` exists.
    """
    created, tick = now or datetime.now(UTC), ticker(progress, N_STEPS)
    origin = opened(parent, run_folder, dataset, goals.cohort)
    sides = compared(origin, parent.comparator, sampling, tick)
    decided = decide(sides.dev, goals, created.date(), fields=origin.fields)
    tick()
    evidence = measured(origin, sides, decided, tick, like=parent.evidence)
    sizes = {**parent.evidence.file_bytes, POLICY: len(decided.policy.to_json())}
    shrunk = parent.evidence.shrunk
    evidence = msgspec.structs.replace(evidence, file_bytes=sizes, shrunk=shrunk)
    return parent.child(policy=decided.policy, evidence=evidence, into=into, name=name, now=created)


def opened(parent: Release, run_folder: str | Path, dataset: Dataset, cohort: int) -> Origin:
    """What a release was made from.

    Raises:
        SpaceMismatch: the release is of another run, or of another cohort.
        DataError: other records than the run's.
        ReleaseError: no finished run.
    """
    run = Run.open(run_folder, dataset)
    if not is_of(parent, run.folder, cohort):
        raise SpaceMismatch(
            f"release {parent.short_id} is not of this run with a cohort of {cohort}",
            where=str(run.folder),
            hint="build a release of the run, or name its own folder",
        )
    return Origin(run, dataset, parent.encoder)


def is_of(release: Release, run_folder: Path, cohort: int = 0) -> bool:
    """Whether encoder and comparator of a release are those of a run.

    Args:
        release: any.
        run_folder: of the run.
        cohort: identities that its scores should be normalised by, around the run's comparator.
    """
    made, listed = run_folder / ENCODER, release.manifest.files
    parts = {f"{ENCODER}/{name}": made / name for name in (PREPARE, NETWORK)}
    parts |= {path.name: path for path in made.glob("comparator.*") if path.name != COMPARATOR}
    try:
        plain = json.loads((made / COMPARATOR).read_bytes())
    except (OSError, ValueError):
        return False
    spec = json.loads(folders.read_checked(release.folder, release.manifest, COMPARATOR))
    if cohort:
        spec = spec.get("inner")
    return (
        spec == plain
        and release.evidence.goals.cohort == cohort
        and all(p.is_file() and listed.get(n) == folders.sha256(p) for n, p in parts.items())
    )
