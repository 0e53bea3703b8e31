"""From a release to the cheapest one that keeps its quality: measure each candidate, make one.

Every candidate gets thresholds of its own for the goals of the release, chosen on dev, and is set
beside the release on the same comparisons of eval. Intervals hold for all candidates together
(Bonferroni), so that the one that is taken was not taken by chance.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from gemel.arguments import path_of, require, require_numbers
from gemel.calibrate.rates.difference import Difference
from gemel.data.dataset import Dataset, require_dataset
from gemel.data.splits import Splits
from gemel.encode.encoder import NETWORK, Encoder
from gemel.errors import ConfigError, DataError, ReleaseError, TargetRefused
from gemel.release.evidence import differences
from gemel.release.evidence.differences import Contender, Stakes
from gemel.release.evidence.part import KEPT, Origin, Sides, compared
from gemel.release.evidence.part import keep as keep_rows
from gemel.release.evidence.shrunk import Cost, Shrunk, Tried
from gemel.release.make.build import build, normalised
from gemel.release.make.decide import Decided, decide
from gemel.release.make.measured import timing
from gemel.release.make.progress import Progress, ticker
from gemel.release.release import Release, require_release
from gemel.release.run import ENCODER, Run
from gemel.train.loop.checkpoint import only_writer
from gemel.train.shrink.candidates import Candidate, candidates
from gemel.train.shrink.source import Source

KEEP = 0.99
TIMED = 200
"""Records of eval that are encoded one by one."""
JUDGED = ("recall", "precision", "F1")


@dataclass(frozen=True)
class Shrinking:
    """What was tried, and the release that came of it.

    Attributes:
        shrunk: each candidate with its cost and quality.
        release: of the one that was chosen; None if none keeps enough.
        run: folder that the release was built from.
    """

    shrunk: Shrunk
    release: Release | None = None
    run: Run | None = None


def shrink(
    parent: Release,
    dataset: Dataset,
    splits: Splits,
    *,
    keep: float = KEEP,
    take: str = "",
    student: bool = False,
    into: str | Path,
    name: str = "",
    kept: str | Path | None = None,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> Shrinking:
    """The cheapest smaller encoder that keeps the quality of a release, as a child of it.

    Args:
        parent: the release; it was measured on labels.
        dataset: that it was made from.
        splits: of the dataset, as they were then.
        keep: least share of the quality that has to be kept: the interval of the difference must
            rule out less. The quality is what the goal of the release leaves open: recall,
            precision or F1.
        take: a candidate by name, whatever it keeps; empty for the cheapest that keeps enough.
        student: also try a narrower tower that learns from the release, which takes a training.
        into: folder to become, with `release/` and the run it was built from, `run/`; must not
            exist. It stays empty if there is no release.
        name: for people.
        kept: folder in which a student goes on that was killed while it learned; of this call
            alone, and gone when it ends. None: it begins again.
        now: creation time, for reproducible ids.
        progress: called with steps done and steps in all.
    Raises:
        ReleaseError: it was shrunk before, or was not measured on labels.
        DataError: other records than those it was made from.
        ConfigError: no candidate of that name.
    """
    require_release(parent, "that is shrunk")
    require_dataset(dataset, "that it was made from")
    require(splits, Splits, "the Splits of the records", "gemel.by_identity(records) makes them")
    require_numbers(keep=keep)
    into = path_of(into, "the folder to become")
    kept = None if kept is None else path_of(kept, "a folder")
    require_shrinkable(parent)
    source = Source(parent, dataset, splits, kept)
    _require_records(source)
    plan = {c.name(source): c for c in candidates(source, taught=student)}
    if take and take not in plan:
        raise ConfigError(
            f"no candidate is named {take!r}", hint=f"one of: {', '.join(plan) or 'none'}"
        )
    created = now or datetime.now(UTC)
    tick = ticker(progress, len(plan) + 2)
    with tempfile.TemporaryDirectory() as scratch, _kept(kept):
        trial = Trial.of(source, Path(scratch), created, len(plan))
        tick()
        tried = []
        for label, candidate in plan.items():
            tried.append(trial.of_candidate(label, candidate, keep))
            tick()
        tried.sort(key=lambda t: t.share)
        found = Shrunk(
            parent=parent.id,
            keep=keep,
            measure=trial.measure,
            confidence=parent.evidence.target.confidence,
            before=trial.cost,
            tried=tuple(tried),
        )
        chosen = take or next((t.name for t in tried if t.kept and t.share < 1), "")
        if not chosen:
            return Shrinking(found)
        found = msgspec.structs.replace(found, chosen=chosen)
        # The release is measured on what its own network makes of the records.
        shutil.copytree(Path(scratch) / chosen, into / "run", ignore=shutil.ignore_patterns(KEPT))
        run = Run.open(into / "run", dataset)
        release = build(
            run.folder,
            dataset,
            goals=parent.evidence.goals,
            into=into / "release",
            name=name or f"{parent.manifest.name or parent.short_id}, {chosen}",
            licence=parent.manifest.licence,
            sampling=parent.evidence.sampling,
            now=created,
            shrunk=found,
        )
        tick()
    return Shrinking(found, release, run)


@contextlib.contextmanager
def _kept(folder: Path | None) -> Iterator[None]:
    """The folder for this process alone, and gone once all is done."""
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        yield
    shutil.rmtree(folder)


def require_shrinkable(parent: Release) -> None:
    """Raise unless what a smaller encoder loses can be measured.

    Raises:
        ReleaseError: it was shrunk before, or was not measured on labels.
        DataError: it has learned from its eval records.
    """
    evidence = parent.evidence
    if evidence.shrunk is not None:
        raise ReleaseError(
            f"release {parent.short_id} is a smaller one already",
            hint=f"shrink the one it comes from: gemel shrink {evidence.shrunk.parent[:12]}",
        )
    if evidence.unproven:
        raise ReleaseError(
            f"release {parent.short_id} was made without labels, so that no loss can be measured",
            hint="shrink a release of labelled records",
        )
    if evidence.data.crossed:
        raise DataError(
            f"release {parent.short_id} has learned from its eval records (split.crossed), so that "
            "no loss can be measured on them",
            hint="train with split.crossed = false, calibrate and shrink that release",
        )


def _require_records(source: Source) -> None:
    stated = source.parent.evidence.data
    if source.dataset.digest != stated.digest:
        raise DataError(
            f"release {source.parent.short_id} was made from other records of {stated.source}",
            where=source.dataset.source,
            hint="name the records that it was made from in [data]",
        )


@dataclass(frozen=True)
class Trial:
    """The release that is shrunk, as candidates are set beside it.

    Attributes:
        source: what is shrunk.
        scratch: folder for what is tried.
        created: whose day is that of the policies.
        before: the release on eval.
        stakes: what decisions are judged by, at the confidence of one interval of all.
        cost: of the release.
    """

    source: Source
    scratch: Path
    created: datetime
    before: Contender
    stakes: Stakes
    cost: Cost

    @classmethod
    def of(cls, source: Source, scratch: Path, created: datetime, n: int) -> Trial:
        """The trial of n candidates."""
        parent = source.parent
        goals, folder = parent.evidence.goals, scratch / "parent"
        (folder / ENCODER).mkdir(parents=True)
        for file in (parent.folder / ENCODER).iterdir():
            (folder / ENCODER / file.name).write_bytes(file.read_bytes())
        origin = Origin(source.run(folder), source.dataset, parent.encoder)
        keep_rows(origin, source.sides, source.judged[False])
        sides = compared(origin, parent.comparator, parent.evidence.sampling, lambda: None)
        part = sides.eval.level(parent.policy.categories)
        stakes = Stakes.of(goals.verify, goals.verify.prior or part.scores.prior)
        stakes = replace(stakes, confidence=1 - (1 - stakes.confidence) / max(n, 1))
        cost = _cost(source, origin.encoder, len(source.network))
        return cls(source, scratch, created, Contender(part, parent.policy.verify), stakes, cost)

    @property
    def measure(self) -> str:
        """What the goal leaves open."""
        left = self.source.parent.evidence.target.goal.leaves_open
        return left if left in JUDGED else "F1"

    def of_candidate(self, name: str, candidate: Candidate, keep: float) -> Tried:
        """A candidate, made, calibrated and set beside the release."""
        run = candidate.make(self.source, self.scratch / name)
        origin = Origin(run, self.source.dataset, Encoder.open(run.encoder))
        cost = _cost(self.source, origin.encoder, (run.encoder / NETWORK).stat().st_size)
        said = Tried(
            name=name,
            how=candidate.how(self.source),
            cost=cost,
            share=cost.share_of(self.cost),
            quality=None,
            kept=False,
        )
        rows = candidate.rows(self.source)
        if rows is not None:
            keep_rows(origin, self.source.sides, rows)
        try:
            sides, decided = self._decided(origin)
        except TargetRefused as e:
            return msgspec.structs.replace(said, reason=e.what)
        policy = decided.policy
        after = Contender(sides.eval.level(policy.categories), policy.verify)
        quality = self._quality(differences.at_thresholds((self.before, after), self.stakes))
        kept = quality.not_worse((1 - keep) * quality.before)
        return msgspec.structs.replace(said, quality=quality, kept=kept)

    def _decided(self, origin: Origin) -> tuple[Sides, Decided]:
        evidence = self.source.parent.evidence
        goals, sampling = evidence.goals, evidence.sampling
        comparator = normalised(origin, goals.cohort, sampling.seed)
        sides = compared(origin, comparator, sampling, lambda: None)
        return sides, decide(sides.dev, goals, self.created.date(), fields=origin.fields)

    def _quality(self, found: Sequence[Difference]) -> Difference:
        return next(d for d in found if d.measure == self.measure)


def _cost(source: Source, encoder: Encoder, network: int) -> Cost:
    """What an encoder costs, measured on records of eval."""
    payloads = source.dataset.payloads(source.splits.eval[:TIMED])
    seen = timing(encoder, payloads)
    return Cost(
        encoder_bytes=network,
        vector_bytes=encoder.dim * np.dtype(np.float32).itemsize,
        p50_ms=seen.single_p50_ms,
        p99_ms=seen.single_p99_ms,
    )
