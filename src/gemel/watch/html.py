"""Numbers and values as HTML, everything from data escaped."""

from __future__ import annotations

import difflib
import re
from html import escape

from markupsafe import Markup

from gemel import figures
from gemel.calibrate.rates.hard_identities import Kind
from gemel.calibrate.rates.intervals import Estimate
from gemel.data.schema import as_text


def known(e: Estimate) -> tuple[str, str, str]:
    """A share and its limits in points of a hundred, as far as they are known."""
    return figures.known(e.value, e.low, e.high)


def estimate(e: Estimate) -> Markup:
    r"""A share with its interval, as HTML.

    Example:
        >>> str(estimate(Estimate(value=0.5, low=0.4, high=0.6, n_effective=9, method="")))
        '50\xa0% <span class="interval">40–60</span>'
    """
    value, low, high = known(e)
    return Markup(f'{value}\N{NO-BREAK SPACE}% <span class="interval">{low}–{high}</span>')


def value_of(value: object) -> str:
    """A field's value as text, empty for a missing one."""
    return as_text(value) or ""


def breakable(name: str) -> Markup:
    """A name that wraps behind its marks and nowhere inside a word.

    Example:
        >>> str(breakable("date_of_birth"))
        'date_<wbr>of_<wbr>birth'
    """
    return Markup("<wbr>").join(re.split(r"(?<=[_./-])(?=\w)", name))


def differing(left: object, right: object) -> tuple[Markup, Markup]:
    """Both values as HTML, with the characters that differ marked.

    Example:
        >>> [str(s) for s in differing("anna", "anne")]
        ['ann<mark>a</mark>', 'ann<mark>e</mark>']
    """
    one, two = value_of(left), value_of(right)
    out = ["", ""]
    matcher = difflib.SequenceMatcher(None, one, two, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        for side, text in enumerate((one[a:b], two[c:d])):
            safe = escape(text)
            out[side] += safe if kind == "equal" or not text else f"<mark>{safe}</mark>"
    return Markup(out[0]), Markup(out[1])


def crowd(kind: Kind) -> str:
    """What was found about one kind of identities with many errors, as a sentence."""
    n = kind.n_beyond_chance
    named = {0: "Nobody stands", 1: "One stands"}.get(n, f"{n:,} stand")
    return f"{named} out of {kind.n_identities:,} beyond chance."
