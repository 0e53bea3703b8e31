"""What the columns of a table are: text, number, category or date.

A kind is inferred from the values of the whole column, shown to the user and overridable. Reading
a value never guesses: it either fits its kind or is reported. What a network makes of a value is
decided in `encode`, not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "category", "date"]
KINDS: tuple[Kind, ...] = ("text", "number", "category", "date")


@dataclass(frozen=True)
class Field:
    """A named column and what its values are.

    Values in a payload: text and category `str`, number `float`, date `"YYYY-MM-DD"`; None where
    the value is missing.
    """

    name: str
    kind: Kind
