"""Arguments of the Python functions, checked where they come in: types that nobody else would name.

Settings and payloads are checked by what declares them. Here is what a call may get wrong: a name
where the thing itself is meant, one text for several, no path for a path.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from numbers import Real
from pathlib import Path
from typing import TypeVar

from gemel.errors import ConfigError

T = TypeVar("T")


def require(value: object, kind: type | tuple[type, ...], expected: str, hint: str) -> None:
    """Raise if an argument is of another type, such as a name where the thing itself is meant.

    Args:
        value: the argument.
        kind: its type, or types that it may have.
        expected: that type in words, with what the argument is for.
        hint: how one is got.
    Raises:
        ConfigError: it is of another type.
    """
    if not isinstance(value, kind):
        raise ConfigError(f"a value of type {type(value).__name__}, expected {expected}", hint=hint)


def require_numbers(**given: object) -> None:
    """Raise unless each argument, given by its name, is a number or None.

    Raises:
        ConfigError: one is not.
    """
    for name, value in given.items():
        require(value, (Real, type(None)), f"a number as {name}", "without quotes")


def require_texts(**given: object) -> None:
    """Raise unless each argument, given by its name, is a text or None.

    Raises:
        ConfigError: one is not.
    """
    for name, value in given.items():
        require(value, (str, type(None)), f"a text as {name}", "in quotes")


def require_several(**given: object) -> None:
    """Raise unless each argument holds several things or is None; a text would be its letters.

    Raises:
        ConfigError: one is a single thing.
    """
    for name, value in given.items():
        if isinstance(value, str):
            raise ConfigError("a text, expected several", where=name, hint=f"{name}=[{value!r}]")
        require(value, (Iterable, type(None)), f"several as {name}", f"{name}=[...]")


def listed(value: Iterable[T] | None) -> list[T]:
    """Several things in a list, and none for None.

    Example:
        >>> listed(None), listed(("a", "b"))
        ([], ['a', 'b'])
    """
    return [] if value is None else list(value)


def path_of(
    value: str | os.PathLike[str], what: str, hint: str = "a text or a pathlib.Path"
) -> Path:
    """The path that an argument is.

    Args:
        value: the argument.
        what: it is the path of.
        hint: what else is taken, if somebody gave another thing.
    Raises:
        ConfigError: it is none.

    Example:
        >>> path_of("runs/1", "a run").name
        '1'
    """
    require(value, (str, os.PathLike), f"the path of {what}", hint)
    return Path(value)
