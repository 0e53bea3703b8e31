"""Splink on DuckDB: probabilistic linkage with term frequencies, by EM or with train's labels.

The model sees the records of all sides without their labels, as in its real use: u and term
frequencies come from all of them. Only pairs within dev and within eval are predicted, and all of
them, so blocking costs no recall here; blocking rules serve EM only.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from peers_records import SIDES, Job, Variants
from peers_splink_setup import CERTAIN, COLUMN, EM_BLOCKS, NAMES, RECALL, set_name, setups
from splink import Linker, SettingsCreator, block_on
from splink.backends.duckdb import DuckDBAPI
from splink.internals.comparison_creator import ComparisonCreator

ALL_PAIRS_UP_TO = 1200
"""Records on a side up to which EM over all pairs is tried: it compares them in every step."""


def splink_em(job: Job) -> Variants:
    """Unsupervised: m by EM, in blocks or over all pairs of dev and eval."""
    return {
        f"{setup}, EM by {rules}": _run(job, made, rules)
        for setup, made in setups(job).items()
        for rules in ("blocks", "all pairs")
        if _fits(job, setup, rules)
    }


def splink_labels(job: Job) -> Variants:
    """The same comparisons, m from train's labels."""
    return {setup: _run(job, made, "labels") for setup, made in setups(job).items()}


def _fits(job: Job, setup: str, rules: str) -> bool:
    """Whether EM can run so: blocks on a name leave nothing to learn about joint names."""
    if rules == "all pairs":
        return max(len(job.sides[side]) for side in SIDES) <= ALL_PAIRS_UP_TO
    return setup != "joint names" or "date_of_birth" in job.kinds


def _run(job: Job, comparisons: list[ComparisonCreator], how: str) -> dict[str, np.ndarray]:
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=[block_on("side")],
        retain_matching_columns=False,
        additional_columns_to_retain=["side"],
    )
    database = DuckDBAPI()
    linker = Linker(database.register(_table(job)), settings, log_level="ERROR")
    train, name = linker.training, set_name(job)
    train.estimate_probability_two_random_records_match(
        [block_on(*fields) for fields in CERTAIN[name]], recall=RECALL[name]
    )
    train.estimate_u_using_random_sampling(max_pairs=5e6, seed=1)
    if how == "labels":
        train.estimate_m_from_label_column("label")
    elif how == "all pairs":
        train.estimate_parameters_using_expectation_maximisation(block_on("side"))
    else:
        for fields in EM_BLOCKS[name]:
            train.estimate_parameters_using_expectation_maximisation(block_on(*fields))
    predicted = linker.inference.predict()
    frame = database.duckdb_con.sql(
        f"SELECT unique_id_l, unique_id_r, match_weight FROM {predicted.physical_name}"
    ).fetchnumpy()
    return _scores(job, frame)


def _table(job: Job) -> pa.Table:
    everything = np.arange(len(job.rows))
    columns: dict[str, list[object]] = {"unique_id": list(everything)}
    for field, kind in job.kinds.items():
        values = job.column(field, everything)
        columns[COLUMN.get(field, field)] = [
            _tokens(v, kind) if kind in ("set", "title") else v for v in values
        ]
    side = np.array([f"train {i}" for i in everything], dtype=object)
    label = np.full(len(everything), None, dtype=object)
    for name in SIDES:
        side[job.sides[name]] = name
    label[job.sides["train"]] = job.train_identity
    columns |= {"side": list(side), "label": list(label)}
    if set(job.kinds) >= NAMES:
        pairs = zip(columns["given_name"], columns["surname"], strict=True)
        columns["full_name"] = [f"{g} {s}" if g and s else None for g, s in pairs]
    return pa.table(columns)


def _tokens(value: str | None, kind: str) -> list[str] | None:
    if value is None:
        return None
    words = value.lower().split("; " if kind == "set" else None)
    return sorted({w for w in words if kind == "set" or len(w) > 3})


def _scores(job: Job, frame: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    left, right, weight = frame["unique_id_l"], frame["unique_id_r"], frame["match_weight"]
    out = {}
    for side in SIDES:
        idx = job.sides[side]
        at = np.full(len(job.rows), -1)
        at[idx] = np.arange(len(idx))
        i, j = at[left], at[right]
        within = (i >= 0) & (j >= 0)
        square = np.full((len(idx), len(idx)), -np.inf, dtype=np.float32)
        square[np.minimum(i, j)[within], np.maximum(i, j)[within]] = weight[within]
        out[side] = square[np.triu_indices(len(idx), 1)]
    return out
