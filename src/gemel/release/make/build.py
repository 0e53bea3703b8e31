"""From a finished training run to a release: encode, compare, choose on dev, report on eval.

Only the exported encoder is used, so every number was measured on the arithmetic that will serve.
The order of the steps is the order of this file.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gemel.arrays import Int64
from gemel.calibrate.goals.certificates import smallest_fmr
from gemel.calibrate.goals.stability import stability
from gemel.calibrate.probability.reliability import reliability
from gemel.calibrate.rates.hard_identities import zoo
from gemel.calibrate.rates.operating_point import measure as measure_at
from gemel.calibrate.rates.operating_point import review_share
from gemel.calibrate.scores import sweep
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.data.units import units
from gemel.decide.policy import Policy
from gemel.encode import comparators
from gemel.encode.comparators import Comparator, Scorer, as_norm
from gemel.encode.encoder import NETWORK, PREPARE, Encoder
from gemel.encode.profile import Profile
from gemel.release import folder as folders
from gemel.release import probes
from gemel.release.evidence import categories, classes, mistakes, searches, stages
from gemel.release.evidence import part as measure
from gemel.release.evidence.against_baseline import candidates
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.mistakes import Item, Mistake
from gemel.release.evidence.part import Part
from gemel.release.evidence.schema import DataSummary, Evidence
from gemel.release.make import embeddings
from gemel.release.make.decide import Decided, decide
from gemel.release.make.progress import Progress, ticker
from gemel.release.release import EVIDENCE, GOLD, POLICY, PROFILE, Head, Release, seal
from gemel.release.run import ENCODER, Run
from gemel.tasks import explain

N_STEPS = 7
GOLD_RECORDS = 2000
TIMED_RECORDS = 2000
N_REASONS = {"row": 20}
FEW_REASONS = 8
"""Mistakes of a kind that are explained: all that are shown where encoding is cheap, else few."""


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
    tick = ticker(progress, N_STEPS)
    run = Run.open(run_folder, dataset)
    source = run.encoder
    encoder = Encoder.open(source)
    comparator = _comparator(source, encoder, (run, dataset), goals.cohort, seed)
    with folders.draft(Path(into)) as draft:
        parts = sides(run, dataset, encoder, comparator, (max_comparisons, seed), tick)
        created = now or datetime.now(UTC)
        decided, evidence = decide_and_measure(
            (run, dataset, encoder), parts, (goals, created.date()), seed, tick
        )
        _write_parts(draft, source, comparator, decided.policy)
        _write_samples(draft, dataset, run, parts[0], seed)
        sizes = {n: (draft / n).stat().st_size for n in sorted(folders.plain_files(draft))}
        evidence = msgspec.structs.replace(evidence, file_bytes=sizes)
        (draft / EVIDENCE).write_bytes(_json(evidence))
        head = Head(encoder.space_id, encoder.modality, name, licence)
        release = seal(draft, Path(into), head, now=created)
    release.check_parity()
    tick()
    return release


def _comparator(
    source: Path, encoder: Encoder, made: tuple[Run, Dataset], cohort: int, seed: int
) -> Comparator:
    """The run's comparator, normalised by a cohort of train if one is wanted."""
    plain = comparators.load(source)
    if not cohort:
        return plain
    run, dataset = made
    picked = as_norm.choose(dataset.identities[run.splits.train], cohort, seed)
    return as_norm.normalised(plain, measure.encode(encoder, dataset, run.splits.train[picked]))


def _cohort_note(comparator: Scorer, wanted: int) -> str:
    """That a cohort is smaller than asked for; empty if it is not."""
    n = len(getattr(comparator, "cohort", ()))
    return f"a cohort of all {n:,} identities of train, not {wanted:,}" if n < wanted else ""


def sides(
    run: Run,
    dataset: Dataset,
    encoder: Encoder,
    comparator: Comparator,
    sampling: tuple[int, int],
    tick: Callable[[], None],
) -> tuple[Part, Part]:
    """Dev and eval, encoded and compared."""
    positions = {"dev": run.splits.dev, "eval": run.splits.eval}
    rows = embeddings.embeddings(run.folder, encoder, dataset, positions)
    max_comparisons, seed = sampling
    parts = []
    for side, idx in positions.items():
        parts.append(
            measure.part(
                rows[side],
                dataset.identities[idx],
                comparator,
                category=dataset.category.take(idx) if dataset.category else None,
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


def decide_and_measure(
    made: tuple[Run, Dataset, Encoder],
    parts: tuple[Part, Part],
    wanted: tuple[Goals, date],
    seed: int,
    tick: Callable[[], None],
    *,
    like: Evidence | None = None,
) -> tuple[Decided, Evidence]:
    """The policy for the goals, and all that is measured about it.

    Args:
        made: run, dataset, encoder.
        parts: dev and eval.
        wanted: goals, and the day from which the policy is valid.
        seed: of every random choice.
        tick: called after each step.
        like: evidence of a release of the same run, for what goals do not touch.
    Raises:
        TargetRefused: the data cannot support a goal.
    """
    goals, today = wanted
    fields = getattr(made[2].prepare, "fields", ())
    decided = decide(parts[0], goals, today, fields=fields)
    tick()
    return decided, measured(made, parts, (goals, decided), seed, tick, like=like)


def measured(
    made: tuple[Run, Dataset, Encoder],
    parts: tuple[Part, Part],
    wanted: tuple[Goals, Decided],
    seed: int,
    tick: Callable[[], None],
    *,
    like: Evidence | None = None,
) -> Evidence:
    """All that is measured about a policy; arguments as in `decide_and_measure`."""
    run, dataset, encoder = made
    goals, decided = wanted
    dev, eval = decided.dev, parts[1].level(decided.policy.categories)
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
    if like is not None and like.target.prior == target.prior:
        compared, against, timing = like.candidates, like.against, like.timing
    else:
        compared, against = candidates((run, dataset, encoder), parts, target, seed)
        timing = measure.timing(encoder, dataset.payloads(run.splits.eval[:TIMED_RECORDS]))
    tick()
    wrong = _mistakes(dataset, run.splits.eval, encoder, eval, decided.policy, seed)
    tick()
    return Evidence(
        data=_data_summary(dataset, run),
        training=run.training,
        goals=goals,
        dev=chosen,
        eval=on_eval,
        points=points,
        dev_curve=sweep.summary(dev.scores),
        eval_curve=sweep.summary(eval.scores),
        smallest_fmr=smallest_fmr(dev.scores, target.confidence),
        candidates=compared,
        mistakes=wrong,
        dim=encoder.dim,
        timing=timing,
        file_bytes={},
        classes=classes.measure(eval, decided.classes, confidence=target.confidence, seed=seed),
        notes=tuple(
            note
            for note in (
                *(
                    f"{n}: {p.scores.note}"
                    for n, p in (("dev", dev), ("eval", eval))
                    if p.scores.note
                ),
                categories.note(dev),
                _cohort_note(eval.comparator, goals.cohort),
                *(() if decided.classes.policy else decided.classes.notes),
            )
            if note
        ),
        categories=categories.reported(eval, goals, chosen.threshold),
        stability=stability(dev.scores, eval.scores, target, chosen, seed=seed),
        searches=searches.ladder(eval, decided.policy, target.confidence, seed),
        galleries=searches.galleries(eval, decided.policy, target.confidence, seed),
        zoo=zoo(eval.scores, chosen.threshold, _who(dataset, run.splits.eval), seed=seed),
        against=against,
        review=review_share(
            eval.scores, (on_eval.review_low, on_eval.review_high), on_eval.prior, target.confidence
        )
        if on_eval.review_low < on_eval.review_high
        else None,
        validity=measure.validity(decided.policy, chosen, encoder.space_id),
        reliability=reliability(eval.scores, decided.policy),
        stages=tuple(
            found
            for part in (dev, eval)
            if (found := stages.measured(part, decided.policy, goals.stages)) is not None
        ),
        views=stages.views(eval, chosen.threshold, target.confidence, seed),
        rules=stages.rule_costs(
            decided.policy.rules,
            eval,
            chosen.threshold,
            lambda at: dataset.payloads(run.splits.eval[at]),
            target.confidence,
        ),
        cohort_id=getattr(eval.comparator, "cohort_id", None),
        sampling=dev.sampling,
    )


def _mistakes(
    dataset: Dataset, idx: Int64, encoder: Encoder, eval: Part, policy: Policy, seed: int
) -> tuple[Mistake, ...]:
    """The wrong decisions on eval nearest the threshold; idx are its positions in the dataset."""
    false_matches, false_non_matches = mistakes.nearest(
        eval.embeddings,
        eval.identities,
        eval.comparator,
        policy.verify.threshold,
        level=eval.leveller(),
        seed=seed,
    )

    def item(at: int) -> Item:
        i = int(idx[at])
        shown = mistakes.shown(dataset.payloads([i])[0])
        return Item(str(dataset.ids[i]), dataset.identity_of(i) or "", shown)

    def reasons(pair: mistakes.Pair) -> tuple[explain.Part, ...]:
        left, right = dataset.payloads([int(idx[pair.left]), int(idx[pair.right])])
        of = eval.category
        category = (of.of(pair.left), of.of(pair.right)) if of else None
        steps = explain.attribute(
            encoder.prepare,
            eval.comparator,
            (left, right),
            lambda s: policy.decide(s, category).outcome,
        )
        return explain.answer(steps, encoder.encode).parts

    n = N_REASONS.get(encoder.modality, FEW_REASONS)
    return (
        *mistakes.describe("false_match", false_matches, item, reasons, n),
        *mistakes.describe("false_non_match", false_non_matches, item, reasons, n),
    )


def _who(dataset: Dataset, idx: Int64) -> Callable[[int], tuple[str, tuple[str, ...]]]:
    """Name and record ids of an identity code; idx are the positions to look at."""
    codes = dataset.identities[idx]

    def who(code: int) -> tuple[str, tuple[str, ...]]:
        ids = dataset.ids[idx[codes == code]]
        return dataset.identity_names[code], tuple(str(i) for i in ids)

    return who


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
        category=dataset.category.digest if dataset.category else "",
    )


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
