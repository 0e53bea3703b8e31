"""`gemel train`: from records to an encoder."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli import show
from gemel.cli import sweep as sweeping
from gemel.cli.calibrate import build_release, find_release
from gemel.cli.calibrated import facts as calibrated
from gemel.cli.calibrated import render
from gemel.cli.options import AsJson, ConfigFile, DryRun, Sets
from gemel.cli.project import Project
from gemel.cli.release import note_move
from gemel.errors import TrainingError
from gemel.figures import number_of, percent

if TYPE_CHECKING:
    from gemel.data.records import Dataset
    from gemel.data.splits import Splits
    from gemel.release.evidence.against_baseline import OnDev
    from gemel.release.run import Run, Training
    from gemel.train.loop import Step

EPOCHS_SHOWN = 10


def train(
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=A,B,...",
            help="Try values of train settings against each other on dev, most only briefly, "
            "and say which are best; may be repeated; usual: learning rate and size of a batch.",
        ),
    ] = None,
    config: ConfigFile = None,
    sets: Sets = None,
    dry_run: DryRun = False,
    details: Annotated[
        bool, typer.Option("--details", help="What was measured on dev, and what each epoch had.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Train an encoder and export it; a killed run goes on, a finished one is not repeated.

    torchrun --nproc-per-node 2 -m gemel train: several processes share the batches.
    """
    if dry_run:
        project = Project.open(config, sets)
        dataset = project.dataset()
        checked_splits(project, dataset)
        n = number_of(len(dataset), "record")
        show.say(f"would train on {n} into {project.run_folder(dataset)}")
        return
    check_installed()
    from gemel.train.scale import ranks

    with ranks.group(), ranks.one_voice():
        project = Project.open(config, sets)
        dataset = project.dataset()
        if sweep:
            sweeping.sweep(project, dataset, sweep, as_json=json)
            return
        run = train_run(project, dataset)
        if ranks.is_first():
            _tell(project, dataset, run, json=json, details=details)


def _tell(project: Project, dataset: Dataset, run: Run, *, json: bool, details: bool) -> None:
    """Write what a run reached, and what comes next."""
    from gemel.release.evidence.against_baseline import on_dev
    from gemel.release.words import learned

    if run.training.estimate is not None:
        _begin(project, dataset, json=json)
        return
    for note in run.training.notes:
        show.say(f"note: {note}")
    reached = on_dev(run, dataset)
    facts = run_facts(run, reached)
    if json:
        show.as_json(facts)
    elif details:
        show.pairs(list(facts.items()))
        _batches(run.training)
    else:
        last = ", the last of four" if run.splits.crossed else ""
        shown = [(f"{k}{last}" if k == "seconds" else k, value) for k, value in facts.items()]
        show.pairs([(name, value) for name, value in shown if not name.startswith("dev ")])
        show.say("--details: what was measured on dev, and what each epoch had to learn from")
    show.say(f"next: {_calibrate(project, dataset)}")
    show.verdict(*learned.on_dev(run.training, reached))


def _calibrate(project: Project, dataset: Dataset) -> str:
    """The next command; of given pairs with what it asks for, since their share was chosen."""
    from gemel.calibrate.goals.target import GOALS

    asked = project.config.calibrate
    is_said = asked.prior is not None or asked.use is not None
    if dataset.pairing.given is None or is_said or not GOALS[asked.target].by_share:
        return "gemel calibrate"
    return "gemel calibrate --prior P, of all that will be compared the share that is genuine"


def _begin(project: Project, dataset: Dataset, *, json: bool) -> None:
    """Put the release of a run without labels on the shelf, live if nothing proven is."""
    from gemel.encode import modality
    from gemel.release import gates

    release = find_release(project, dataset) or build_release(project, dataset)
    for note in release.evidence.notes:
        show.say(f"note: {note}")
    if json:
        show.as_json(calibrated(release))
    else:
        render(release)
    store = project.store()
    live = store.pointer("stable")
    if live is not None and not store.get(live).is_unproven:
        show.say(f"stable stays at {live[:12]}, which was measured; this is {release.short_id}")
        return
    _, move = gates.promote(
        store,
        release.id,
        actor=project.actor,
        reason="start without labels",
        enrolled=None,
    )
    note_move(project, move)
    two = bool(project.config.other.path)
    show.say(f"next: gemel {'link' if two else 'duplicates --pairs pairs.csv'}")
    asked_by = modality.named(release.modality).asked_by
    show.say(f"or: gemel gallery enroll, then gemel gallery search {asked_by}")
    show.say("to prove how good it is, say of some pairs whether they are the same: gemel label")


def train_run(project: Project, dataset: Dataset, *, quiet: bool = False) -> Run:
    """The run that records and settings decide: trained now, resumed, or found finished.

    Args:
        project: with settings.
        dataset: the records.
        quiet: the splits are checked already, and nothing is said of epochs off a terminal.
    Raises:
        LeakageError: the splits leak.
        TrainingError: training is not installed, or failed.
    """
    check_installed()
    from gemel.train import fit

    splits = project.splits(dataset) if quiet else checked_splits(project, dataset)
    stopped = "gemel train goes on from the last finished epoch"
    with show.resumable(stopped), show.progress("training", "steps") as tick:
        return fit.train(
            dataset,
            splits,
            project.config.train,
            project.run_folder(dataset),
            base=project.config.root,
            progress=lambda step: _tick(step, tick, quiet=quiet),
        )


def checked_splits(project: Project, dataset: Dataset) -> Splits:
    """The splits, once what stands on two sides of them is told.

    Raises:
        LeakageError: the splits leak.
    """
    from gemel.data import crossed, leakage
    from gemel.data.proposals.crowd import crowded
    from gemel.data.splits import too_few

    splits = project.splits(dataset)
    if not dataset.has_identities:
        return splits
    if splits.crossed:
        show.say(f"{crossed.IN_WORDS}: four are trained")
    for warning in filter(None, (crowded(dataset), too_few(dataset, splits))):
        show.say(f"warning: {warning}")
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


def run_facts(run: Run, reached: OnDev) -> dict[str, Any]:
    """A run in a few lines: what it reached on dev, beside no training and no learning at all."""
    training = run.training
    return {
        "folder": str(run.folder),
        "epochs": len(training.history) - 1,
        "best epoch": training.best.epoch,
        f"dev {training.measure}": training.best.metric,
        f"dev {training.measure}, untrained": training.history[0].metric,
        f"dev {reached.measure}, as exported": reached.ours,
        f"dev {reached.measure}, {reached.baseline}": reached.theirs,
        **({"image size": size} if (size := training.settings.image_size) else {}),
        "seconds": training.seconds,
    }


def _batches(training: Training) -> None:
    """What the batches had to teach, a line an epoch: of many, ten evenly taken and the best."""
    from gemel.train.tracking.hardness import QUANTILES

    seen = [e for e in training.history if e.batches is not None]
    step = -(-len(seen) // EPOCHS_SHOWN)
    shown = [e for e in seen if e.epoch % step == 0 or e == training.best]
    if not shown:
        return
    columns = [f"gap, {q:.0%}" for q in QUANTILES]
    head = ["epoch", "loss", f"dev {training.measure}", "active negatives", *columns]
    lines = [
        [e.epoch, e.loss, e.metric, percent(b.active), *b.hardness]
        for e in shown
        if (b := e.batches) is not None
    ]
    show.say("")
    show.table(head, lines)
    last = shown[-1].batches
    worst = () if last is None else last.dominating
    if worst:
        named = ", ".join(f"{name} ({percent(share, 3)})" for name, share in worst)
        show.say(f"most active negatives of the last epoch are those of {named}")


def _tick(step: Step, tick: show.Tick, *, quiet: bool) -> None:
    """A bar on a terminal; elsewhere a line for each epoch."""
    at, n = step.encoder
    of = f"encoder {at} of {n}, " if n > 1 else ""
    if step.step == step.n_steps and not quiet and not show.on_terminal():
        epoch, before = f"epoch {step.epoch} of at most {step.n_epochs}", f"{step.metric:.4f}"
        show.say(f"{of}{epoch}: loss {step.loss:.3f}, dev {before} before it")
    done = (step.epoch - 1) * step.n_steps + step.step
    tick(done, step.n_epochs * step.n_steps, f"{of}loss {step.loss:.3f}  dev {step.metric:.4f}")
