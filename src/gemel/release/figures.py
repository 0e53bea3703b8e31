"""Numbers as people read them: plain text, without exponents."""

from __future__ import annotations

import math

import numpy as np


def share(value: float, digits: int = 3) -> str:
    r"""A share in per cent, without exponents.

    Example:
        >>> share(0.000012), share(0.98765), share(1.0)
        ('0.0012\xa0%', '98.8\xa0%', '100\xa0%')
    """
    return f"{plain(100 * value, digits)}\N{NO-BREAK SPACE}%"


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
