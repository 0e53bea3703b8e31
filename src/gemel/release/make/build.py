"""From a finished training run to a release, from top to bottom.

Open the run, encode and compare dev and eval, decide on dev, measure on eval, seal. Only the
exported encoder is used, so every number was measured on the arithmetic that will serve.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gemel.arguments import path_of, require
from gemel.arrays import Float32, Int64
from gemel.data import crossed
from gemel.data.dataset import Dataset, require_dataset
from gemel.decide.policy import Policy
from gemel.encode import comparators, modality
from gemel.encode.comparators import Comparator, as_norm
from gemel.encode.encoder import NETWORK, PREPARE, Encoder
from gemel.encode.profile import Profile
from gemel.errors import ConfigError
from gemel.release import folder as folders
from gemel.release import genuine, probes
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.part import Origin, Part, compared, encode
from gemel.release.evidence.schema import DEFAULT_SAMPLING, Sampling
from gemel.release.evidence.shrunk import Shrunk
from gemel.release.folder import Tolerance
from gemel.release.make.decide import decide
from gemel.release.make.measured import measured
from gemel.release.make.progress import Progress, ticker
from gemel.release.release import EVIDENCE, GOLD, POLICY, PROFILE, Head, Release, seal
from gemel.release.run import ENCODER, Run

N_STEPS = 7
GOLD_RECORDS = 2000


def build(
    run_folder: str | Path,
    dataset: Dataset,
    *,
    goals: Goals,
    into: str | Path,
    name: str = "",
    licence: str = "",
    sampling: Sampling = DEFAULT_SAMPLING,
    now: datetime | None = None,
    progress: Progress | None = None,
    shrunk: Shrunk | None = None,
) -> Release:
    """The release of a training run; of one without labels, the unproven one.

    Args:
        run_folder: with `encoder/{prepare.json,encoder.onnx,comparator.json}` and `train.json`.
        dataset: the one it was trained on.
        goals: what its decisions have to reach.
        into: folder to become; must not exist.
        name: for people.
        licence: of the data and of pretrained weights.
        sampling: which comparisons are made; its seed is that of the probes and the gold set too.
        now: creation time, for reproducible ids.
        progress: called with steps done and steps in all.
        shrunk: where its encoder comes from, if that is a smaller one of another release.
    Raises:
        ConfigError: a cohort for a crossed run.
        DataError: other records than the run's, or too few to support a goal.
        ReleaseError: no finished run, a goal that takes labels it has not, or `into` exists.
    """
    run_folder = path_of(run_folder, "the folder of a run", "its folder: run.folder")
    into = path_of(into, "the folder to become")
    require_dataset(dataset, "that it was trained on")
    require(goals, Goals, "Goals", "gemel.Goals(verify=TARGET) is one")
    require(sampling, Sampling, "a Sampling", "gemel.Sampling(seed=0) is one")
    tick, created = ticker(progress, N_STEPS), now or datetime.now(UTC)
    run = Run.open(run_folder, dataset)
    if run.training.estimate is not None:
        from gemel.release.make import unproven  # it takes its parts from here

        return unproven.build(
            run_folder,
            dataset,
            goals=goals,
            into=into,
            name=name,
            licence=licence,
            sampling=sampling,
            now=created,
            progress=progress,
        )
    origin = Origin(run, dataset, Encoder.open(run.encoder))
    comparator = normalised(origin, goals.cohort, sampling.seed)
    with folders.draft(into) as draft:
        sides = compared(origin, comparator, sampling, tick)
        decided = decide(sides.dev, goals, created.date(), fields=origin.fields)
        tick()
        evidence = measured(origin, sides, decided, tick)
        write_parts(draft, run.encoder, comparator, decided.policy)
        tolerance = _write_samples(draft, origin, sides.dev)
        sizes = {n: (draft / n).stat().st_size for n in sorted(folders.plain_files(draft))}
        evidence = msgspec.structs.replace(evidence, file_bytes=sizes, shrunk=shrunk)
        (draft / EVIDENCE).write_bytes(as_json(evidence))
        terms = licence or run.training.licence
        parent = None if shrunk is None else shrunk.parent
        space, kind = origin.encoder.space_id, origin.encoder.modality
        head = Head(space, kind, name, terms, parent, tolerance)
        release = seal(draft, into, head, now=created)
    release.check_parity()
    tick()
    return release


def normalised(origin: Origin, cohort: int, seed: int) -> Comparator:
    """The run's comparator, normalised by a cohort of train if one is wanted."""
    run, dataset = origin.run, origin.dataset
    plain = comparators.load(run.encoder)
    if not cohort:
        return plain
    if run.splits.crossed:
        raise ConfigError(
            "three encoders have no one cohort",
            where="calibrate.cohort",
            hint="leave calibrate.cohort at 0, or set split.crossed = false",
        )
    picked = as_norm.choose(dataset.identities[run.splits.train], cohort, seed)
    rows = encode(origin.encoder, dataset, run.splits.train[picked])
    return as_norm.normalised(plain, rows)


def write_parts(draft: Path, source: Path, comparator: Comparator, policy: Policy) -> None:
    """Encoder, comparator and policy: what it takes to decide."""
    (draft / ENCODER).mkdir()
    for file in (PREPARE, NETWORK):
        shutil.copyfile(source / file, draft / ENCODER / file)
    comparator.save(draft)
    (draft / POLICY).write_bytes(policy.to_json())


def _write_samples(draft: Path, origin: Origin, dev: Part) -> Tolerance:
    """Profile, golden probes and gold set, all of dev; and what is known of genuine pairs.

    No gold set of records that the encoder has learned from.

    Returns:
        Of the probes.
    """
    dataset, idx = origin.dataset, crossed.positions(origin.run.splits)["dev"]
    (draft / PROFILE).write_bytes(as_json(Profile.of(dev.embeddings)))
    tolerance = write_probes(draft, dataset, idx, dev.embeddings, dev.sampling.seed)
    if not dev.unseen:
        gold = dev.some(GOLD_RECORDS)
        np.savez(
            draft / GOLD,
            allow_pickle=False,
            embeddings=dev.embeddings[gold],
            identities=dev.identities[gold],
            ids=dataset.ids[idx[gold]],
        )
    if genuine.has_keys(origin.encoder.prepare):
        (draft / genuine.FILE).write_bytes(genuine.measured(dataset, origin.run.splits))
    return tolerance


def write_probes(draft: Path, dataset: Dataset, idx: Int64, rows: Float32, seed: int) -> Tolerance:
    """Write golden probes, some of n records.

    Args:
        draft: with its encoder.
        dataset: of the records.
        idx: (n,) their positions.
        rows: (n, d) their embeddings.
        seed: of the choice.
    Returns:
        How far they may move.
    """
    picked = probes.choose(len(idx), seed)
    kind = modality.named(dataset.modality)
    probes.write(draft, kind, dataset.payloads(idx[picked]), rows[picked])
    tried = probes.choose(len(idx), seed, most=probes.N_TRIED)
    again = encode(Encoder.open(draft / ENCODER, fused=False), dataset, idx[tried])
    return probes.allowed(again, rows[tried])


def as_json(value: Any) -> bytes:
    """A struct as a file of a release."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
