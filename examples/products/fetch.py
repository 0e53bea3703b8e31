"""Which picture of another shop shows the same thing?

Emoji as three vendors drew them: Twitter, Google and Microsoft. A class is an emoji, its
members are its pictures, 64 pixels wide on white, one a vendor. Skin tones, genders, flags and
clocks are left out: all of a kind look alike.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from gemel.cli import example
from gemel.data.archives import Archive
from gemel.errors import DataError

PACKAGES = (
    Archive(
        "npm",
        "@iconify-json/twemoji",
        "1.2.5",
        "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
        "CC-BY-4.0, Twitter",
    ),
    Archive(
        "npm",
        "@iconify-json/noto",
        "1.2.9",
        "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
        "Apache-2.0, Google",
    ),
    Archive(
        "npm",
        "@iconify-json/fluent-emoji-flat",
        "1.2.6",
        "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
        "MIT, Microsoft",
    ),
)
SIDE = 64
THINGS = 300
VENDORS = 3
"""That drew an emoji, at least."""
ALIKE = re.compile("clock|thirty|skin|flag|square|circle|-tone")


def write(folder: Path, rows: int) -> None:
    """Write the pictures, a folder for each thing."""
    kept = example.whole(emoji(), rows or VENDORS * THINGS)
    files = {points: [drawn(picture) for _, picture in found] for points, found in kept.items()}
    example.write_files(folder / "pictures", files, ".png")


def emoji() -> dict[str, list[tuple[str, str]]]:
    """The name and the SVG of each vendor for each emoji that all have."""
    found: dict[str, list[tuple[str, str]]] = {}
    for package in PACKAGES:
        files = dict(package.members("package/icons.json", "package/chars.json"))
        icons = json.loads(files["package/icons.json"])
        for points, name in json.loads(files["package/chars.json"]).items():
            plain = "-" not in points and not ALIKE.search(name)
            if plain and name in icons["icons"]:
                found.setdefault(points, []).append((name, svg(icons, name)))
    return {points: several for points, several in found.items() if len(several) >= VENDORS}


def drawn(picture: str) -> bytes:
    """An SVG as a PNG on white, SIDE pixels wide."""
    try:
        import resvg_py
    except ImportError as e:
        hint = "pip install resvg-py"
        raise DataError("drawing SVG needs the package resvg-py", hint=hint) from e
    png: bytes = resvg_py.svg_to_bytes(
        svg_string=picture, width=SIDE, height=SIDE, background="#ffffff"
    )
    return png


def svg(icons: dict[str, Any], name: str) -> str:
    """An icon of a set as a picture of its own."""
    icon = icons["icons"][name]
    box = [icon.get(k, icons.get(k, d)) for k, d in (("left", 0), ("top", 0))]
    box += [icon.get(k, icons.get(k, 16)) for k in ("width", "height")]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{" ".join(map(str, box))}">'
    return f"{head}{icon['body']}</svg>"


if __name__ == "__main__":
    example.script(PACKAGES, write)
