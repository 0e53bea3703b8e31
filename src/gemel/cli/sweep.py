"""`gemel train --sweep`: which settings are best on dev, as lines for gemel.toml."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from gemel.cli import show
from gemel.cli.project import Project
from gemel.errors import ConfigError, TrainingError
from gemel.figures import number_of

if TYPE_CHECKING:
    from gemel.data.records import Dataset
    from gemel.train.sweep import Trial, Values

USUAL = "usual"
"""The word for the dials that matter most."""
CANNOT = {"max_epochs", "seed", "threads"}
"""What a sweep decides itself, or what is no dial."""


def sweep(project: Project, dataset: Dataset, words: Sequence[str], *, as_json: bool) -> None:
    """Try settings against each other and write which were best.

    Args:
        project: with records of which some belong together.
        dataset: they.
        words: `KEY=A,B,...` of `[train]`, or the usual ones.
        as_json: for programs.
    Raises:
        ConfigError: no such setting, or splits that have no dev to choose by.
    """
    from gemel.cli.train import checked_splits, train_run
    from gemel.train import sweep as sweeps
    from gemel.train import towers

    if project.config.split.crossed or not dataset.has_identities:
        what = "a sweep needs identities, and a dev side that no encoder has learned from"
        raise ConfigError(what, where="--sweep", hint="set split.crossed = false, name identities")
    checked_splits(project, dataset)
    settings = project.config.train
    defaults = towers.trainable(dataset.modality, settings, project.config.root).defaults
    dials = _dials(words) or sweeps.usual(settings, defaults)
    tried = sweeps.candidates(dials, settings.seed)
    n = math.prod(len(values) for values in dials.values())
    show.say(f"{len(tried)} of {n} combinations of {', '.join(dials)}; eval is not looked at")

    def learn(values: Values, epochs: int) -> float:
        changed = sweeps.with_values(settings, values, epochs)
        config = msgspec.structs.replace(project.config, train=changed)
        began, said = time.monotonic(), _words(values)
        try:
            run = train_run(replace(project, config=config), dataset, quiet=True)
        except TrainingError as e:
            show.say(f"{said}: {e}")
            return math.nan
        metric = run.training.best.metric
        took = time.monotonic() - began
        lasted = number_of(epochs, "epoch") if epochs else "all epochs"
        show.say(f"{said}, {lasted}: dev {metric:.4f} ({took:.0f} s)")
        return metric

    done = sweeps.halve(tried, settings.max_epochs or defaults.max_epochs, learn)
    _tell(done, list(dials), as_json=as_json)


def _dials(words: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """What is said of dials; empty for the usual ones.

    Raises:
        ConfigError: one is no setting of `[train]`, or has a value that it cannot have.
    """
    dials: dict[str, tuple[Any, ...]] = {}
    for word in words:
        if word == USUAL:
            continue
        key, _, values = word.partition("=")
        name = key.strip().removeprefix("train.")
        if not values or name in CANNOT:
            hint = f"for example --sweep learning_rate=0.001,0.003, or --sweep {USUAL}"
            raise ConfigError(f"{word!r} is no dial with values", where="--sweep", hint=hint)
        dials[name] = tuple(_value(name, text.strip()) for text in values.split(","))
    return dials


def _value(name: str, text: str) -> Any:
    from gemel.config import Config

    settings = Config.load(None, {}, {f"train.{name}": text}).train
    return getattr(settings, name)


def _tell(done: Sequence[Trial], names: Sequence[str], *, as_json: bool) -> None:
    best = done[0]
    if math.isnan(best.metric):
        raise TrainingError("no combination could be trained", where="--sweep")
    if as_json:
        show.as_json({"best": dict(best.values), "trials": [vars(t) for t in done]})
        return
    rows = [[*(t.values[n] for n in names), t.epochs or "all", t.metric] for t in done]
    show.table([*names, "epochs", "dev metric"], rows)
    show.out("")
    show.out("[train]")
    for name, value in best.values.items():
        show.out(f"{name} = {json.dumps(value)}")
    show.say("the best on dev, as lines for gemel.toml; with them gemel train is done already")
    show.say("what is best of many on dev is a little worse elsewhere: gemel calibrate measures it")


def _words(values: Values) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
