"""A description as the text of a `.proto` file, and the numbers of fields in such a text."""

from __future__ import annotations

import re
import textwrap
from typing import Any

from gemel.serve.grpc.messages import File, Kind

_MESSAGE = re.compile(r"^message (\w+) \{$")
_FIELD = re.compile(r"^  [\w.<>, ]+ (\w+) = (\d+);$")
HEAD = """\
// Written by docs/generate.py from the table of routes; a field keeps the number that it has here.
// Errors: the status, and in the trailing metadata `gemel-problem-bin` the problem+json of HTTP.
// Where keys are asked for: metadata `authorization: Bearer KEY`.
"""


def text(file: File) -> str:
    """A `.proto` file that describes the same."""
    proto = file.proto
    lines = [HEAD, f'syntax = "{proto.syntax}";', "", f"package {proto.package};", ""]
    lines += [f'import "{name}";' for name in proto.dependency]
    lines += ["", f"service {file.service} {{"]
    for method, described in zip(file.methods, proto.service[0].method, strict=True):
        took, gave = (_placed(file, name) for name in (described.input_type, described.output_type))
        lines += _comment(method.says, "  ")
        lines.append(f"  rpc {method.name}({took}) returns ({gave});")
    lines.append("}")
    for message in proto.message_type:
        lines += ["", *_comment(file.says[message.name])]
        if not message.field:
            lines.append(f"message {message.name} {{}}")
            continue
        lines.append(f"message {message.name} {{")
        lines += [
            f"  {_type(message, field)} {field.name} = {field.number};" for field in message.field
        ]
        lines.append("}")
    return "\n".join(lines) + "\n"


def numbers(written: str) -> dict[str, dict[str, int]]:
    """The numbers of the fields of each message in such a text."""
    found: dict[str, dict[str, int]] = {}
    fields: dict[str, int] = {}
    for line in written.splitlines():
        if message := _MESSAGE.match(line):
            fields = found.setdefault(message[1], {})
        elif field := _FIELD.match(line):
            fields[field[1]] = int(field[2])
    return found


def _type(message: Any, field: Any) -> str:
    entries = {f".{one.name}": one for one in message.nested_type}
    for end, entry in entries.items():
        if field.type_name.endswith(f".{message.name}{end}"):
            return f"map<string, {_name(entry.field[1])}>"
    many = field.label == Kind.LABEL_REPEATED
    label = "repeated " if many else "optional " if field.proto3_optional else ""
    return label + _name(field)


def _placed(file: File, name: str) -> str:
    """A message as a method names it: in full where a method is called like it."""
    short = name.rpartition(".")[2]
    return name if any(short == method.name for method in file.methods) else short


def _name(field: Any) -> str:
    if field.type != Kind.TYPE_MESSAGE:
        kind: str = Kind.Type.Name(field.type)
        return kind.removeprefix("TYPE_").lower()
    name: str = field.type_name
    return name[1:] if name.startswith(".google.") else name.rpartition(".")[2]


def _comment(said: str, indent: str = "") -> list[str]:
    return textwrap.wrap(said, 96, initial_indent=f"{indent}// ", subsequent_indent=f"{indent}// ")
