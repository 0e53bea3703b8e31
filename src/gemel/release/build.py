"""From a finished training run to a release: encode, compare, choose on dev, report on eval.

Only the exported encoder is used, so every number was measured on the arithmetic that will serve.
The order of the steps is the order of this file.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gemel.arrays import Float32
from gemel.calibrate import curves
from gemel.calibrate.certify import smallest_fmr
from gemel.calibrate.policy import Policy
from gemel.calibrate.reliability import reliability
from gemel.calibrate.thresholds import Target
from gemel.calibrate.thresholds import measure as measure_at
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.data.splits import Splits
from gemel.data.units import units
from gemel.encode import asnorm, compare
from gemel.encode.compare import Comparator
from gemel.encode.encoder import NETWORK, PREPARE, Encoder
from gemel.encode.profile import Profile
from gemel.errors import DataError, ReleaseError
from gemel.release import baseline, measure, mistakes, probes
from gemel.release import folder as folders
from gemel.release.decide import Decided, decide
from gemel.release.evidence import Candidate, DataSummary, Evidence
from gemel.release.goals import Goals
from gemel.release.measure import Part
from gemel.release.mistakes import Item, Mistake
from gemel.release.release import ENCODER, EVIDENCE, GOLD, POLICY, PROFILE, Head, Release, seal

Progress = Callable[[int, int], None]
N_STEPS = 7
GOLD_RECORDS = 2000
COMPARED_RECORDS = 20_000
TIMED_RECORDS = 2000
TRAINING = "train.json"
UNTOLD = ("splits", "dataset", "format", "state", "key", "modality")
"""What a run says that a manifest or a data summary says already."""


@dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes:
        folder: with `encoder/` and `train.json`.
        splits: of the dataset it was trained on.
        summary: what it says about itself.
    """

    folder: Path
    splits: Splits
    summary: dict[str, Any]

    @classmethod
    def open(cls, folder: Path, dataset: Dataset) -> Run:
        """The run in a folder, if it was trained on this very dataset.

        Raises:
            ReleaseError: no finished run.
            DataError: it was trained on other records.
        """
        path = folder / TRAINING
        try:
            body = json.loads(path.read_bytes())
            stated, splits = body["dataset"], Splits.from_dict(body["splits"])
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise ReleaseError(
                f"no finished run: {e}", where=str(path), hint="train first: gemel train"
            ) from e
        if stated != dataset.digest:
            raise DataError(
                "the run was trained on other records",
                where=str(path),
                hint="train again, or name the records it was trained on",
            )
        return cls(folder, splits, {k: v for k, v in body.items() if k not in UNTOLD})


def build(
    run_folder: str | Path,
    dataset: Dataset,
    *,
    goals: Goals,
    into: str | Path,
    name: str = "",
    licence: str = "",
    max_comparisons: int = 20_000_000,
    seed: int = 0,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> Release:
    """The release of a training run.

    Args:
        run_folder: with `encoder/{prepare.json,encoder.onnx,comparator.json}` and `train.json`.
        dataset: the one it was trained on.
        goals: what its decisions have to reach.
        into: folder to become; must not exist.
        name: for people.
        licence: of the data and of pretrained weights.
        max_comparisons: above it, those of randomly chosen identities.
        seed: of that choice, of the probes and of the gold set.
        now: creation time, for reproducible ids.
        progress: called with steps done and steps in all.
    Raises:
        DataError: other records than the run's, or too few to support a goal.
        ReleaseError: no finished run, or `into` exists.
    """
    tick = _ticker(progress)
    run = Run.open(Path(run_folder), dataset)
    source = run.folder / ENCODER
    encoder = Encoder.open(source)
    comparator = _comparator(source, encoder, (run, dataset), goals.cohort, seed)
    with folders.draft(Path(into)) as draft:
        dev, eval = _sides(run, dataset, encoder, comparator, (max_comparisons, seed), tick)
        decided = decide(dev, goals)
        tick()
        _write_parts(draft, source, comparator, decided.policy)
        _write_samples(draft, dataset, run, dev, seed)
        evidence = _evidence((run, dataset, encoder), (dev, eval), (goals, decided), seed, tick)
        sizes = {n: (draft / n).stat().st_size for n in sorted(folders.plain_files(draft))}
        evidence = msgspec.structs.replace(evidence, file_bytes=sizes)
        (draft / EVIDENCE).write_bytes(_json(evidence))
        head = Head(encoder.space_id, encoder.modality, name, licence)
        release = seal(draft, Path(into), head, now=now)
    release.check_parity()
    tick()
    return release


def _comparator(
    source: Path, encoder: Encoder, made: tuple[Run, Dataset], cohort: int, seed: int
) -> Comparator:
    """The run's comparator, normalised by a cohort of train if one is wanted."""
    plain = compare.load(source)
    if not cohort:
        return plain
    run, dataset = made
    picked = asnorm.choose(dataset.identities[run.splits.train], cohort, seed)
    return asnorm.normalised(plain, measure.encode(encoder, dataset, run.splits.train[picked]))


def _sides(
    run: Run,
    dataset: Dataset,
    encoder: Encoder,
    comparator: Comparator,
    sampling: tuple[int, int],
    tick: Callable[[], None],
) -> tuple[Part, Part]:
    """Dev and eval, encoded and compared."""
    parts = []
    for idx in (run.splits.dev, run.splits.eval):
        rows = measure.encode(encoder, dataset, idx)
        max_comparisons, seed = sampling
        parts.append(
            measure.part(
                rows,
                dataset.identities[idx],
                comparator,
                max_comparisons=max_comparisons,
                seed=seed,
                units=units(dataset.take(idx)),
            )
        )
        tick()
    return parts[0], parts[1]


def _write_parts(draft: Path, source: Path, comparator: Comparator, policy: Policy) -> None:
    """Encoder, comparator and policy: what it takes to decide."""
    (draft / ENCODER).mkdir()
    for file in (PREPARE, NETWORK):
        shutil.copyfile(source / file, draft / ENCODER / file)
    comparator.save(draft)
    (draft / POLICY).write_bytes(policy.to_json())


def _write_samples(draft: Path, dataset: Dataset, run: Run, dev: Part, seed: int) -> None:
    """Profile, golden probes and gold set, all of dev."""
    (draft / PROFILE).write_bytes(_json(Profile.of(dev.embeddings)))
    picked = probes.choose(len(run.splits.dev), seed)
    probes.write(draft, dataset.payloads(run.splits.dev[picked]), dev.embeddings[picked])
    gold = mistakes.whole_identities(dev.identities, GOLD_RECORDS, seed)
    np.savez(
        draft / GOLD,
        allow_pickle=False,
        embeddings=dev.embeddings[gold],
        identities=dev.identities[gold],
        ids=dataset.ids[run.splits.dev[gold]],
    )


def _evidence(
    made: tuple[Run, Dataset, Encoder],
    parts: tuple[Part, Part],
    wanted: tuple[Goals, Decided],
    seed: int,
    tick: Callable[[], None],
) -> Evidence:
    run, dataset, encoder = made
    dev, eval = parts
    goals, decided = wanted
    target, chosen = goals.verify, decided.chosen
    on_eval = measure_at(
        eval.scores,
        chosen.threshold,
        prior=target.prior,
        confidence=target.confidence,
        review=(chosen.review_low, chosen.review_high),
        method=target.intervals,
    )
    points = measure.points(dev.scores, eval.scores, target, chosen, on_eval)
    tick()
    compared = _candidates(run, dataset, encoder, parts, (target, seed))
    tick()
    wrong = _mistakes(dataset, run, eval, chosen.threshold, seed)
    tick()
    return Evidence(
        data=_data_summary(dataset, run),
        training=run.summary,
        goals=goals,
        dev=chosen,
        eval=on_eval,
        points=points,
        dev_curve=curves.summary(dev.scores),
        eval_curve=curves.summary(eval.scores),
        smallest_fmr=smallest_fmr(dev.scores, target.confidence),
        candidates=compared,
        mistakes=wrong,
        dim=encoder.dim,
        timing=measure.timing(encoder, dataset.payloads(run.splits.eval[:TIMED_RECORDS])),
        file_bytes={},
        notes=tuple(
            f"{side}: {part.scores.note}"
            for side, part in (("dev", dev), ("eval", eval))
            if part.scores.note
        ),
        reliability=reliability(eval.scores, decided.policy),
        cohort_id=getattr(eval.comparator, "cohort_id", None),
    )


def _candidates(
    run: Run,
    dataset: Dataset,
    encoder: Encoder,
    parts: tuple[Part, Part],
    how: tuple[Target, int],
) -> tuple[Candidate, ...]:
    """The release and its baseline, on the same records, each at its own best-F1 threshold."""
    target, seed = how
    sides = (run.splits.dev, run.splits.eval)
    kept = [mistakes.whole_identities(p.identities, COMPARED_RECORDS, seed) for p in parts]
    positions = np.concatenate([idx[k] for idx, k in zip(sides, kept, strict=True)])
    plain = baseline.features(encoder.prepare, dataset, run.splits.train, positions)
    n_dev = len(kept[0])
    ours = [
        p if len(k) == np.count_nonzero(p.identities != UNKNOWN) else _part(p, p.embeddings[k], k)
        for p, k in zip(parts, kept, strict=True)
    ]
    theirs = [
        _part(p, rows, k, plain.comparator)
        for p, rows, k in zip(parts, (plain.rows[:n_dev], plain.rows[n_dev:]), kept, strict=True)
    ]
    return (
        measure.candidate("gemel", "this release", ours[0], ours[1], target.prior),
        measure.candidate(plain.name, plain.how, theirs[0], theirs[1], target.prior),
    )


def _part(
    like: Part, rows: Float32, kept: np.ndarray[Any, Any], comparator: Comparator | None = None
) -> Part:
    return measure.part(
        rows,
        like.identities[kept],
        comparator or like.comparator,
        max_comparisons=max(len(like.scores), 1000),
        seed=0,
        units=like.units,
    )


def _mistakes(
    dataset: Dataset, run: Run, eval: Part, threshold: float, seed: int
) -> tuple[Mistake, ...]:
    idx = run.splits.eval
    false_matches, false_non_matches = mistakes.nearest(
        eval.embeddings, eval.identities, eval.comparator, threshold, seed=seed
    )

    def item(at: int) -> Item:
        i = int(idx[at])
        shown = mistakes.shown(dataset.payloads([i])[0])
        return Item(str(dataset.ids[i]), dataset.identity_of(i) or "", shown)

    return (
        *mistakes.describe("false_match", false_matches, item),
        *mistakes.describe("false_non_match", false_non_matches, item),
    )


def _data_summary(dataset: Dataset, run: Run) -> DataSummary:
    return DataSummary(
        source=Path(dataset.source).name or dataset.source,
        digest=dataset.digest,
        n_records=len(dataset),
        n_unlabelled=int(np.count_nonzero(dataset.identities == UNKNOWN)),
        n_bad=dataset.n_bad,
        fields=tuple((f.name, f.kind) for f in dataset.fields),
        seed=run.splits.seed,
        sides={k: measure.side(dataset, idx) for k, idx in run.splits.sides().items()},
    )


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def _ticker(progress: Progress | None) -> Callable[[], None]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, N_STEPS)

    return tick
