"""Write the reference pages from the tables that the code declares: settings, commands, files...

`python docs/generate.py` (or `make docs`) writes them; a test fails when one is out of date.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from gemel import errors
from gemel.cli.main import app
from gemel.config import PREFIX, describe
from gemel.serve.grpc import native
from gemel.serve.grpc.text import text as text_of
from gemel.serve.http.routes.table import TABLE
from gemel.settings import SECTIONS
from gemel.telemetry import ATTRIBUTES, EVENTS, METRICS, STAGES

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- written by docs/generate.py -->\n\n"
ARCHITECTURE = Path(__file__).parents[1] / "ARCHITECTURE.md"
FILES = "## Every file\n"


def pages() -> dict[str, str]:
    """Name and text of every generated page."""
    return {
        "settings.md": NOTE + _settings(),
        "commands.md": NOTE + _commands(),
        "errors.md": NOTE + _errors(),
        "routes.md": NOTE + _routes(),
        "telemetry.md": NOTE + _telemetry(),
    }


def architecture() -> str:
    """ARCHITECTURE.md with its last section, what every file is, as the files say now."""
    written, _, _ = ARCHITECTURE.read_text(encoding="utf-8").partition(FILES)
    return written + FILES + "\n" + NOTE + _files()


def commands() -> Iterator[tuple[str, Any]]:
    """Words and command object of every command that does something, in order."""
    yield from _walk("gemel", typer.main.get_command(app))


def _walk(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if not below:
        yield words, command
        return
    for name, child in below.items():
        yield from _walk(f"{words} {name}", child)


def _settings() -> str:
    lines = [
        "# Settings",
        "",
        "One file, `gemel.toml`. Order: defaults, then the file, then environment variables",
        f"`{PREFIX}SECTION__KEY`, then `--set section.key=value`. An unknown key is an error.",
        "Empty text means none. `gemel config show` prints each value and where it comes from.",
    ]
    for section, struct in SECTIONS.items():
        lines += ["", f"## [{section}]", "", (struct.__doc__ or "").splitlines()[0], ""]
        lines += ["| key | default | meaning |", "|---|---|---|"]
        for name in struct.__struct_fields__:
            default = getattr(struct(), name)
            shown = "none" if default is None else repr(default).replace("'", '"')
            shown = "[]" if default == () else shown
            lines.append(f"| `{name}` | `{shown}` | {describe(f'{section}.{name}')} |")
    return "\n".join(lines) + "\n"


def _commands() -> str:
    lines = [
        "# Commands",
        "",
        "Data goes to stdout, talk and progress to stderr. Exit 0: done; 1: an error that the",
        "message explains; 2: a command line that makes no sense; 3: a gate failed; 130: Ctrl-C.",
        "`gemel --debug ...` shows tracebacks, `gemel --install-completion` sets up the shell.",
    ]
    for words, command in commands():
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        names = " ".join(p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments)
        lines += [
            "",
            f"## `{' '.join([words, names]).strip()}`",
            "",
            inspect.cleandoc(command.help),
        ]
        lines += ["", "| | |", "|---|---|"]
        for p in command.params:
            if p.param_type_name != "argument" and p.name == "help":
                continue
            shown = (
                ", ".join(f"`{o}`" for o in p.opts) if p not in arguments else f"`{p.name.upper()}`"
            )
            lines.append(f"| {shown} | {p.help or ''} |")
    return "\n".join(lines) + "\n"


def _errors() -> str:
    known = vars(errors).values()
    found = [e for e in known if inspect.isclass(e) and issubclass(e, errors.GemelError)]
    lines = ["# Errors", "", "| error | code | HTTP | exit | meaning |", "|---|---|---|---|---|"]
    lines += [
        f"| `{e.__name__}` | `{e.code}` | {e.status} | {e.exit_code} | "
        f"{(e.__doc__ or '').splitlines()[0]} |"
        for e in found
    ]
    return "\n".join(lines) + "\n"


def _routes() -> str:
    lines = [
        "# Routes",
        "",
        "`/openapi.json` has the bodies. Errors are problem+json (RFC 9457). Where keys are",
        "asked for, a key needs the role of the route.",
        "",
    ]
    lines += [
        "| method | path | role of the key, where keys are asked for | |",
        "|---|---|---|---|",
    ]
    lines += [f"| {r.method} | `{r.path}` | {r.role or 'none'} | {r.summary} |" for r in TABLE]
    return "\n".join(lines) + "\n"


def _telemetry() -> str:
    lines = [
        "# Metrics and log events",
        "",
        "`GET /metrics`; every series exists from the start.",
        "",
    ]
    lines += ["| metric | kind | labels | |", "|---|---|---|---|"]
    for m in METRICS:
        labels = ", ".join(f"`{name}`" for name, _ in m.labels)
        lines.append(f"| `{m.name}` | {m.kind} | {labels} | {m.help} |")
    lines += [
        "",
        "Spans of `serve.traces_to`: one for each request, and below it one for each stage.",
        "",
    ]
    lines += ["| span | |", "|---|---|", *(f"| `gemel.{k}` | {v} |" for k, v in STAGES.items())]
    lines += [
        "",
        "| attribute | |",
        "|---|---|",
        *(f"| `{k}` | {v} |" for k, v in ATTRIBUTES.items()),
    ]
    lines += [
        "",
        "Logs are JSON lines on stderr, without payloads, embeddings or identities; beside them",
        "stand a line in words with the address, or two that say why it cannot start.",
        "",
    ]
    lines += ["| event | |", "|---|---|", *(f"| `{k}` | {v} |" for k, v in EVENTS.items())]
    return "\n".join(lines) + "\n"


def _files() -> str:
    """Rooms and files of the package, each with the first line of its documentation."""
    root = Path(inspect.getfile(errors)).parent
    lines: list[str] = []
    for file in sorted(root.rglob("*.py"), key=lambda file: (str(file.parent), file.name)):
        said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        name, what = file.relative_to(root).as_posix(), " ".join(said.split("\n\n")[0].split())
        if file.name == "__init__.py":
            lines += ["", f"**`{name.removesuffix('__init__.py') or 'gemel/'}`** {what}", ""]
        else:
            lines.append(f"- `{name}` {what}")
    return "\n".join(lines[1:]).replace("\n\n\n", "\n\n") + "\n"


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    native.PROTO.write_text(text_of(native.file()), encoding="utf-8")
    print(f"wrote {native.PROTO}")
    ARCHITECTURE.write_text(architecture(), encoding="utf-8")
    print(f"wrote {ARCHITECTURE}")
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"wrote {FOLDER / name}")


if __name__ == "__main__":
    main()
