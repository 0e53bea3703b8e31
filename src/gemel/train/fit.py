"""From a dataset and its splits to a folder with an exported encoder: one training run.

A run is a function of records, splits and settings. Finished, it says so in `train.json` and is
not repeated; interrupted, it goes on from its checkpoint and ends with the same bits.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import torch

from gemel.arguments import path_of
from gemel.arrays import Int64
from gemel.data import crossed
from gemel.data.dataset import UNKNOWN, Dataset
from gemel.data.splits import SIDES, Splits
from gemel.encode.comparators import FILE as COMPARATOR
from gemel.encode.comparators import Comparator
from gemel.encode.encoder import NETWORK, PREPARE
from gemel.errors import ReleaseError
from gemel.files import whole, write_whole
from gemel.release.run import (
    ENCODER,
    LIKELY,
    MODEL,
    OTHERWISE,
    REPORT,
    WITHOUT,
    Run,
    RunReport,
    RunSettings,
    Training,
)
from gemel.settings import TrainSettings
from gemel.train import export, lessons, loop, towers
from gemel.train.arrays import embed, with_views
from gemel.train.backbones.frozen import Backbone, Frozen
from gemel.train.checks import require_given, require_records, require_settings
from gemel.train.comparators import pairwise
from gemel.train.comparators.pairwise import Compared
from gemel.train.loop.checkpoint import only_writer
from gemel.train.scale import memory, processor, ranks
from gemel.train.scale.recompute import recompute
from gemel.train.task import Task, key_of, resolve
from gemel.train.towers import Trainable
from gemel.train.tracking.trackers import tracked
from gemel.train.views import first

CHECKPOINT = "checkpoint.safetensors"
EXAMPLES = 64
FROZEN = "frozen"
"""Folder beside the runs with what backbones make of records."""


def train(
    dataset: Dataset,
    splits: Splits,
    settings: TrainSettings,
    folder: str | Path,
    *,
    base: str | Path = ".",
    progress: loop.Progress | None = None,
) -> Run:
    """Train, export and describe an encoder; skip or resume what a former call has done.

    Args:
        dataset: records with identities, or without any: then it is told from how they agree.
        splits: train is learned from, dev selects; eval is not touched. If they are crossed, an
            encoder is trained without each side, and one on all.
        settings: 0 and null mean the measured default of the modality.
        folder: becomes `encoder/{prepare.json,encoder.onnx,comparator.json}` and `train.json`.
        base: folder that a relative `train.backbone` is seen from.
        progress: called after each step.
    Raises:
        ConfigError: a setting that this modality does not have, or an argument of another type.
        DataError: too few identities or no genuine pair.
        TrainingError: training went wrong, or the export differs from torch.
    """
    require_given(dataset, splits, settings)
    folder = path_of(folder, "the folder of a run")
    half = towers.trainable(dataset.modality, settings, path_of(base, "a folder"))
    require_settings(settings, half, dataset, splits)
    if not splits.crossed:
        return _trained(Task(dataset, splits, splits, half, settings), folder, progress)
    parts = {side: crossed.without(dataset, splits, side) for side in SIDES}
    seen = crossed.everything(dataset, splits)
    learns = None
    if half.enough is not None:
        # What is measured of the three stands for the fourth, so that all have to score alike.
        several = [s.train for s in (*parts.values(), seen)]
        learns = all(
            half.enough(known(dataset.identities[at]), dataset.pairing.take(at)) for at in several
        )
        half = half if learns else replace(half, comparator=towers.cosine)
    task = Task(dataset, splits, seen, half, settings, learns=learns)
    n = len(parts) + 1
    for at, (side, part) in enumerate(parts.items(), 1):
        said, where = loop.numbered(progress, at, n), folder / WITHOUT.format(side)
        _trained(replace(task, splits=part, seen=part), where, said)
    return _trained(task, folder, loop.numbered(progress, n, n))


def _trained(task: Task, folder: Path, progress: loop.Progress | None) -> Run:
    """One encoder, trained, exported and described; skipped or resumed if it was begun before."""
    dataset, half, settings = task.dataset, task.half, task.settings
    identities = known(dataset.identities[task.seen.train])
    defaults = half.defaults_for(0 if dataset.has_identities else len(dataset))
    n_drawn = len(identities if half.judge_views else np.unique(identities))
    resolved = resolve(settings, defaults, n_drawn=n_drawn, pairing=dataset.pairing)
    key = key_of(task, resolved)
    # What nobody named may be another where the run goes on, or is asked for again.
    resolved = msgspec.structs.replace(resolved, device=processor.chosen(settings.device))
    folder.mkdir(parents=True, exist_ok=True)
    with ranks.group(), _writing(folder), _threads(resolved.threads), memory.kept():
        finished = _finished(folder, key)
        ranks.require_same(finished is not None)
        if finished is not None:
            return finished
        with tracked(folder, settings.trackers, resolved) as track:
            session = loop.Session(folder / CHECKPOINT, key, progress, track)
            training = _run(dataset, task.seen, half, resolved, session)
        report = RunReport(
            key=key,
            dataset=dataset.digest,
            modality=half.modality,
            splits=task.splits.as_dict(),
            training=training,
        )
        if ranks.is_first():
            write_whole(folder / REPORT, report.to_json())
            for name in (CHECKPOINT, CHECKPOINT + first.SUFFIX):
                (folder / name).unlink(missing_ok=True)
        ranks.together()
        return Run(folder, RunReport.read(folder))


def _writing(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Hold the folder, in the process that writes to it."""
    return only_writer(folder) if ranks.is_first() else contextlib.nullcontext()


@contextlib.contextmanager
def _threads(n: int) -> Iterator[None]:
    """Their number decides the order of sums, and so the last bits of the weights."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _finished(folder: Path, key: str) -> Run | None:
    try:
        run = Run(folder, RunReport.read(folder))
    except ReleaseError:
        return None
    files = [run.encoder / name for name in (PREPARE, NETWORK, COMPARATOR)]
    return run if run.report.key == key and all(f.is_file() for f in files) else None


def _run(
    dataset: Dataset,
    splits: Splits,
    half: Trainable,
    settings: RunSettings,
    session: loop.Session,
) -> Training:
    """Train and write the encoder; returns what there is to say about it."""
    begun = time.monotonic()
    tell = None if dataset.has_identities else half.unlabelled
    if tell is None:
        require_records(dataset, splits)
    payloads = dataset.payloads(splits.train)
    prepare = half.fitted(payloads, dataset.fields, settings.image_size)
    identities = known(dataset.identities[splits.train])
    if half.sized is not None:
        settings = msgspec.structs.replace(settings, image_size=prepare.spec()["size"])
    # Of a backbone's records as many at once as it takes to export it: images are large.
    example = prepare(payloads[:EXAMPLES] if half.start else payloads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        tower = half.tower(prepare, example, size=settings.size)
    if settings.gradient_checkpointing:
        recompute(tower)
    both = payloads, dataset.payloads(splits.dev)
    if isinstance(tower, Frozen):
        kept = None
        if session.checkpoint is not None and ranks.is_first():
            kept = session.checkpoint.parent.parent / FROZEN
        learner = tower.learner
        arrays, dev = (tower.embedded(prepare, some, kept, settings.device) for some in both)
    else:
        learner = tower
        arrays, dev = prepare(payloads) if half.start else example, prepare(both[1])
    pairing = dataset.pairing.take(splits.train)
    views = half.views(prepare)
    if tell is not None:
        told = tell(learner, arrays, views, seed=settings.seed, pairing=pairing)
        identities = told.identities
    dev_identities = dataset.identities[splits.dev]
    if settings.views_first:
        alone = dataset.payloads(np.flatnonzero(dataset.identities == UNKNOWN))
        more = prepare([*payloads, *alone]) if alone and learner is tower else arrays
        metric = lessons.metric_of(dataset.pairing.take(splits.dev))
        first.by_views(learner, more, views, (metric, dev, dev_identities), settings, session)
    lesson = lessons.lesson(
        half,
        settings,
        (learner, arrays, identities),
        (pairing, dataset.pairing.take(splits.dev)),
        dataset.identity_names,
    )
    if tell is not None:
        dev_identities = known(dev_identities)
    if half.judge_views or tell is not None:
        dev = with_views(dev, views, settings.seed, both=not half.judge_views)
        dev_identities = np.concatenate([dev_identities, dev_identities])
    material = loop.Material(arrays, identities, dev, dev_identities, lesson.labels)
    mix = None if lesson.keeps_identities else half.mix
    objective = loop.Objective(
        lesson.supervision, lesson.metric, views, mix, lesson.learned, lesson.watch, lesson.look
    )
    started = time.monotonic()
    history = loop.fit(
        learner,
        material,
        lesson.sampler,
        objective,
        msgspec.convert(settings, loop.Plan, from_attributes=True),
        session,
    )
    learning = time.monotonic() - started
    comparator: Comparator
    estimate, likely, otherwise = None, None, None
    notes = half.notes(payloads)
    if tell is None:
        comparator = half.comparator(
            learner, arrays, identities, views, seed=settings.seed, pairing=pairing
        )
    else:
        told = tell(learner, arrays, views, seed=settings.seed, pairing=pairing)
        comparator, expected = told.fitted()
        estimate = msgspec.structs.replace(expected, notes=told.notes)
        likely, otherwise = splits.train[told.likely], told.fitted_otherwise()
    if lesson.curriculum is not None and lesson.curriculum.note:
        notes = (*notes, lesson.curriculum.note)
    if settings.comparator == "learned":
        of_train = Compared(embed(learner, arrays), identities, pairing)
        of_dev = Compared(embed(learner, dev), dev_identities, dataset.pairing.take(splits.dev))
        comparator, told_of_it = pairwise.chosen(of_train, of_dev, settings.seed)
        notes = (*notes, told_of_it)
    if isinstance(tower, Frozen | Backbone):
        tower = tower.whole()
    place = session.checkpoint.parent if session.checkpoint else Path()
    if half.save is not None and settings.max_epochs and ranks.is_first():
        half.save(tower, place / MODEL)
    if likely is not None and ranks.is_first():
        with whole(place / LIKELY) as file:
            np.save(file, likely)
        shutil.rmtree(place / OTHERWISE, ignore_errors=True)
        if otherwise is not None:
            (place / OTHERWISE).mkdir()
            otherwise.save(place / OTHERWISE)
    return Training(
        settings=settings,
        history=tuple(history),
        parity=export.write_encoder(place / ENCODER, tower, example, prepare, comparator)
        if ranks.is_first()
        else 0.0,
        learning_seconds=round(learning, 3),
        n_weights=sum(p.numel() for p in tower.parameters()),
        n_train=len(splits.train),
        n_dev=len(splits.dev),
        seconds=round(time.monotonic() - begun, 1),
        torch=str(torch.__version__),
        estimate=estimate,
        measure=lesson.measure,
        licence=half.licence,
        notes=notes,
        by_views=half.judge_views,
    )


def known(identities: Int64) -> Int64:
    """Codes in which each record of unknown identity is an identity of its own."""
    own = identities.max(initial=0) + 1 + np.arange(len(identities))
    return np.where(identities == UNKNOWN, own, identities).astype(np.int64)
