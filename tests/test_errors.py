"""The tree of errors: as drawn, in one place, each with a code of its own."""

import importlib
import pkgutil
from collections.abc import Iterator

import gemel
from gemel import errors
from gemel.errors import GemelError


def below(kind: type[GemelError]) -> Iterator[type[GemelError]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("gemel"):
            yield child
            yield from below(child)


def drawn() -> dict[str, str]:
    """The name of every error in the drawing, with that of its parent."""
    text = (errors.__doc__ or "").split("\n\n")[1]
    found, parent = {}, ""
    for line in text.splitlines()[1:]:
        head, is_parent, tail = line.partition(">")
        if is_parent or not line.startswith(" " * 10):
            parent = head.split()[0]
            found[parent] = "GemelError"
            names = tail.split()
        else:
            names = line.split()
        found |= dict.fromkeys(names, parent)
    return found


def test_the_drawing_is_the_tree() -> None:
    for module in pkgutil.walk_packages(gemel.__path__, "gemel."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert drawn() == {kind.__name__: kind.__mro__[1].__name__ for kind in below(GemelError)}


def test_every_error_is_declared_in_one_place_and_has_a_code() -> None:
    kinds = list(below(GemelError))
    assert {kind.__module__ for kind in kinds} == {"gemel.errors"}
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert GemelError.code not in codes
