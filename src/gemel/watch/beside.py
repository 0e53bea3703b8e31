"""Two releases side by side as one HTML file: what each promises, what differs between them.

Made of a comparison and both releases; nothing is measured here, nothing is loaded from anywhere.
"""

from __future__ import annotations

from typing import Any

from gemel.release.compare.compare import Comparison
from gemel.release.compare.flips import Example
from gemel.release.evidence.schema import Mistake
from gemel.release.release import Release
from gemel.release.words import tiles
from gemel.release.words.sentence import sentence
from gemel.watch.charts import rates
from gemel.watch.pages import pair, template


def render(found: Comparison, before: Release, after: Release) -> str:
    """The comparison as one HTML document.

    Args:
        found: of the two.
        before: the first.
        after: the one that is judged.
    Raises:
        DigestMismatch: a file of a release was changed.
    """
    one, two = before.evidence, after.evidence
    drawn = rates.det(
        two.dev_curve,
        two.eval_curve,
        [two.eval],
        (f"{before.short_id} (before)", one.eval_curve),
        f"{after.short_id} (after)",
    )
    return template("compare.html").render(
        found=found,
        sides=[
            {
                "title": title,
                "release": release,
                "about": about,
                "promise": sentence(evidence),
                "tiles": tiles.at_share(evidence, found.prior),
                "scores": rates.histograms(evidence.eval_curve, evidence.eval, title),
            }
            for title, release, about, evidence in (
                ("before", before, found.before, one),
                ("after", after, found.after, two),
            )
        ],
        det=drawn,
        flips=[
            {
                "flip": flip,
                "cards": [_card(e, f"flip-{i}-{j}") for j, e in enumerate(flip.examples)],
            }
            for i, flip in enumerate(found.flips)
        ],
    )


def _card(example: Example, anchor: str) -> dict[str, Any]:
    """A comparison that was decided anew, as mistakes are shown, with both scores."""
    shown = Mistake("false_match", example.after, example.left, example.right)
    return {**pair(shown, anchor), "before": example.before}
