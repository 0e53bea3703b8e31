"""`gemel train` and `gemel calibrate`: from records to a release on the shelf."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli import show
from gemel.cli.categories import show_categories
from gemel.cli.project import AsJson, ConfigFile, DryRun, Project, Sets
from gemel.cli.release import summary
from gemel.errors import ReleaseError, TrainingError

if TYPE_CHECKING:
    from gemel.data.records import Dataset
    from gemel.release.release import Release
    from gemel.train.fit import Run
    from gemel.train.loop import Step


def train(
    config: ConfigFile = None, sets: Sets = None, dry_run: DryRun = False, json: AsJson = False
) -> None:
    """Train an encoder and export it; a killed run goes on, a finished one is not repeated."""
    project = Project.open(config, sets)
    dataset = project.dataset()
    if dry_run:
        show.say(f"would train on {len(dataset):,} records into {project.run_folder(dataset)}")
        return
    run = train_run(project, dataset)
    if json:
        show.as_json(run_facts(run))
    else:
        show.pairs(list(run_facts(run).items()))
    show.say("next: gemel calibrate")


def calibrate(
    name: Annotated[str, typer.Option(help="A name for people.")] = "",
    config: ConfigFile = None,
    sets: Sets = None,
    dry_run: DryRun = False,
    json: AsJson = False,
) -> None:
    """Choose a threshold on dev, measure it on eval, and put the release on the shelf."""
    project = Project.open(config, sets)
    dataset = project.dataset()
    if dry_run:
        show.say(f"would build a release from {project.run_folder(dataset)}")
        return
    release = find_release(project, dataset) or build_release(project, dataset, name=name)
    if json:
        show.as_json({"manifest": release.manifest, "policy": release.policy})
    else:
        show.pairs(summary(release))
        show_categories(release.evidence.categories)
    show.say(f"next: gemel report {release.short_id}; gemel release promote {release.short_id}")


def train_run(project: Project, dataset: Dataset) -> Run:
    """The run that records and settings decide: trained now, resumed, or found finished.

    Raises:
        LeakageError: the splits leak.
        TrainingError: training is not installed, or failed.
    """
    from gemel.data import leakage

    try:
        from gemel.train import fit
    except ModuleNotFoundError as e:
        raise TrainingError(
            f"training is not installed ({e.name} is missing)", hint="pip install 'gemel[train]'"
        ) from e
    splits = project.splits(dataset)
    leakage.find(dataset, splits).check()
    with show.progress("training", "steps") as tick:
        return fit.train(
            dataset,
            splits,
            project.config.train,
            project.run_folder(dataset),
            progress=lambda step: _tick(step, tick),
        )


def build_release(project: Project, dataset: Dataset, *, name: str = "") -> Release:
    """A release of the finished run, on the shelf.

    Raises:
        ReleaseError: the run is not finished.
        DataError: the data cannot support the goal of the threshold.
    """
    from gemel.release.build import build

    goal = project.config.calibrate
    folder = project.run_folder(dataset)
    if not folder.is_dir() and folder.parent.is_dir():
        raise ReleaseError(
            "no run of just these records and settings",
            where=str(folder),
            hint="run gemel train with the same settings; what --set says is not kept",
        )
    with show.progress("calibrating", "steps") as tick, tempfile.TemporaryDirectory() as draft:
        release = build(
            folder,
            dataset,
            goals=project.goals(),
            into=Path(draft) / "release",
            name=name,
            max_comparisons=goal.max_comparisons,
            seed=goal.seed,
            progress=tick,
        )
        return project.store().put(release.folder)


def find_release(project: Project, dataset: Dataset) -> Release | None:
    """The newest release on the shelf that the present run and goal would give again."""
    from gemel.encode.encoder import Encoder
    from gemel.release.release import ENCODER

    try:
        space_id = Encoder.open(project.run_folder(dataset) / ENCODER).space_id
    except ReleaseError:
        return None
    store = project.store()
    for manifest in reversed(store.list()):
        if manifest.space_id == space_id:
            release = store.get(manifest.id)
            evidence = release.evidence
            category = dataset.category.digest if dataset.category else ""
            same = (evidence.data.digest, evidence.data.category, evidence.goals) == (
                dataset.digest,
                category,
                project.goals(),
            )
            if same and manifest.parent is None:
                return release
    return None


def run_facts(run: Run) -> dict[str, Any]:
    """A run in a few lines."""
    best = max(run.history, key=lambda epoch: epoch["metric"])
    return {
        "folder": str(run.folder),
        "epochs": len(run.history) - 1,
        "best epoch": best["epoch"],
        "dev MAP@R": run.metric,
        "seconds": run.report["seconds"],
    }


def _tick(step: Step, tick: show.Tick) -> None:
    done = (step.epoch - 1) * step.n_steps + step.step
    tick(done, step.n_epochs * step.n_steps, f"loss {step.loss:.3f}  dev {step.metric:.4f}")
