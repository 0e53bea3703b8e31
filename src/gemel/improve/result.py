"""What a search for duplicates found: a row per record, a row per pair, and a summary.

Counts come with what they are worth: how many matches are expected to be false (`false_links`),
what an engine missed, and where identities are known, how well the clusters agree with them.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from gemel.arrays import Bool, Float64
from gemel.data.dataset import Dataset, require_dataset
from gemel.data.values import nested
from gemel.decide.sets import Judged
from gemel.figures import html_table, number_of
from gemel.improve import job as jobs
from gemel.improve.by_identity import ByIdentity
from gemel.improve.by_keys import Reach
from gemel.improve.columns import FIRST
from gemel.improve.false_links import FalseLinks
from gemel.improve.proposals import CandidateRecall
from gemel.improve.records import Compared
from gemel.tasks.agreement import Agreement
from gemel.tasks.clusters import Clusters
from gemel.tasks.pairs import Pairs

if TYPE_CHECKING:
    import polars as pl


DIGITS = 4
"""Behind the point, in a CSV file of clusters."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; plain JSON values.

    Args:
        release: id.
        n_records: compared, of both data sets.
        n_pairs: that could match.
        engine: `exact`, or what proposed pairs.
        candidate_recall: of the engine; None when exact, or where keys proposed.
        reach: of the keys that proposed; None where none did.
        threshold: of a match, in this set.
        release_threshold: of the release, at the share that it was chosen for.
        prior: share of genuine pairs, named or estimated; of every probability here.
        release_prior: the share that the release was chosen for.
        most_sure: highest probability that a match can have here, since so few comparisons show
            no rarer scores: what has it is at least so probable; None without probabilities.
        least_sure: lowest probability among the matches; None without probabilities.
        missed: share of the genuine pairs of eval that score below the threshold; None where
            nothing was measured.
        n_matches: pairs.
        n_given_up: matches left out because their records have all the links they may.
        n_review: pairs for a person to decide; they link nothing.
        n_full: records with so many partners that only the best were kept.
        false_links: how many of the matches are expected to be false.
        method: of clustering.
        max_risk: limit of a cluster's risk, None for none.
        n_clusters: of two records or more.
        n_redundant: records that are not the canonical one of their cluster.
        largest: records of the largest cluster.
        agreement: with known identities; None if none is known.
        unproven: the release was made without labels: its threshold is estimated, not measured.
        by_closeness: the estimate is by how close records are: what is expected and probable is
            that strangers do not come so close by chance, not that two records are the same.
        known: what the known identities of the set say of its pairs; None if none is known.
        differing: share of the matches that differ in a field, by field, the highest first.
    """

    release: str
    n_records: int
    n_pairs: int
    engine: str
    candidate_recall: CandidateRecall | None
    reach: Reach | None
    threshold: float
    release_threshold: float
    prior: float
    release_prior: float
    most_sure: float | None
    n_matches: int
    n_given_up: int
    n_review: int
    n_full: int
    false_links: FalseLinks
    method: str
    max_risk: float | None
    n_clusters: int
    n_redundant: int
    largest: int
    agreement: Agreement | None
    unproven: bool = False
    by_closeness: bool = False
    least_sure: float | None = None
    missed: float | None = None
    known: ByIdentity | None = None
    differing: dict[str, float] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Clusters, the pairs that they rest on, and a summary.

    Attributes:
        clusters: a row per record: `id`, `side`, `cluster`, `canonical`, `score` to the canonical
            record (null for itself), `weakest_link`, `risk`, `size`.
        pairs: a row per match or pair for review: `left`, `right`, `score`, `probability`,
            `outcome`, `probability_is` (see `for_set.kinds`).
        summary: counts, expected errors, agreement with known identities.
    """

    clusters: pl.DataFrame
    pairs: pl.DataFrame
    summary: Summary

    def __repr__(self) -> str:
        s = self.summary
        return f"Duplicates({_of(s)})"

    def _repr_html_(self) -> str:
        s, false = self.summary, self.summary.false_links
        what = "close by chance" if s.by_closeness else "false"
        expected = "" if false.expected is None else f", {false.expected:,.0f} of them {what}"
        rows = [("matches", f"{s.n_matches:,}{expected}"), ("for a person", f"{s.n_review:,}")]
        rows += [("records too many", f"{s.n_redundant:,}"), ("threshold", f"{s.threshold:.4g}")]
        return html_table(_of(s), rows)

    def with_columns(self, left: Dataset, right: Dataset | None = None) -> Duplicates:
        """The same as a table to read: clusters together, each record with the columns of its file.

        Clusters of several records stand first, in each the canonical record; what a record says
        stands beside its id, what was computed behind it.

        Args:
            left: the first data set.
            right: the second, if there was one.
        Raises:
            ConfigError: no dataset.
        """
        import polars as pl

        sides = {"left": left} | ({} if right is None else {"right": right})
        frames = [values_of(one, side) for side, one in sides.items()]
        values = pl.concat(frames, how="diagonal_relaxed")
        computed = [n for n in self.clusters.columns if n not in ("id", "side")]
        values = values.rename(_beside(values.columns, computed))
        joined = self.clusters.join(values, on=["id", "side"], how="left", maintain_order="left")
        own = [name for name in joined.columns if name not in self.clusters.columns]
        first = [*FIRST, *(() if right is None else ("side",)), "id", *own]
        left_out = {*first, "side"}
        order = [*first, *(name for name in self.clusters.columns if name not in left_out)]
        alone, standing = pl.col("size") == 1, ~pl.col("canonical")
        table = joined.sort(alone, "cluster", standing, maintain_order=True).select(order)
        return replace(self, clusters=table)

    def write(self, clusters: str | Path | None, pairs: str | Path | None = None) -> None:
        """Write Parquet files, or CSV where a name ends so, each there whole or not at all.

        Args:
            clusters: where to; None writes none.
            pairs: likewise.
        Raises:
            DataError: one cannot be written there.
        """
        for frame, path, digits in ((self.clusters, clusters, DIGITS), (self.pairs, pairs, None)):
            if path is not None:
                jobs.write(Path(path), as_file(frame, Path(path), digits))


def _of(s: Summary) -> str:
    return f"{number_of(s.n_clusters, 'cluster')} of {number_of(s.n_records, 'record')}"


def as_file(table: pl.DataFrame, path: Path, digits: int | None = None) -> bytes:
    """A table as CSV where the name ends so, its fractions with so many digits, or as Parquet.

    Lists and objects are JSON text in a CSV file.
    """
    sink = io.BytesIO()
    if path.suffix.lower() == ".csv":
        nested.flat(table).write_csv(sink, float_precision=digits)
    else:
        table.write_parquet(sink)
    return sink.getvalue()


def values_of(dataset: Dataset, side: str) -> pl.DataFrame:
    """The id, side and known identity of each record, and the columns of its file."""
    import polars as pl

    require_dataset(dataset, "that was compared")
    frame = pl.DataFrame({"id": dataset.ids.tolist(), "side": [side] * len(dataset)})
    if dataset.identity_names:
        names = [dataset.identity_of(i) for i in range(len(dataset))]
        frame = frame.with_columns(pl.Series("identity", names, dtype=pl.String))
    written = dataset.written
    if written is None:
        return frame
    if "id" in written.columns and written["id"].cast(pl.String).equals(frame["id"]):
        written = written.drop("id")
    return frame.hstack(written.rename(_beside(written.columns, frame.columns)))


def _beside(names: Sequence[str], taken: Sequence[str]) -> dict[str, str]:
    """Free names for those columns that are called like one beside them.

    Example:
        >>> _beside(["id", "id of the record", "town"], ["id"])
        {'id': 'id of the record of the record'}
    """
    used, found = {*names, *taken}, dict[str, str]()
    for name in names:
        if name in taken:
            free = name
            while free in used:
                free += " of the record"
            found[name] = free
            used.add(free)
    return found


def least_sure(judged: Judged) -> float | None:
    """The lowest probability among the matches; None if they have none."""
    of_matches = judged.probability[judged.match]
    known = of_matches[~np.isnan(of_matches)]
    return float(known.min()) if len(known) else None


def cluster_frame(
    compared: Compared, found: Clusters, chosen: Bool, score: Float64
) -> pl.DataFrame:
    """A row per record, in the order of the ids.

    Args:
        compared: the records.
        found: their clusters.
        chosen: (n,) whether a record is canonical.
        score: (n,) to the canonical record of the cluster; NaN for itself.
    """
    import polars as pl

    label = found.label
    frame = pl.DataFrame(
        {
            "id": pl.Series(compared.ids(), dtype=pl.String),
            "side": ["left"] * compared.n_left + ["right"] * compared.n_right,
            "cluster": label,
            "canonical": chosen,
            "score": score,
            "weakest_link": found.weakest[label],
            "risk": found.risk[label],
            "size": found.size[label],
        }
    )
    return frame.with_columns(pl.col("score", "weakest_link", "risk").fill_nan(None))


def pair_frame(compared: Compared, pairs: Pairs, judged: Judged, kinds: list[str]) -> pl.DataFrame:
    """A row per match and pair for review, in the order of the ids; kinds say what chances are."""
    import polars as pl

    ids = compared.ids()
    frame = pl.DataFrame(
        {
            "left": pl.Series(ids[pairs.left], dtype=pl.String),
            "right": pl.Series(ids[pairs.right], dtype=pl.String),
            "score": pairs.score,
            "probability": judged.probability,
            "outcome": pl.Series(judged.outcome, dtype=pl.String),
            "probability_is": pl.Series(kinds, dtype=pl.String),
        }
    )
    # In some categories a pair has to reach more than the lowest score that was looked at.
    told = frame.filter(pl.col("outcome") != "no_match")
    probability = pl.col("probability").fill_nan(None)
    kind = pl.when(probability.is_not_null()).then(pl.col("probability_is"))
    return told.with_columns(probability, kind)
