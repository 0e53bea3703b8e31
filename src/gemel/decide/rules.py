"""Rules that a person declares: two rows that match are nevertheless none, or for review.

A rule looks at one field of both rows and can only take a match away. So no rule can break a bound
on false matches, and what a rule costs in missed genuine comparisons can be counted. A value that
is missing on either side fires no rule. A rule that could never fire is refused (`bound`).
"""

from __future__ import annotations

import contextlib
import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Literal

import msgspec
import numpy as np

from gemel.arrays import Bool, Float64, Int64
from gemel.data.schema import Kind
from gemel.data.values.dates import iso
from gemel.errors import ConfigError

_FORM = re.compile(
    r"\s*(?P<field>.+?)\s+(?:(?P<differs>differs)|apart\s+(?P<by>\S+))\s*:\s*(?P<then>\S+)\s*"
)
DAYS_OF_A_YEAR = 365.2425
FORM = "FIELD differs: no_match, or FIELD apart NUMBER: review"


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule.

    Args:
        field: of both rows.
        apart: fires if two numbers are further apart than this, or two dates by so many years;
            None fires if values differ.
        then: what a match becomes.
        kind: of the field; None until the rule is bound to the fields of a release.
    """

    field: str
    apart: float | None = None
    then: Literal["no_match", "review"] = "no_match"
    kind: Kind | None = None

    def fires(self, left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
        """Whether the two rows break the rule; symmetric."""
        a, b = left.get(self.field), right.get(self.field)
        if a in (None, "") or b in (None, ""):
            return False
        try:
            if self.apart is None:
                return bool(self._value(a) != self._value(b))
            return bool(abs(self._value(a) - self._value(b)) > self.apart)
        except (TypeError, ValueError):
            return False

    def fires_on(self, rows: Sequence[Any], left: Int64, right: Int64) -> Bool:
        """For which of many pairs it fires, as `fires` says of each: (p,).

        Args:
            rows: n rows; of anything else the rule says nothing.
            left: (p,) positions of rows.
            right: (p,) likewise.
        """
        column = self._column(rows)
        a, b = column[left], column[right]
        fired: Bool = a != b if self.apart is None else np.abs(a - b) > self.apart
        return fired & ~np.isnan(a) & ~np.isnan(b)

    def _column(self, rows: Sequence[Any]) -> Float64:
        """The value of each row as a number, equal for equal values; NaN for none: (n,)."""
        codes: dict[Any, float] = {}
        column = np.full(len(rows), np.nan)
        for i, row in enumerate(rows):
            value = row.get(self.field) if isinstance(row, Mapping) else None
            if value in (None, ""):
                continue
            with contextlib.suppress(TypeError, ValueError):
                seen = self._value(value)
                column[i] = codes.setdefault(seen, len(codes)) if self.apart is None else seen
        return column

    def _value(self, value: Any) -> Any:
        """A value as it is compared: numbers by value, dates in years, texts whatever their case.

        Raises:
            ValueError: it is not of the field's kind.
        """
        if self.kind == "number":
            return float(value)
        if self.kind == "date":
            return _day(value).toordinal() / DAYS_OF_A_YEAR
        return str(value).strip().casefold()

    def __str__(self) -> str:
        test = "differs" if self.apart is None else f"apart {self.apart:g}"
        return f"{self.field} {test}: {self.then}"


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:  # of a request, which may write dates in other certain ways
        return date.fromisoformat(iso(value) or value)


def parse(text: str) -> Rule:
    """The rule that a line of settings states.

    Raises:
        ConfigError: it is none.
    Example:
        >>> str(parse("born  apart 2 : review"))
        'born apart 2: review'
    """
    found = _FORM.fullmatch(text)
    if found is None or found["then"] not in ("no_match", "review"):
        raise ConfigError(f"{text!r} is no rule", where="calibrate.rules", hint=FORM)
    if found["differs"]:
        return msgspec.convert({"field": found["field"], "then": found["then"]}, Rule)
    try:
        apart = float(found["by"])
    except ValueError:
        apart = math.nan
    if not apart >= 0 or math.isinf(apart):
        raise ConfigError(f"{found['by']!r} is no distance", where="calibrate.rules", hint=FORM)
    facts = {"field": found["field"], "apart": apart, "then": found["then"]}
    return msgspec.convert(facts, Rule)


def bound(rules: Iterable[Rule], kinds: Mapping[str, str]) -> tuple[Rule, ...]:
    """The rules, each with the kind of its field.

    Args:
        rules: as they are declared.
        kinds: of the fields that an encoder takes, by name.
    Raises:
        ConfigError: a rule is about no such field, or asks how far texts are apart.
    """
    found = []
    for rule in rules:
        kind = kinds.get(rule.field)
        if kind is None:
            near = difflib.get_close_matches(rule.field, kinds, 1)
            raise ConfigError(
                f"rule {str(rule)!r} is about a field that the encoder does not take",
                where="calibrate.rules",
                hint=f"did you mean {near[0]!r}?" if near else f"fields: {', '.join(kinds)}",
            )
        if rule.apart is not None and kind not in ("number", "date"):
            raise ConfigError(
                f"rule {str(rule)!r}: values of kind {kind} are not so far apart, they differ",
                where="calibrate.rules",
                hint=f"{rule.field} differs: {rule.then}",
            )
        found.append(msgspec.convert({**msgspec.structs.asdict(rule), "kind": kind}, Rule))
    return tuple(found)


def broken(rules: Iterable[Rule], left: Any, right: Any) -> Rule | None:
    """The rule that takes a match away: the first that says no match, else the first for review.

    Args:
        rules: in order.
        left: a row; of anything else rules say nothing.
        right: another row.
    """
    if not (isinstance(left, Mapping) and isinstance(right, Mapping)):
        return None
    fired = [rule for rule in rules if rule.fires(left, right)]
    return next((rule for rule in fired if rule.then == "no_match"), next(iter(fired), None))
