"""Numbers as people read them: plain text, without exponents."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html import escape
from typing import Any

import msgspec
import numpy as np


def brief(value: Any, depth: int = 2) -> str:
    """An object in a line or two: long sequences cut, fields without a value left out.

    Args:
        value: any.
        depth: structs within structs that are shown by their fields.
    Example:
        >>> brief((1, 2, 3, 4, 5, 6)), brief(["a"]), brief(b"1234")
        ('(1, 2, 3, ... 6 in all)', "['a']", '4 bytes')
    """
    if isinstance(value, msgspec.Struct):
        if not depth:
            return f"{type(value).__name__}(...)"
        given = [(n, getattr(value, n)) for n in value.__struct_fields__]
        kept = [(n, v) for n, v in given if v is not None and v != ()]
        said = ", ".join(f"{n}={brief(v, depth - 1)}" for n, v in kept)
        return f"{type(value).__name__}({said})"
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    if isinstance(value, dict):
        return f"{{{len(value)} entries: {', '.join(map(str, list(value)[:3]))}, ...}}"
    if isinstance(value, tuple | list):
        ends = "()" if isinstance(value, tuple) else "[]"
        shown = [brief(v, depth - 1) if depth else "..." for v in value[:3]]
        shown += [f"... {len(value)} in all"] * (len(value) > 3)
        return f"{ends[0]}{', '.join(shown)}{ends[1]}"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def html_table(title: str, rows: Sequence[tuple[str, Any]]) -> str:
    """Names and values as an HTML table, for notebooks."""
    lines = [f"<tr><th>{escape(n)}</th><td>{escape(str(v))}</td></tr>" for n, v in rows]
    return f"<table><caption>{escape(title)}</caption>{''.join(lines)}</table>"


def percent(rate: float, digits: int = 12) -> str:
    """A rate in per cent, never rounded up to all unless digits are few.

    Example:
        >>> percent(0.95), percent(0.999999999), percent(0.0000123, 2), percent(0.0)
        ('95 %', '99.9999999 %', '0.0012 %', '0 %')
    """
    return f"{plain(100 * rate, digits)} %"


def share(value: float, digits: int = 3) -> str:
    r"""A share in per cent for running text: its sign stays on the line.

    Example:
        >>> share(0.000012), share(0.98765), share(1.0)
        ('0.0012\xa0%', '98.8\xa0%', '100\xa0%')
    """
    return percent(value, digits).replace(" ", "\N{NO-BREAK SPACE}")


def points(value: float, digits: int = 3) -> str:
    """A share as points of a hundred.

    Example:
        >>> points(0.0123), points(-0.000004)
        ('1.23', '-0.0004')
    """
    return plain(100 * value, digits)


def known(value: float, low: float, high: float) -> tuple[str, str, str]:
    """A share and its limits as points of a hundred, with no more digits than are known.

    The last one is the first of the interval's half width, or its second if that starts with 1. A
    share that is not quite none or all is never rounded to it.

    Example:
        >>> known(0.98512, 0.96412, 0.99431), known(0.0000025, 0.0000009, 0.000007)
        (('98.5', '96.4', '99.4'), ('0.0003', '0.0001', '0.0007'))
        >>> known(0.5, 0.2, 0.8), known(0.0, 0.0, 0.0149)
        (('50', '20', '80'), ('0', '0', '1.5'))
    """
    place = _place(high - low)
    first, last = (_bare(f"{100 * limit:.{place}f}") for limit in (low, high))
    return with_spread(value, high - low), first, last


def with_spread(value: float, width: float) -> str:
    """A share as points of a hundred, with the digits that an interval so wide leaves.

    Example:
        >>> with_spread(0.999993, 0.000013), with_spread(0.9999996, 0.01), with_spread(-0.3, 0.1)
        ('99.9993', '99.99996', '-30')
    """
    points, digits = 100 * abs(value), _place(width)
    while digits < 12 and round(points, digits) in (0, 100) and points not in (0, 100):
        digits += 1
    text = _bare(f"{points:,.{digits}f}")
    return f"-{text}" if value < 0 else text


def _place(width: float) -> int:
    """Decimals of points of a hundred that are known within an interval so wide."""
    half = 50 * abs(width)
    if half <= 0:
        return 2
    place = -math.floor(math.log10(half))
    return max(0, place + 1 if half * 10**place < 2 else place)


def _bare(text: str) -> str:
    """None and all without decimals."""
    return {0.0: "0", 100.0: "100"}.get(float(text.replace(",", "")), text)


def signed(value: float) -> str:
    """A difference of two shares in points, with its sign.

    Example:
        >>> signed(0.0123), signed(-0.000004), signed(0.0)
        ('+1.2', '\N{MINUS SIGN}0.0004', '0')
    """
    sign = "+" if value > 0 else "\N{MINUS SIGN}" if value < 0 else ""
    return sign + points(abs(value), 2)


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


def number_of(n: int, one: str, several: str = "") -> str:
    """A count before what is counted, which is one thing or several.

    Args:
        n: how many.
        one: what one is called, and a verb if that changes as well.
        several: the same of several and of none; left out, the last word gets its ending.
    Example:
        >>> number_of(1, "answer"), number_of(2300, "given pair"), number_of(0, "identity")
        ('1 answer', '2,300 given pairs', '0 identities')
        >>> number_of(2, "search"), number_of(2, "day"), number_of(2, "row is", "rows are")
        ('2 searches', '2 days', '2 rows are')
    """
    if one.endswith("y") and one[-2:-1] not in "aeou":
        regular = one.removesuffix("y") + "ies"
    else:
        regular = one + ("es" if one.endswith(("s", "h", "x")) else "s")
    return f"{n:,} {one if n == 1 else several or regular}"


def out_of(rate: float) -> tuple[str, str]:
    """A rate as how many things, and how many of them; two digits are enough.

    Example:
        >>> out_of(0.05), out_of(0.0123), out_of(1.0)
        (('100', '5'), ('1,000', '12'), ('10', '10'))
        >>> out_of(2e-10)
        ('10,000,000,000', '2')
    """
    rounded = float(f"{rate:.2g}")
    digits = 1
    while rounded and digits < 300 and not _is_whole(rounded * 10**digits):
        digits += 1
    return f"{10**digits:,}", f"{round(rounded * 10**digits):,}"


def _is_whole(value: float) -> bool:
    """Whether it is a number of things, one at least, but for what a float rounds."""
    return round(value) >= 1 and abs(value - round(value)) <= 1e-6


def times(ratio: float) -> str:
    """How many times something is something else: two digits, or only about how many tens.

    What is far beyond another rests on a few counted errors, so that more digits say nothing.

    Example:
        >>> times(4.9), times(29), times(4_900)
        ('4.9 times', 'more than 10 times', 'more than 1,000 times')
    """
    if ratio < 10:
        return f"{plain(ratio, 2)} times"
    return f"more than {10 ** math.floor(math.log10(ratio)):,} times"


def plain(value: float, digits: int) -> str:
    """A number with so many significant digits, never with an exponent.

    Example:
        >>> plain(43_210.0, 2), plain(1.25, 2), plain(0.00001234, 3)
        ('43,000', '1.2', '0.0000123')
    """
    if 1000 <= abs(value) < math.inf:
        whole = float(f"{value:.{digits}g}")
        return f"{whole:,.{max(0, digits - 1 - int(math.log10(abs(value))))}f}"
    text = np.format_float_positional(
        value, precision=digits, unique=False, fractional=False, trim="-"
    )
    return text.removesuffix(".")


def rounded_up(rate: float, digits: int) -> float:
    """The least number of so many significant digits that is not below a rate that was proven.

    Example:
        >>> rounded_up(0.01004, 2), rounded_up(0.01, 2), rounded_up(0.0299999999999, 2)
        (0.011, 0.01, 0.03)
    """
    nearest = float(f"{rate:.{digits}g}")
    if nearest >= rate or rate <= 0:
        return nearest
    step = 10.0 ** (math.floor(math.log10(rate)) - digits + 1)
    return float(f"{nearest + step:.{digits}g}")


def rounded_down(rate: float, digits: int) -> float:
    """The greatest number of so many significant digits that is not above a rate.

    Example:
        >>> rounded_down(0.98786, 2), rounded_down(0.98, 2), rounded_down(0.0300000000001, 2)
        (0.98, 0.98, 0.03)
    """
    nearest = float(f"{rate:.{digits}g}")
    if nearest <= rate or rate <= 0:
        return nearest
    step = 10.0 ** (math.floor(math.log10(rate)) - digits + 1)
    return float(f"{nearest - step:.{digits}g}")


def natural(name: str) -> list[tuple[int, float, str]]:
    """A key that sorts names as people do, numbers within them by size.

    Example:
        >>> sorted(["b", "10", "a2", "9", "a10"], key=natural)
        ['9', '10', 'a2', 'a10', 'b']
    """
    words = re.findall(r"\d+|\D+", name)
    return [(0, float(w), "") if w.isdecimal() else (1, 0.0, w.casefold()) for w in words]
