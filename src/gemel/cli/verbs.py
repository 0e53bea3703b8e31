"""Which commands there are, and where each stands; its module is imported when it is asked for.

To import all of them takes a third of the time until a service answers its first request.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

UsageError: Any = typer.BadParameter.__mro__[1]

COMMANDS = {
    "init": "data:init",
    "train": "train:train",
    "import": "adopt:import_",
    "doctor": "doctor:doctor",
    "calibrate": "calibrate:calibrate",
    "shrink": "shrink:shrink",
    "export": "export:export",
    "duplicates": "duplicates:duplicates",
    "link": "link:link",
    "label": "label:label",
    "verify": "verify:verify",
    "explain": "explain:explain",
    "serve": "serve:serve",
    "mcp": "mcp:mcp",
    "report": "release:report",
    "compare": "compare:compare",
    "demo": "demo:demo",
    "data": "data:app",
    "release": "release:app",
    "gallery": "classes:app",  # which adds its own to those of `gallery` and `identify`
    "ledger": "ledger:app",
    "review": "review:app",
    "rollout": "rollout:app",
    "keys": "keys:app",
    "config": "settings:app",
}
"""Module of this package and what it calls the command, or the group, in the order of the help."""


NARROW = 72
"""Columns of a terminal below which help stands in plain lines: a table would cut names there."""


class _Loaded(MutableMapping[str, Any]):
    """Commands by name, each made when it is looked up."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            module, _, attribute = COMMANDS[name].partition(":")
            found = getattr(import_module(f"{__package__}.{module}"), attribute)
            if isinstance(found, typer.Typer):
                self._made[name] = typer.main.get_group(found)
            else:
                alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
                alone.command(name)(found)
                self._made[name] = typer.main.get_command(alone)
            self._made[name].name = name
            _fit(self._made[name])
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        raise TypeError("a command stays")

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _fit(command: Any) -> None:
    """Let a command, or a group with all of its own, write its help as wide as the terminal."""
    if shutil.get_terminal_size().columns < NARROW:
        for one in (command, *getattr(command, "commands", {}).values()):
            one.rich_markup_mode = None


class Verbs(TyperGroup):
    """The group of all commands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Loaded()

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is asked for.

        Raises:
            UsageError: there is none; says which group has one of the name.
        """
        name = args[0]
        if name not in COMMANDS:
            for group in COMMANDS:
                if name in getattr(self.commands[group], "commands", ()):
                    what = f"No such command {name!r}: did you mean gemel {group} {name}?"
                    raise UsageError(what, ctx)
        return super().resolve_command(ctx, args)
