"""Comparisons, EM blocks and deterministic rules with which Splink is set up for each set.

As its documentation advises: several levels of Jaro-Winkler or of edits per field, term frequency
on equality, dates and swapped names judged as a whole in further variants.
"""

from __future__ import annotations

from collections.abc import Callable

import splink.comparison_level_library as cll
import splink.comparison_library as cl
from peers_records import Job
from splink.internals.comparison_creator import ComparisonCreator

# Per set: blocks in which EM runs; deterministic rules, and the share of true pairs that is assumed
# to fulfil one of them, for the prior.
EM_BLOCKS = {
    "rldata": (("fname_c1", "lname_c1"), ("birth_year", "birth_month", "birth_day")),
    "febrl-names": (("given_name",), ("surname",)),
    "febrl-all": (("given_name", "surname"), ("date_of_birth",), ("soc_sec_id",)),
    "patents": (("assignee",), ("city",), ("attorney",)),
}
CERTAIN = {
    "rldata": (
        ("fname_c1", "lname_c1", "birth_year", "birth_month"),
        ("fname_c1", "lname_c1", "birth_year", "birth_day"),
        ("fname_c1", "birth_year", "birth_month", "birth_day"),
        ("lname_c1", "birth_year", "birth_month", "birth_day"),
    ),
    "febrl-names": (("given_name", "surname"),),
    "febrl-all": (("soc_sec_id",), ("given_name", "surname", "postcode")),
    "patents": (("city", "assignee"),),
}
RECALL = {"rldata": 0.9, "febrl-names": 0.4, "febrl-all": 0.9, "patents": 0.4}
NAMES = {"given_name", "surname"}
COLUMN = {"by": "birth_year", "bm": "birth_month", "bd": "birth_day"}  # "by" is a word of SQL


def set_name(job: Job) -> str:
    """Which of the sets these records are, by their columns."""
    if "fname_c1" in job.kinds:
        return "rldata"
    if "given_name" in job.kinds:
        return "febrl-all" if "date_of_birth" in job.kinds else "febrl-names"
    return "patents"


def setups(job: Job) -> dict[str, list[ComparisonCreator]]:
    """Comparisons by variant."""
    separate = [COMPARISONS[kind](COLUMN.get(field, field)) for field, kind in job.kinds.items()]
    out = {"separate fields": separate}
    if set(job.kinds) >= NAMES:
        rest = [c for c, f in zip(separate, job.kinds, strict=True) if f not in NAMES]
        out["joint names"] = [_full_name(), *rest]
    if {"by", "bm", "bd"} <= set(job.kinds):
        out["one birth date"] = [*separate[:4], _birth_date()]
    return out


def _levels(field: str, between: list[cll.ComparisonLevelCreator]) -> ComparisonCreator:
    """Missing, equal with term frequency, the levels `between`, anything else."""
    equal = cll.ExactMatchLevel(field, term_frequency_adjustments=True)
    return cl.CustomComparison(
        [cll.NullLevel(field), equal, *between, cll.ElseLevel()], output_column_name=field
    )


def _name(field: str) -> ComparisonCreator:
    return _levels(field, [cll.JaroWinklerLevel(field, at) for at in (0.94, 0.88, 0.8, 0.7)])


def _code(field: str) -> ComparisonCreator:
    return _levels(field, [cll.DamerauLevenshteinLevel(field, edits) for edits in (1, 2)])


def _number(field: str) -> ComparisonCreator:
    one_edit = cll.DamerauLevenshteinLevel(field, 1)
    near = cll.CustomLevel(
        f"abs(try_cast({field}_l AS INT) - try_cast({field}_r AS INT)) <= 1", "one apart"
    )
    return _levels(field, [near, one_edit])


def _day(field: str) -> ComparisonCreator:
    return cl.AbsoluteDateDifferenceAtThresholds(
        field, input_is_string=True, metrics=["year"] * 4, thresholds=[1, 3, 7, 15]
    )


def _set(field: str) -> ComparisonCreator:
    shared = [cll.ArrayIntersectLevel(field, at) for at in (6, 3, 2, 1)]
    levels = [cll.NullLevel(field), *shared, cll.ElseLevel()]
    return cl.CustomComparison(levels, output_column_name=field)


def _category(field: str) -> ComparisonCreator:
    return _levels(field, [])


def _birth_date() -> ComparisonCreator:
    """Equal; one part wrong; two digits wrong; else. RLdata's errors hit one field at a time."""
    same = {p: f"{COLUMN[p]}_l = {COLUMN[p]}_r" for p in COLUMN}
    two_parts = " OR ".join(
        f"({same[a]} AND {same[b]})" for a, b in (("by", "bm"), ("by", "bd"), ("bm", "bd"))
    )
    near_year = (
        f"{same['bm']} AND {same['bd']} AND damerau_levenshtein(birth_year_l, birth_year_r) = 1"
    )
    any_part = " OR ".join(same.values())
    levels = [
        cll.CustomLevel("birth_year_l IS NULL OR birth_year_r IS NULL", "missing").configure(
            is_null_level=True
        ),
        cll.CustomLevel(" AND ".join(same.values()), "equal"),
        cll.CustomLevel(near_year, "year one edit apart"),
        cll.CustomLevel(two_parts, "two parts equal"),
        cll.CustomLevel(any_part, "one part equal"),
        cll.ElseLevel(),
    ]
    return cl.CustomComparison(levels, output_column_name="birth_date")


def _full_name() -> ComparisonCreator:
    """Given name and surname judged together: they swap places, and one may be missing."""

    def both(one: str, at: float, other: float) -> cll.ComparisonLevelCreator:
        g, s = ("given_name", "surname") if one == "straight" else ("surname", "given_name")
        return cll.CustomLevel(
            f"jaro_winkler_similarity(given_name_l, {g}_r) >= {at} AND "
            f"jaro_winkler_similarity(surname_l, {s}_r) >= {other}",
            f"{one} {at} {other}",
        )

    null = {f: f"({f}_l IS NULL OR {f}_r IS NULL)" for f in ("given_name", "surname")}
    levels = [
        cll.CustomLevel(" AND ".join(null.values()), "missing").configure(is_null_level=True),
        cll.ExactMatchLevel("full_name", term_frequency_adjustments=True),
        both("swapped", 0.88, 0.88),
        *(both("straight", at, at) for at in (0.94, 0.88)),
        both("straight", 1, 0.7),
        both("straight", 0.7, 1),
        both("straight", 0.8, 0.8),
        cll.CustomLevel(f"surname_l = surname_r AND {null['given_name']}", "surname alone"),
        cll.CustomLevel(f"given_name_l = given_name_r AND {null['surname']}", "given name alone"),
        cll.CustomLevel("surname_l = surname_r", "surname"),
        cll.CustomLevel("given_name_l = given_name_r", "given name"),
        both("straight", 0.7, 0.7),
        cll.ElseLevel(),
    ]
    return cl.CustomComparison(levels, output_column_name="full_name")


COMPARISONS: dict[str, Callable[[str], ComparisonCreator]] = {
    "name": _name,
    "text": _name,
    "title": _set,
    "category": _category,
    "number": _number,
    "code": _code,
    "date": _code,
    "day": _day,
    "set": _set,
}
