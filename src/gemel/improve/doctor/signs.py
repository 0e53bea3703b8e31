"""Signs of an encoder that has learned the wrong thing, each with the setting that mends it.

Figures are of embeddings that the exported encoder makes of train and dev.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gemel.arrays import Float32, Int64
from gemel.encode.comparators import Scorer
from gemel.encode.profile import Profile
from gemel.figures import percent, plain
from gemel.release.run import Training
from gemel.tasks.retrieval import retrieve

NARROW = 0.05
"""Share of the dimensions that embeddings should fill at least, by effective rank."""
CLUMPED = -0.5
"""Uniformity above which embeddings lie in a corner of their space; -4 is all over it."""
FORGETS = 0.3
"""How much better than dev train may be searched before the encoder knows it by heart."""
EASY = 0.01
"""Share of active negatives below which batches teach little."""
ROWS = 1000


@dataclass(frozen=True)
class Sign:
    """One thing that was looked at.

    Attributes:
        name: of it.
        found: the figure, for people.
        fine: whether it is as it should be.
        says: what is wrong, or what the figure means.
        settings: lines for gemel.toml that may mend it.
    """

    name: str
    found: str
    fine: bool
    says: str
    settings: tuple[str, ...] = ()


def signs(
    training: Training,
    train: tuple[Float32, Int64],
    dev: tuple[Float32, Int64],
    scorer: Scorer,
) -> list[Sign]:
    """What training says of itself, and what embeddings of train and dev show.

    Args:
        training: of the run.
        train: (n, d) rows of train and their identities, -1 unknown.
        dev: of dev.
        scorer: of the run.
    """
    return [
        *_spread(training, dev[0]),
        *_apart(*dev),
        *_by_heart(training, train, dev, scorer),
        *_batches(training),
    ]


def uniformity(rows: Float32) -> float:
    """Log of the mean of exp(-2 |x - y|^2) over pairs of rows: 0 in one point, about -4 all over.

    Source: Wang and Isola 2020, Understanding Contrastive Representation Learning through
        Alignment and Uniformity on the Hypersphere.
    """
    x = rows[:ROWS].astype(np.float64)
    apart = 2.0 - 2.0 * (x @ x.T)[np.triu_indices(len(x), 1)]
    return float(np.log(np.exp(-2.0 * apart).mean())) if apart.size else 0.0


def alignment(rows: Float32, identities: Int64) -> float | None:
    """Mean |x - y|^2 over pairs of one identity; None where there are none. Source: as above."""
    x, who = rows[:ROWS].astype(np.float64), identities[:ROWS]
    same = (who[:, None] == who[None]) & (who >= 0)[:, None] & ~np.eye(len(who), dtype=bool)
    return float((2.0 - 2.0 * (x @ x.T))[same].mean()) if same.any() else None


def _spread(training: Training, rows: Float32) -> list[Sign]:
    profile = Profile.of(rows)
    collapsed = profile.collapsed()
    slower = f"learning_rate = {training.settings.learning_rate / 3:.2g}"
    more = f"identities_per_batch = {2 * training.settings.identities_per_batch}"
    narrow = profile.effective_rank < NARROW * min(profile.dim, profile.n)
    return [
        Sign(
            "collapse",
            f"mean similarity {plain(profile.mean_similarity, 3)}",
            collapsed is None,
            collapsed or "embeddings differ",
            () if collapsed is None else ("[train]", slower, more),
        ),
        Sign(
            "effective rank",
            f"{profile.effective_rank:.1f} of {min(profile.dim, profile.n)}",
            not narrow,
            "few directions are used: what else tells records apart is lost"
            if narrow
            else "enough directions are used",
            ("[train]", more) if narrow else (),
        ),
    ]


def _apart(rows: Float32, identities: Int64) -> list[Sign]:
    spread, close = uniformity(rows), alignment(rows, identities)
    found = f"uniformity {spread:.2f}"
    found += "" if close is None else f", alignment {close:.2f}"
    clumped = spread > CLUMPED
    says = "records lie in a corner of their space" if clumped else "records lie apart"
    return [
        Sign(
            "spread",
            found,
            not clumped,
            says,
            ("[train]", 'loss = "infonce"', 'mining = "all"') if clumped else (),
        )
    ]


def _by_heart(
    training: Training, train: tuple[Float32, Int64], dev: tuple[Float32, Int64], scorer: Scorer
) -> list[Sign]:
    """Whether train is searched much better than dev, both by as many records."""
    n = min(len(train[0]), len(dev[0]))
    reached = []
    for rows, who in (train, dev):
        _, counts = np.unique(who[:n][who[:n] >= 0], return_counts=True)
        if not (counts > 1).any():
            return []
        reached.append(retrieve(rows[:n], who[:n], scorer, k=(1,)).map_at_r)
    known = reached[0] - reached[1] > FORGETS
    epochs = max(1, training.best.epoch // 2)
    return [
        Sign(
            "by heart",
            f"MAP@R {percent(reached[0], 3)} on train, {percent(reached[1], 3)} on dev",
            not known,
            "train is known by heart: fewer epochs, or more identities"
            if known
            else "dev is searched about as well as train",
            ("[train]", f"max_epochs = {epochs}") if known else (),
        )
    ]


def _batches(training: Training) -> list[Sign]:
    last = next((e.batches for e in reversed(training.history) if e.batches is not None), None)
    if last is None:
        return []
    easy = last.active < EASY
    mines = training.settings.loss in ("triplet", "contrastive", "margin-ranking", "angular")
    larger = f"identities_per_batch = {2 * training.settings.identities_per_batch}"
    harder = 'mining = "hard"' if mines and training.settings.mining == "all" else larger
    signs = [
        Sign(
            "negatives",
            f"{percent(last.active, 3)} active in the last epoch",
            not easy,
            "negatives have become too easy to teach anything" if easy else "negatives still teach",
            ("[train]", harder) if easy else (),
        )
    ]
    worst = [f"{name} ({percent(part, 3)})" for name, part in last.dominating]
    if worst:
        says = (
            "few identities have most of the active negatives: see whether their labels are "
            "right, or whether they are one identity"
            if training.estimate is None
            else "few records, by their place in the file, have most of the active negatives"
        )
        signs.append(Sign("dominated batches", ", ".join(worst), False, says))
    return signs
