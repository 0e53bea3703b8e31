"""Preprocessing as the text of an ONNX graph, with the arrays that it names."""

from __future__ import annotations

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


def filled(text: str, words: Mapping[str, object]) -> str:
    """The text with each word, in capitals, replaced by what it stands for; in this order."""
    for word, value in words.items():
        text = text.replace(word, str(value))
    return text
