"""Whatever text stands in the evidence of a release, its report shows it as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from tests.watch.test_report import EVIL, Page

from gemel.release.evidence.schema import Evidence
from gemel.release.release import Release
from gemel.watch.report import render

Place = tuple[str, ...]
"""Names of fields from the top; [] for each of a list."""


def texts(value: Any, place: Place = ()) -> Iterator[Place]:
    """Where texts stand."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from texts(inner, (*place, name))
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, (*place, "[]"))
    elif isinstance(value, str):
        yield place


def spoiled(value: Any, places: set[Place], place: Place = ()) -> Any:
    """The same with markup behind the texts of those places."""
    if isinstance(value, dict):
        return {name: spoiled(inner, places, (*place, name)) for name, inner in value.items()}
    if isinstance(value, list):
        return [spoiled(inner, places, (*place, "[]")) for inner in value]
    return f"{value}{EVIL}" if isinstance(value, str) and place in places else value


def is_free(evidence: Any, place: Place) -> bool:
    """Whether any text may stand there, and not one of a few words."""
    try:
        msgspec.convert(spoiled(evidence, {place}), Evidence)
    except msgspec.ValidationError:
        return False
    return True


def test_every_text_of_the_evidence_is_shown_as_text(release: Release, tmp_path: Path) -> None:
    said = msgspec.to_builtins(release.evidence)
    free = {place for place in set(texts(said)) if is_free(said, place)}
    assert len(free) > 20
    evidence = msgspec.convert(spoiled(said, free), Evidence)
    html = render(release.child(evidence=evidence, into=tmp_path / "child"))
    page = Page(html)
    assert page.text.count("<script>alert('x')</script>") > 10, "they are shown at all"
    assert [tag for tag, _ in page.tags if tag in ("script", "img")].count("script") == 2
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert not re.search(r"<script>alert", html)
