"""The Python Record Linkage Toolkit: Fellegi-Sunter by ECM, and its supervised classifiers.

All pairs of dev and of eval are scored, so blocking costs no recall here. ECM sees no label; it
is fitted on pairs of dev and eval themselves. The supervised classifiers are fitted on train's
pairs. Comparison vectors come from `peers_vectors`: the toolkit's default calls Python once per
pair, rapidfuzz computes the same string measures a hundred times faster.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import recordlinkage as rl
from peers_records import SIDES, Job, Variants
from peers_vectors import MISSING, Comparison

MAX_TRAIN_PAIRS = 1_000_000
N_ROUNDS = 3
FLOOR = np.log(1e-7)


def ecm(job: Job) -> Variants:
    """ECM on binary agreement at three strengths, each also refined to levels of agreement.

    The toolkit starts ECM on levels only at random, which ends in useless optima here; so the
    pairs that binary ECM links label its naive Bayes on levels, in a few rounds of self-training.
    """
    comparison = Comparison(job)
    levels = {
        side: comparison.levels(comparison.compare(*_pairs(job.sides[side]))) for side in SIDES
    }
    rows = np.concatenate([levels[side] for side in SIDES])
    top = rows.max(axis=0)
    # Naive Bayes takes comparators as independent: ECM gets one per field.
    fields = [term[1:] for term in comparison.terms]
    main = [k for k, field in enumerate(fields) if field not in fields[:k]]
    sample = np.random.default_rng(0).random(len(rows)) < MAX_TRAIN_PAIRS / len(rows)
    every = _every(top)
    out: Variants = {}
    for name, below in (("exact", 0), ("near", 1), ("far", 2)):
        agree = np.maximum(top - below, 1)
        binary = {s: (levels[s] >= agree)[:, main].astype(np.int8) for s in SIDES}
        together = np.concatenate([*binary.values(), (every >= agree)[:, main].astype(np.int8)])
        model = _binary_ecm(together)
        out[f"binary {name}"] = {s: _log_odds(model, binary[s]) for s in SIDES}
        links = _log_odds(model, together)[: len(rows)] > 0
        refined = _refined(rows, every, links, sample | links)
        if refined is not None:
            out[f"levels from {name}"] = {s: _log_odds(refined, levels[s]) for s in SIDES}
    return out


def _binary_ecm(agreement: np.ndarray) -> rl.ECMClassifier:
    model = rl.ECMClassifier("jaro", binarize=None, max_iter=300)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model.fit(_frame(agreement))
    return model


def _refined(
    rows: np.ndarray, every: np.ndarray, links: np.ndarray, keep: np.ndarray
) -> rl.NaiveBayesClassifier | None:
    """Naive Bayes on levels, refitted to its own links; None when there is only one class."""
    rows, links = np.concatenate([rows[keep], every]), np.append(links[keep], [False] * len(every))
    model = None
    for _ in range(N_ROUNDS):
        if not 0 < links.sum() < len(links):
            break
        model = rl.NaiveBayesClassifier(binarize=None, alpha=0.1)
        model.fit(_frame(rows), _links(links))
        links = _log_odds(model, rows) > 0
    return model


def supervised(job: Job) -> Variants:
    """Naive Bayes on agreement levels; logistic regression on likenesses and levels."""
    comparison = Comparison(job)
    left, right, genuine = _training_pairs(job)
    likeness = {"train": comparison.compare(left, right)}
    likeness |= {side: comparison.compare(*_pairs(job.sides[side])) for side in SIDES}
    levels = {side: comparison.levels(value) for side, value in likeness.items()}
    links = _links(genuine)
    top = np.concatenate(list(levels.values())).max(axis=0)
    out: Variants = {}
    bayes = rl.NaiveBayesClassifier(binarize=None, alpha=0.1)
    bayes.fit(_frame(np.concatenate([levels["train"], _every(top)])), links)
    out["naive Bayes, levels"] = {s: _log_odds(bayes, levels[s]) for s in SIDES}
    inputs: dict[str, Callable[[str], np.ndarray]] = {
        "likeness": lambda side: _continuous(likeness[side]),
        "likeness and levels": lambda side: np.hstack(
            [_continuous(likeness[side]), _one_hot(levels[side], top)]
        ),
    }
    for view, function in inputs.items():
        logistic = rl.LogisticRegressionClassifier(max_iter=300)
        logistic.fit(_frame(function("train")), links)
        out[f"logistic, {view}"] = {
            s: logistic.kernel.decision_function(function(s)).astype(np.float32) for s in SIDES
        }
    return out


def _pairs(idx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    i, j = np.triu_indices(len(idx), 1)
    return idx[i], idx[j]


def _training_pairs(job: Job) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All genuine pairs of train and a random sample of its other pairs."""
    idx, names = job.sides["train"], np.array(job.train_identity)
    i, j = np.triu_indices(len(idx), 1)
    genuine = names[i] == names[j]
    other = np.flatnonzero(~genuine)
    drawn = np.random.default_rng(0).choice(other, min(len(other), MAX_TRAIN_PAIRS), replace=False)
    keep = np.sort(np.concatenate([np.flatnonzero(genuine), drawn]))
    return idx[i[keep]], idx[j[keep]], genuine[keep]


def _links(genuine: np.ndarray) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([np.flatnonzero(genuine)] * 2)


def _every(top: np.ndarray) -> np.ndarray:
    """One row per level of agreement, so that none is unknown to a model fitted on it."""
    return np.minimum(np.arange(-1, top.max() + 1)[:, None], top).astype(np.int8)


def _frame(values: np.ndarray) -> pd.DataFrame:
    index = pd.MultiIndex.from_arrays([np.arange(len(values))] * 2)
    return pd.DataFrame(values, index=index)


def _continuous(likeness: np.ndarray) -> np.ndarray:
    missing = likeness == MISSING
    return np.hstack([np.where(missing, 0, likeness), missing]).astype(np.float32)


def _one_hot(levels: np.ndarray, top: np.ndarray) -> np.ndarray:
    columns = [levels[:, [k]] >= np.arange(1, top[k] + 1) for k in range(levels.shape[1])]
    return np.hstack(columns).astype(np.float32)


def _log_odds(model: rl.ECMClassifier | rl.NaiveBayesClassifier, levels: np.ndarray) -> np.ndarray:
    """Log-odds of a match: unlike the toolkit's probability it does not saturate into ties."""
    kernel = model.kernel
    kernel.feature_log_prob_ = np.maximum(np.nan_to_num(kernel.feature_log_prob_, nan=FLOOR), FLOOR)
    key = (levels + 1).astype(np.int64) @ (8 ** np.arange(levels.shape[1]))
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    unique = levels[first]
    joint = kernel._joint_log_likelihood(unique.astype(float))
    match = list(kernel.classes_).index(1)
    return (joint[:, match] - joint[:, 1 - match]).astype(np.float32)[inverse.ravel()]
