"""Which functions do the same, written by different people?

Utility functions of seven JavaScript libraries, one file each. A class is a name that two libraries
or more have; members are their functions, without comments, imports and exports, and with their
own name taken out. Not every two of one name keep the same contract.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from gemel.cli import example
from gemel.data.archives import Archive

LIBRARIES = {
    Archive(
        "npm",
        "lodash",
        "4.18.1",
        "696942c2a488c9d7428e9ca5f12ccf03b52de01dcdbfe4d4751d392f0491ae16",
        "MIT",
    ): "package/[!_]*.js",
    Archive(
        "npm",
        "underscore",
        "1.13.8",
        "6547214df2878ae60cc552422ef14af38b8d4e3aa613be5bfe9c52b775d96f7a",
        "MIT",
    ): "package/modules/[!_]*.js",
    Archive(
        "npm",
        "ramda",
        "0.32.0",
        "e99a665207ddba7c1177c8062f607c37d31ac376674d41200418627428863967",
        "MIT",
    ): "package/src/[!_]*.js",
    Archive(
        "npm",
        "es-toolkit",
        "1.53.2",
        "6225104cf8cdbfc28dbc22d64aab556bfeef6fa8ad067623e10f2ea3d24614cd",
        "MIT",
    ): "package/dist/*.mjs",
    Archive(
        "npm",
        "remeda",
        "2.61.0",
        "05a3b7cdf626248598f8fd04da0c6b6084ba06ad3fc54084a011e1d127d6910d",
        "MIT",
    ): "package/dist/*.js",
    Archive(
        "npm",
        "mout",
        "1.2.4",
        "569e6913032b7203e671481ebc59e6e0648f46211b570fddcffa14d49242b732",
        "MIT",
    ): "package/*.js",
    Archive(
        "npm",
        "licia",
        "1.49.0",
        "b461934022671fd6e4deb0de4429e0b4b0b31c2eca1070ff85d97869e7dd3ac9",
        "MIT",
    ): "package/*.js",
}
PACKAGES = tuple(LIBRARIES)
LEFT_OUT = {"src", "internal", "_internal", "_virtual", "compat", "fp", "cjs", "amd", "doc"}
"""Folders that hold the same functions once more, or parts of them."""
LENGTH = (60, 4000)
"""Characters of a function."""


def write(folder: Path, rows: int) -> None:
    """Write a table of functions with the name of each."""
    classes: dict[str, dict[str, str]] = {}
    for library, pattern in LIBRARIES.items():
        wanted = LEFT_OUT - {"src"} if library.name == "ramda" else LEFT_OUT
        for path, data in library.members(pattern):
            name = PurePosixPath(path).stem
            text = stripped(data.decode(), name)
            known = classes.setdefault(re.sub(r"[^a-z0-9]", "", name.lower()), {})
            if not wanted & set(path.split("/")) and LENGTH[0] <= len(text) <= LENGTH[1]:
                known.setdefault(library.name, text)
    own = example.distinct({name: list(known.values()) for name, known in classes.items()})
    members = {name: sorted(classes[name].items()) for name in own}
    lines = [
        (f"{library}/{name}", name, text)
        for name, known in sorted(example.whole(members, rows).items())
        for library, text in known
    ]
    example.write_table(folder / "functions.csv", ("id", "function", "text"), lines)


def stripped(source: str, name: str) -> str:
    """A function without what gives it away: comments, imports, exports, its own name."""
    text = re.sub(r"/\*.*?\*/|(?<![:'\"])//[^\n]*", "", source, flags=re.DOTALL)
    text = re.sub(r"^\s*(import|export) [^;]*?from [^\n]*$", "", text, flags=re.M)
    text = re.sub(r"^\s*export \{[^}]*\};?$", "", text, flags=re.M)
    text = re.sub(r"^\s*export (default )?", "", text, flags=re.M)
    text = re.sub(r"^\s*(module\.exports|exports) = \w+;?\s*$", "", text, flags=re.M)
    text = re.sub(r"(?:var |const |let |,)?\s*\w+ = require\([^)]*\)[,;]?", "", text)
    text = re.sub(rf"\b{re.escape(name)}\b", "f", text)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


if __name__ == "__main__":
    example.script(PACKAGES, write)
