"""Preprocessing as the text of an ONNX graph, with the arrays that it names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Graph:
    """What stands in front of a network.

    Attributes:
        text: of the graph, as `onnx.parser` reads it.
        arrays: initializers that it names.
        gives: outputs, which are inputs of the network by the same names.
        takes: the input, for people.
    """

    text: str
    arrays: Mapping[str, NDArray[Any]]
    gives: tuple[str, ...]
    takes: str


NUMBERS = """
    zero = Constant<value = int64[1] {0}>()
    one = Constant<value = int64[1] {1}>()
    two = Constant<value = int64[1] {2}>()
    zero0 = Constant<value = int64 {0}>()
    one0 = Constant<value = int64 {1}>()
    zero64 = Constant<value = double {0.0}>()
    one64 = Constant<value = double {1.0}>()
"""
"""What every graph may name: in one axis, in none (0), and in none as float64 (64)."""


def graph(
    head: str,
    body: str,
    words: Mapping[str, object],
    takes: str,
    arrays: Mapping[str, NDArray[Any]] | None = None,
) -> Graph:
    """A graph of operators.

    Args:
        head: inputs and outputs, as `onnx.parser` reads them.
        body: operators, behind those of `NUMBERS` that they take.
        words: what stands for what in both, see `filled`.
        takes: the input, for people.
        arrays: initializers that the body names.
    """
    gives = tuple(re.findall(r"\] (\w+)", head.partition("=>")[2]))
    body = filled(body, words)
    named = set(re.findall(r"\w+", body))
    # ONNX Runtime warns about numbers that nothing takes.
    numbers = "".join(line for line in NUMBERS.splitlines(True) if named & set(line.split()[:1]))
    text = f"prepare {filled(head, words)} {{{numbers}{body}}}"
    return Graph(text, arrays or {}, gives, takes)


def filled(text: str, words: Mapping[str, object]) -> str:
    """The text with each word, in capitals, replaced by what it stands for; in this order."""
    for word, value in words.items():
        text = text.replace(word, str(value))
    return text
