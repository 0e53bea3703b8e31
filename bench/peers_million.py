"""Splink on DuckDB, as its documentation advises for people, on one file or between two.

    python peers_million.py OUT FILE [FILE]

Jaro-Winkler levels with term frequencies for names, one edit for the parts of the birth date, four
blocking rules of three to four equal fields, u by random sampling, m by EM in two blocks; clusters
at probability .5. Writes OUT.parquet (id, cluster) and OUT.pairs.parquet (left, right, weight).
"""

from __future__ import annotations

import sys

import pyarrow as pa
import pyarrow.csv as csv
import splink.comparison_library as cl
from splink import Linker, SettingsCreator, block_on
from splink.backends.duckdb import DuckDBAPI

COLUMN = {"record": "unique_id", "by": "yob"}  # "by" is a word of SQL
NAMES, DATES = ("fname_c1", "lname_c1"), ("yob", "bm", "bd")
RULES = (
    ("fname_c1", "lname_c1", "yob"),
    ("fname_c1", "yob", "bm", "bd"),
    ("lname_c1", "yob", "bm", "bd"),
    ("fname_c1", "lname_c1", "bm", "bd"),
)
CERTAIN = ((*NAMES, "yob", "bm"), (*NAMES, "yob", "bd"), RULES[1], RULES[2])
"""Deterministic rules for the prior, those of `peers_splink_setup`."""
LEAST = 0.01


def table(path: str) -> pa.Table:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        names = file.readline().strip().split(",")
    texts = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True
    )
    found = csv.read_csv(path, convert_options=texts).drop_columns(["identity"])
    return found.rename_columns([COLUMN.get(name, name) for name in found.column_names])


def main(out: str, *paths: str) -> None:
    names = [
        cl.JaroWinklerAtThresholds(name, [0.9, 0.8]).configure(term_frequency_adjustments=True)
        for name in NAMES
    ]
    settings = SettingsCreator(
        link_type="dedupe_only" if len(paths) == 1 else "link_only",
        comparisons=[*names, *(cl.DamerauLevenshteinAtThresholds(name, [1]) for name in DATES)],
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in RULES],
        retain_matching_columns=False,
        retain_intermediate_calculation_columns=False,
    )
    database = DuckDBAPI()
    linker = Linker([database.register(table(p)) for p in paths], settings, log_level="ERROR")
    train = linker.training
    train.estimate_probability_two_random_records_match(
        [block_on(*rule) for rule in CERTAIN], recall=0.9
    )
    train.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    train.estimate_parameters_using_expectation_maximisation(block_on(*NAMES, "bm"))
    train.estimate_parameters_using_expectation_maximisation(block_on(*DATES))
    predicted = linker.inference.predict(threshold_match_probability=LEAST)
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
        predicted, threshold_match_probability=0.5
    )
    write = database.duckdb_con.execute
    write(
        f"COPY (SELECT unique_id AS id, cluster_id AS cluster FROM {clusters.physical_name}) "
        f"TO '{out}.parquet'"
    )
    write(
        "COPY (SELECT unique_id_l AS left, unique_id_r AS right, match_weight AS score FROM "
        f"{predicted.physical_name}) TO '{out}.pairs.parquet'"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
