"""What pages have in common: their templates, and how two records are shown beside each other."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemel import figures
from gemel.encode import modality
from gemel.release import probes
from gemel.release.compare import told
from gemel.release.evidence.schema import Mistake
from gemel.watch import html
from gemel.watch.charts import heatmap

if TYPE_CHECKING:
    from jinja2 import Template

MAP = 96
"""Pixels of the longer side of a tinted picture."""
TEMPLATES = Path(__file__).parent / "templates"


@cache
def template(name: str) -> Template:
    """A template by the name of its file; everything that is put into it is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        share=figures.share,
        points=figures.points,
        signed=figures.signed,
        size=figures.size,
        up=figures.rounded_up,
        one_in=figures.one_in,
        estimate=html.estimate,
        sides=told.sides,
        measure=told.name,
        breakable=html.breakable,
        n="{:,}".format,
    )
    return environment.get_template(name)


def pair(mistake: Mistake, anchor: str) -> dict[str, Any]:
    """Two records as templates show them, with what its parts are worth if that is known."""
    kind = modality.named(next(iter(mistake.left.payload)))
    left, right = (probes.unpack(kind, item.payload) for item in (mistake.left, mistake.right))
    card: dict[str, Any] = {"mistake": mistake, "anchor": anchor}
    card |= {"rows": [], "images": [], "maps": []}
    plain = kind.thumbnail(left), kind.thumbnail(right)
    card["images"] = [base64.b64encode(file).decode() for file in plain if file is not None]
    if card["images"] and mistake.parts:
        tinted = heatmap.pictures(kind, (left, right), mistake.parts, MAP) or ()
        card["maps"] = [base64.b64encode(file).decode() for file in tinted]
    one, two = kind.values(left), kind.values(right)
    worth = {part.name: (part.speaks_against, part.speaks_for) for part in mistake.parts}
    largest = max((max(both) for both in worth.values()), default=0.0) or 1.0
    card["rows"] = [
        {
            "name": name,
            "values": html.differing(one.get(name), two.get(name)),
            "bars": [value / largest for value in worth.get(name, (0.0, 0.0))],
        }
        for name in {**one, **two}
        if html.value_of(one.get(name)) or html.value_of(two.get(name))
    ]
    card["barred"] = any(max(row["bars"]) > 0 for row in card["rows"])
    # The identity of a text that stands for itself is that text.
    names = [(item.identity, v) for item, v in ((mistake.left, one), (mistake.right, two))]
    card["who"] = [who for who, v in names if who and who not in map(html.value_of, v.values())]
    return card
