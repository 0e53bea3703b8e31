"""`gemel doctor`: what ails the encoder that was trained, and which labels may be wrong."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli import show
from gemel.cli.options import AsJson, ConfigFile, Sets
from gemel.cli.project import Project
from gemel.figures import number_of

if TYPE_CHECKING:
    from gemel.data.records import Dataset
    from gemel.improve.doctor.diagnosis import Diagnosis


def doctor(
    n: Annotated[int, typer.Option("-n", min=0, help="Suspected labels at most.")] = 10,
    config: ConfigFile = None,
    sets: Sets = None,
    json: AsJson = False,
) -> None:
    """Say what is wrong with the trained encoder, what may mend it, and which labels to look at."""
    from gemel.improve.doctor.diagnosis import diagnose
    from gemel.release.run import Run

    project = Project.open(config, sets)
    dataset = project.dataset()
    run = Run.open(project.run_folder(dataset), dataset)
    train, base = project.config.train, project.config.root
    found = diagnose(run, dataset, n=n, settings=train, base=base)
    if json:
        show.as_json(_facts(found, dataset))
        return
    show.table(
        ["looked at", "found", "", "which means"],
        [[s.name, s.found, "ok" if s.fine else "!", s.says] for s in found.signs],
    )
    _settings(found)
    _suspects(found, dataset)


def _settings(found: Diagnosis) -> None:
    for sign in found.signs:
        if sign.settings:
            show.out(f"\n# {sign.name}: try in gemel.toml")
            for line in sign.settings:
                show.out(line)


def _suspects(found: Diagnosis, dataset: Dataset) -> None:
    if not found.n_looked_at:
        return
    if not found.suspects:
        show.say(f"no label is suspected among {number_of(found.n_looked_at, 'record')}")
        return
    show.out("\nlabels to look at, the likeliest to be wrong first")
    show.table(
        ["record", "labelled", "is near to", "labelled", "score", "usual or own"],
        [list(row.values()) for row in _rows(found, dataset)],
    )
    if dataset.pairing.given is None:
        show.say("each is a wrong label, one thing under two labels, or two that look alike")


def _rows(found: Diagnosis, dataset: Dataset) -> list[dict[str, Any]]:
    return [
        {
            "record": _name(dataset, s.record),
            "labelled": dataset.identity_of(s.record),
            "near": _name(dataset, s.stranger),
            "near_labelled": dataset.identity_of(s.stranger),
            "score": s.score,
            "own": s.own,
        }
        for s in found.suspects
    ]


def _name(dataset: Dataset, i: int) -> str:
    shown = dataset.contents.shown(i)
    return f"{dataset.ids[i]} {shown}".strip()


def _facts(found: Diagnosis, dataset: Dataset) -> dict[str, Any]:
    return {
        "signs": [asdict(s) for s in found.signs],
        "suspects": _rows(found, dataset),
        "looked_at": found.n_looked_at,
    }
