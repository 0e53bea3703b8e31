"""Tables of two records on a telephone: the name of a field stands whole, above its values."""

from __future__ import annotations

import subprocess
from html import escape
from importlib.resources import files
from pathlib import Path

import pytest
from tests.programs import CHROMIUM, require

NAME = "Versicherungsnummer"
LABELS = """<body class="labels"><main><section><table id="lines"><tr><th>{}</th>
<td>1</td><td>2</td><td class="differs"></td></tr><tr></tr></table></section></main>"""
CARD = """<main><div class="cards"><article><table><tr><th>{}</th><td>1</td><td>2</td>
<td class="worth"></td></tr></table></article></div></main>"""


@pytest.mark.parametrize(
    ("package", "style", "body"),
    [
        ("gemel.console", "page.css", LABELS),
        ("gemel.watch", "templates/report.css", CARD),
    ],
)
def test_the_name_of_a_field_is_not_broken(
    package: str, style: str, body: str, tmp_path: Path
) -> None:
    require(chromium=CHROMIUM)
    css = (files(package) / style).read_text()
    shown = f"<!doctype html><style>{css}</style>{body.format(f'<span>{NAME}</span>')}"
    script = """addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const seen = page.querySelector("th span").getClientRects().length;
  document.body.dataset.lines = seen; });"""
    (tmp_path / "page.html").write_text(
        f'<body><iframe width=390 height=800 srcdoc="{escape(shown)}"></iframe>'
        f"<script>{script}</script>"
    )
    page = subprocess.run(
        [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000"),
            (tmp_path / "page.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert 'data-lines="1"' in page, page[:200]
