"""Rules that a person declares: two rows that match are nevertheless none, or for review.

A rule looks at one field of both rows and can only take a match away. So no rule can break a bound
on false matches, and what a rule costs in missed genuine comparisons can be counted. A value that
is missing on either side fires no rule.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from gemel.errors import ConfigError

_FORM = re.compile(
    r"\s*(?P<field>.+?)\s+(?:(?P<differs>differs)|apart\s+(?P<by>\S+))\s*:\s*(?P<then>\S+)\s*"
)
FORM = "FIELD differs: no_match, or FIELD apart NUMBER: review"


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule.

    Args:
        field: of both rows.
        apart: fires if the two numbers are further apart than this; None fires if values differ.
        then: what a match becomes.
    """

    field: str
    apart: float | None = None
    then: Literal["no_match", "review"] = "no_match"

    def fires(self, left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
        """Whether the two rows break the rule; symmetric."""
        a, b = left.get(self.field), right.get(self.field)
        if a in (None, "") or b in (None, ""):
            return False
        if self.apart is None:
            return bool(_plain(a) != _plain(b))
        try:
            return abs(float(a) - float(b)) > self.apart
        except (TypeError, ValueError):
            return False

    def __str__(self) -> str:
        test = "differs" if self.apart is None else f"apart {self.apart:g}"
        return f"{self.field} {test}: {self.then}"


def parse(text: str) -> Rule:
    """The rule that a line of settings states.

    Raises:
        ConfigError: it is none.
    Example:
        >>> parse("born apart 2: review").fires({"born": 1950}, {"born": "1953"})
        True
    """
    found = _FORM.fullmatch(text)
    if found is None or found["then"] not in ("no_match", "review"):
        raise ConfigError(f"{text!r} is no rule", where="stages.rules", hint=FORM)
    if found["differs"]:
        return msgspec.convert({"field": found["field"], "then": found["then"]}, Rule)
    try:
        apart = float(found["by"])
    except ValueError:
        apart = math.nan
    if not apart >= 0 or math.isinf(apart):
        raise ConfigError(f"{found['by']!r} is no distance", where="stages.rules", hint=FORM)
    facts = {"field": found["field"], "apart": apart, "then": found["then"]}
    return msgspec.convert(facts, Rule)


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


def _plain(value: Any) -> Any:
    """A value as rules compare it: numbers by value, texts without regard to case and ends."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value.strip().casefold()
    return value
