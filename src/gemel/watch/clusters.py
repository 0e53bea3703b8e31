"""The clusters of a search for duplicates as one HTML file, to look through: the riskiest first.

Made of what was found and the records themselves; nothing is loaded from anywhere.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gemel import figures
from gemel.data.schema import as_text
from gemel.watch import html
from gemel.watch.pages import template

if TYPE_CHECKING:
    import polars as pl

FALSE = "chance that a link is false"
MOST = 500
"""Clusters on a page."""
FOUND = ("id", "side", "cluster", "canonical", "score", "weakest_link", "risk", "size", "identity")
"""Columns that are no values of a record."""

Picture = Callable[[str, str], bytes | None]
"""A small PNG file of a record, by id and side; None where it has none."""


def render(
    frame: pl.DataFrame,
    summary: Sequence[tuple[str, Any]],
    picture: Picture,
    *,
    caution: str = "",
    risk_is: str = FALSE,
) -> str:
    """The clusters of two records or more, as one HTML document.

    Args:
        frame: a row per record: cluster, canonical, risk, weakest link, size, and its values.
        summary: names and values for a person.
        picture: shows a record.
        caution: what a reader has to know first; empty where all was measured.
        risk_is: what the risk of a cluster is a chance of.
    """
    import polars as pl

    several = frame.filter(pl.col("size") > 1)
    risk = pl.col("risk").max().fill_null(0.0).alias("risk")
    order = several.group_by("cluster").agg(risk, pl.col("size").first())
    order = order.sort(["risk", "size", "cluster"], descending=[True, True, False])
    kept = order["cluster"].to_list()[:MOST]
    shown = several.filter(pl.col("cluster").is_in(kept))
    groups = shown.partition_by("cluster", as_dict=True)
    names = [n for n in frame.columns if n not in FOUND and any(map(html.value_of, shown[n]))]
    return template("clusters.html").render(
        summary=[(name, _figure(value)) for name, value in summary if value not in (None, "")],
        names=names,
        caution=caution,
        risk_is=risk_is,
        n_clusters=len(order),
        clusters=[_cluster(groups[(c,)].to_dicts(), names, picture) for c in kept],
    )


def _figure(value: object) -> str:
    """A value of the summary to read: thousands apart, four digits of a fraction."""
    if isinstance(value, float):
        return figures.plain(value, 4)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _cluster(rows: list[dict[str, Any]], names: Sequence[str], picture: Picture) -> dict[str, Any]:
    """One cluster: the record that stands for it, then the others, differences marked."""
    canonical = next(row for row in rows if row["canonical"])
    ordered = [canonical, *(row for row in rows if row is not canonical)]
    shown = []
    for row in ordered:
        both = [html.differing(canonical[n], row[n]) for n in names]
        same = [as_text(canonical[n]) == as_text(row[n]) for n in names]
        file = picture(row["id"], row.get("side", "left"))
        shown.append(
            {
                "record": row,
                "values": [one if row is canonical else two for one, two in both],
                "same": [row is not canonical and s for s in same],
                "picture": None if file is None else base64.b64encode(file).decode(),
            }
        )
    return {"records": shown, "risk": canonical["risk"], "number": canonical["cluster"]}
