"""`gemel train`: from records to an encoder."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gemel.cli import show
from gemel.cli.project import AsJson, ConfigFile, DryRun, Project, Sets
from gemel.errors import TrainingError

if TYPE_CHECKING:
    from gemel.data.records import Dataset
    from gemel.data.splits import Splits
    from gemel.release.run import Run
    from gemel.train.loop import Step


def train(
    config: ConfigFile = None, sets: Sets = None, dry_run: DryRun = False, json: AsJson = False
) -> None:
    """Train an encoder and export it; a killed run goes on, a finished one is not repeated."""
    project = Project.open(config, sets)
    dataset = project.dataset()
    if dry_run:
        checked_splits(project, dataset)
        show.say(f"would train on {len(dataset):,} records into {project.run_folder(dataset)}")
        return
    run = train_run(project, dataset)
    if json:
        show.as_json(run_facts(run))
    else:
        show.pairs(list(run_facts(run).items()))
    show.say("next: gemel calibrate")


def train_run(project: Project, dataset: Dataset) -> Run:
    """The run that records and settings decide: trained now, resumed, or found finished.

    Raises:
        LeakageError: the splits leak.
        TrainingError: training is not installed, or failed.
    """
    check_installed()
    from gemel.train import fit

    splits = checked_splits(project, dataset)
    stopped = "gemel train goes on from the last finished epoch"
    with show.resumable(stopped), show.progress("training", "steps") as tick:
        return fit.train(
            dataset,
            splits,
            project.config.train,
            project.run_folder(dataset),
            progress=lambda step: _tick(step, tick),
        )


def checked_splits(project: Project, dataset: Dataset) -> Splits:
    """The splits, once what stands on two sides of them is told.

    Raises:
        LeakageError: the splits leak.
    """
    from gemel.data import leakage

    splits = project.splits(dataset)
    project.judge(dataset, leakage.find(dataset, splits))
    return splits


def check_installed() -> None:
    """Raise unless training is installed.

    Raises:
        TrainingError: it is not.
    """
    if find_spec("torch") is None:
        what = "training is not installed (torch is missing)"
        raise TrainingError(what, hint="pip install 'gemel[train]'")


def run_facts(run: Run) -> dict[str, Any]:
    """A run in a few lines."""
    training = run.training
    return {
        "folder": str(run.folder),
        "epochs": len(training.history) - 1,
        "best epoch": training.best.epoch,
        "dev MAP@R": training.best.metric,
        **({"image size": size} if (size := training.settings.image_size) else {}),
        "seconds": training.seconds,
    }


def _tick(step: Step, tick: show.Tick) -> None:
    """A bar on a terminal; elsewhere a line for each epoch."""
    if step.step == step.n_steps and not show.on_terminal():
        before = f"dev {step.metric:.4f} before it"
        show.say(f"epoch {step.epoch} of at most {step.n_epochs}: loss {step.loss:.3f}, {before}")
    done = (step.epoch - 1) * step.n_steps + step.step
    tick(done, step.n_epochs * step.n_steps, f"loss {step.loss:.3f}  dev {step.metric:.4f}")
