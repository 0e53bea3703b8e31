"""Rows to arrays: every field becomes a strip of bytes of fixed width, numbers also a position.

Characters are kept as they are typed (after Unicode and case folding), since typing errors are what
a row encoder has to see through. A date is three strips: year, month, day. A missing value is a
strip of zeros. Knows nothing of networks; the widths and quantiles it was fitted with are its spec.
"""

from __future__ import annotations

import difflib
import math
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Float32
from gemel.data.schema import Field, as_text
from gemel.errors import InvalidInput, ReleaseError, quoted

START, END = b"\x02", b"\x03"
MAX_WIDTH = 256
"""Bytes of a field that are looked at."""
MIN_WIDTH = 4
N_QUANTILES = 17
DATE_PARTS = (("year", 0, 4), ("month", 5, 7), ("day", 8, 10))

GAPS = ("NAType", "NaTType")
"""Types of pandas for what is missing, which is not imported for them."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Strip:
    """A run of byte columns: where it starts, how wide it is, and the field it comes from."""

    name: str
    field: str
    start: int
    width: int


def folded(text: str) -> str:
    r"""The text as it is compared: NFKC, case folded, control characters and runs of blanks as one.

    Example:
        >>> folded("  STRASSE\u00a09 ")
        'strasse 9'
    """
    if not (text.isascii() and text.isprintable()):
        text = unicodedata.normalize("NFKC", text)
        text = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    return " ".join(text.casefold().split())


def _written(value: Any) -> str:
    """A number as it would be typed, any other value as its folded text."""
    if isinstance(value, str):
        return folded(value)
    return str(int(value)) if float(value).is_integer() else format(value, ".9g")


class RowPrepare:
    """Rows of a fixed set of fields to `text` (n, L) uint8 and `number` (n, m) float32.

    Args:
        fields: what a row consists of, in order.
        widths: bytes of each field's strip, by field name; dates have none.
        quantiles: increasing values of each number field, by field name: a number is given as its
            position among them, in [0, 1].
    """

    modality = "row"

    def __init__(
        self,
        fields: Sequence[Field],
        widths: Mapping[str, int],
        quantiles: Mapping[str, Sequence[float]],
    ) -> None:
        self.fields = tuple(fields)
        self.widths = dict(widths)
        self.quantiles = {name: [float(v) for v in q] for name, q in quantiles.items()}
        self.strips = tuple(self._strips())
        self.numbers = tuple(f.name for f in self.fields if f.kind == "number")
        self._by_name = {f.name: f for f in self.fields}
        self._columns = tuple((f.name, f.kind, self.widths.get(f.name, 0)) for f in self.fields)
        self._length = sum(s.width for s in self.strips)
        self._curves = {
            name: (np.array(q), np.linspace(0, 1, len(q)) if len(q) > 1 else np.array([0.5]))
            for name, q in self.quantiles.items()
        }
        self._ranges = {name: (q[0], q[-1]) for name, q in self.quantiles.items() if len(q) > 1}

    def _strips(self) -> list[Strip]:
        strips: list[Strip] = []
        start = 0
        for field in self.fields:
            parts = (
                [(f"{field.name}.{part}", stop - begin + 2) for part, begin, stop in DATE_PARTS]
                if field.kind == "date"
                else [(field.name, self.widths[field.name])]
            )
            for name, width in parts:
                strips.append(Strip(name, field.name, start, width))
                start += width
        return strips

    @classmethod
    def fit(cls, rows: Sequence[Row], fields: Sequence[Field]) -> RowPrepare:
        """The preprocessing whose widths and quantiles suit these rows."""
        widths: dict[str, int] = {}
        quantiles: dict[str, list[float]] = {}
        for field in fields:
            values = [r[field.name] for r in rows if r.get(field.name) is not None]
            if field.kind != "date":
                lengths = [len(_written(v).encode()) for v in values] or [0]
                width = math.ceil(np.percentile(lengths, 99)) + 4
                widths[field.name] = int(min(MAX_WIDTH, max(MIN_WIDTH, width)))
            if field.kind == "number":
                at = np.linspace(0, 1, N_QUANTILES)
                knots = np.unique(np.quantile(np.array(values or [0.0], float), at))
                quantiles[field.name] = knots.tolist()
        return cls(fields, widths, quantiles)

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> RowPrepare:
        """The preprocessing that `spec()` described.

        Raises:
            ReleaseError: the spec is not one of rows.
        """
        try:
            fields = msgspec.convert(spec["fields"], tuple[Field, ...])
            return cls(fields, spec["widths"], spec["quantiles"])
        except (KeyError, TypeError, msgspec.ValidationError) as e:
            raise ReleaseError(f"not a row specification: {e!r}", where="prepare.json") from e

    def spec(self) -> dict[str, Any]:
        """Everything that decides the result, as JSON values."""
        return {
            "modality": self.modality,
            "fields": [_described(f) for f in self.fields],
            "widths": self.widths,
            "quantiles": self.quantiles,
            "text": "NFKC, case folded, blanks collapsed, UTF-8",
        }

    def check(self, payload: Any) -> None:
        """Raise if the row cannot be encoded.

        Raises:
            InvalidInput: not an object, an unknown field, a value of the wrong type, or a row
                without any value.
        """
        check_row(self._by_name, payload)

    def outside(self, row: Row) -> list[str]:
        """What lies far outside of all that the records learned from have, in words.

        A number beyond them has the position of the last of them, so that no score tells how far
        off it is. Far is further than they reach from end to end. Of values drawn like n others
        at most 2 in n + 1 are outside of these at all, whatever the distribution; a quarter of them
        is far where tails are as heavy as Cauchy's, hardly one in a million of a normal one.

        Args:
            row: checked.
        Example:
            >>> prepare = RowPrepare([Field("hum", "number")], {"hum": 6}, {"hum": [4, 30, 58]})
            >>> prepare.outside({"hum": 60}), prepare.outside({"hum": 9999})
            ([], ['hum 9999: the records learned from have 4 to 58'])
        """
        return [
            f"{name} {as_text(value)}: "
            f"the records learned from have {as_text(low)} to {as_text(high)}"
            for name, (low, high) in self._ranges.items()
            if (value := row.get(name)) not in (None, "")
            and not 2 * low - high <= value <= 2 * high - low
        ]

    def __call__(self, payloads: Sequence[Row]) -> dict[str, NDArray[Any]]:
        """Arrays of n rows: `text` (n, L) uint8, `number` (n, m) float32 in [0, 1]."""
        joined = b"".join([part for row in payloads for part in self._bytes(row)])
        text = np.frombuffer(joined, np.uint8).reshape(len(payloads), self._length).copy()
        return {"text": text, "number": self._positions(payloads)}

    def _bytes(self, row: Row) -> list[bytes]:
        parts: list[bytes] = []
        for name, kind, width in self._columns:
            value: Any = row.get(name)
            missing = value is None or value == ""
            if kind == "date":
                for _, begin, stop in DATE_PARTS:
                    size = stop - begin + 2
                    strip = b"" if missing else START + value[begin:stop].encode() + END
                    parts.append(strip.ljust(size, b"\0"))
            elif missing:
                parts.append(bytes(width))
            else:
                strip = START + _written(value).encode() + END
                parts.append(strip[:width].ljust(width, b"\0"))
        return parts

    def _positions(self, rows: Sequence[Row]) -> Float32:
        out = np.zeros((len(rows), len(self.numbers)), np.float32)
        for j, name in enumerate(self.numbers):
            values = [v if (v := row.get(name)) is not None and v != "" else 0.0 for row in rows]
            out[:, j] = np.interp(np.asarray(values, np.float64), *self._curves[name])
        return out


def _described(field: Field) -> dict[str, Any]:
    """A field as JSON values; spaces that were made without a reading stay what they are."""
    reading = {} if field.reading is None else {"reading": field.reading.spec()}
    return {"name": field.name, "kind": field.kind, **reading}


def read_row(fields: Sequence[Field], row: Row) -> dict[str, Any]:
    """The values of a row, each as its field reads it; what does not fit stays as it is."""
    by_name = {f.name: f for f in fields}
    return {
        name: by_name[name].value(_plain(value)) if name in by_name else value
        for name, value in row.items()
    }


def _plain(value: Any) -> Any:
    """A number of numpy or decimal, or a gap of pandas, as Python's own; all else as it is.

    Example:
        >>> _plain(np.int64(61)), _plain(np.float32(61.9)), _plain(Decimal("61.5"))
        (61, 61.9, 61.5)
    """
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating | Decimal):
        return float(str(value))  # the digits that are shown, not those of a wider type
    return None if type(value).__name__ in GAPS else value


def fitting(fields: Sequence[Field], row: Row) -> dict[str, Any]:
    """The values of a row, each as its field reads it; a text that does not fit is missing.

    As in a file, where such a value was missing when the release was measured. What is no text is
    left as it is, for `check_row` to refuse, and so is everything where nothing else is there.
    """
    found, by_name = read_row(fields, row), {f.name: f for f in fields}
    fits = {
        name: value if name not in by_name or _fits(by_name[name], value) else None
        for name, value in found.items()
    }
    return fits if any(value not in (None, "") for value in fits.values()) else found


def _fits(field: Field, value: Any) -> bool:
    """Whether a value that was read is not a text that its field cannot be."""
    if not isinstance(value, str) or (field.kind == "number" and field.reading is None):
        return True
    try:
        _check_value(field, value)
    except InvalidInput:
        return value == ""
    return True


def check_row(fields: Mapping[str, Field], payload: Any) -> None:
    """Raise unless a payload is a row of these fields, given by name.

    Raises:
        InvalidInput: as `RowPrepare.check`.
    """
    if not isinstance(payload, Mapping):
        raise InvalidInput(
            f"a row is an object of fields, not {type(payload).__name__}",
            hint=f"fields: {', '.join(fields)}",
        )
    empty = True
    for name, value in payload.items():
        field = fields.get(name)
        if field is None:
            near = difflib.get_close_matches(str(name), fields, 1)
            hint = f"did you mean {near[0]!r}?" if near else ""
            raise InvalidInput(
                "unknown field",
                where=str(name)[:60],
                hint=hint or f"fields: {', '.join(fields)}",
            )
        if value is not None:
            _check_value(field, value)
            empty = empty and value == ""
    if empty:
        raise InvalidInput("the row has no value", hint=f"fields: {', '.join(fields)}")


def _check_value(field: Field, value: Any) -> None:
    """Raise InvalidInput unless the value is of its field's kind."""
    name, kind = field.name, field.kind
    if kind == "number":
        ok = isinstance(value, Real) and not isinstance(value, bool)
        if not (ok and abs(value) <= sys.float_info.max):  # false for what is no number
            what = f"expected a finite {field.expected}, got {quoted(value)}"
            raise InvalidInput(what, where=name)
    elif not isinstance(value, str):
        raise InvalidInput(
            f"expected text, got {type(value).__name__}", where=name, hint="quote the value"
        )
    elif kind == "date" and value:
        try:
            np.datetime64(value, "D")
            if len(value) != 10:
                raise ValueError
        except ValueError:
            raise InvalidInput(
                f"expected a date YYYY-MM-DD, got {value!r}", where=name, hint=_date_hint(field)
            ) from None


def _date_hint(field: Field) -> str:
    order = field.reading.order if field.reading is not None else None
    first = {"dmy": "day", "mdy": "month"}.get(order or "")
    if first is None:
        return "write YYYY-MM-DD: 03/04/1980 does not say which is the month"
    return f"write YYYY-MM-DD; in dates like 03/04/1980 the {first} comes first here"
