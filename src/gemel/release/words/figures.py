"""Numbers as people read them: plain text, without exponents."""

from __future__ import annotations

import math
import re

import numpy as np

from gemel.calibrate.rates.intervals import Estimate


def share(value: float, digits: int = 3) -> str:
    r"""A share in per cent, without exponents.

    Example:
        >>> share(0.000012), share(0.98765), share(1.0)
        ('0.0012\xa0%', '98.8\xa0%', '100\xa0%')
    """
    return f"{plain(100 * value, digits)}\N{NO-BREAK SPACE}%"


def points(value: float, digits: int = 3) -> str:
    """A share as points of a hundred.

    Example:
        >>> points(0.0123), points(-0.000004)
        ('1.23', '-0.0004')
    """
    return plain(100 * value, digits)


def signed(value: float) -> str:
    """A difference of two shares in points, with its sign.

    Example:
        >>> signed(0.0123), signed(-0.000004), signed(0.0)
        ('+1.2', '\N{MINUS SIGN}0.0004', '0')
    """
    sign = "+" if value > 0 else "\N{MINUS SIGN}" if value < 0 else ""
    return sign + points(abs(value), 2)


def span(e: Estimate) -> str:
    """A rate with its interval, as fractions."""
    return f"{e.value:.3g} [{e.low:.3g}, {e.high:.3g}]"


def one_in(rate: float) -> str:
    """A small rate as "1 in N".

    Example:
        >>> one_in(0.00024), one_in(0.0)
        ('1 in 4,200', 'none')
    """
    if rate <= 0:
        return "none"
    n = 1 / rate
    return f"1 in {round(n, 1 - math.floor(math.log10(n))):,.0f}"


def size(n_bytes: int) -> str:
    """Bytes with a unit.

    Example:
        >>> size(18), size(1_540_000)
        ('18 B', '1.5 MB')
    """
    value, unit = float(n_bytes), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def plain(value: float, digits: int) -> str:
    """A number with so many significant digits, never with an exponent."""
    text = np.format_float_positional(
        value, precision=digits, unique=False, fractional=False, trim="-"
    )
    return text.removesuffix(".")


def natural(name: str) -> list[tuple[int, float, str]]:
    """A key that sorts names as people do, numbers within them by size.

    Example:
        >>> sorted(["b", "10", "a2", "9", "a10"], key=natural)
        ['9', '10', 'a2', 'a10', 'b']
    """
    words = re.findall(r"\d+|\D+", name)
    return [(0, float(w), "") if w.isdecimal() else (1, 0.0, w.casefold()) for w in words]
