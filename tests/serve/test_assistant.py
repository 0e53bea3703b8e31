"""`gemel mcp` as an assistant sees it: a process, asked by the official client."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

import gemel
from gemel.ledger import changes
from gemel.ledger.ledger import Ledger

KEPT = Path(__file__).parents[1] / "flows" / "kept"
ADA = {
    "title": "dr", "first": "adap", "last": "ruaeuj", "town": "colm", "born": "1970-04-21",
    "height": 169,
}  # fmt: skip
READS = {"verify", "search", "identify", "explain", "duplicates", "report"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(KEPT, tmp_path / "project")
    return tmp_path / "project"


def asked(
    folder: Path,
    calls: list[tuple[str, dict[str, Any]]],
    *words: str,
    between: Callable[[], object] = lambda: None,
) -> list[Any]:
    """The tools that there are, then the result of each call; of an error, its text.

    Before the last call `between` is called.
    """
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "gemel", "mcp", *words], cwd=folder, env=environ
    )
    found: list[Any] = []

    async def ask() -> None:
        with (folder / "stderr.txt").open("w") as log:
            async with (
                stdio_client(command, errlog=log) as (reads, writes),
                ClientSession(reads, writes) as session,
            ):
                greeted = (await session.initialize()).serverInfo
                assert (greeted.name, greeted.version) == ("gemel", gemel.__version__)
                found.append({tool.name for tool in (await session.list_tools()).tools})
                for name, arguments in calls:
                    if len(found) == len(calls):
                        await anyio.to_thread.run_sync(between)
                    result = await session.call_tool(name, arguments)
                    text = "".join(getattr(part, "text", "") for part in result.content)
                    found.append(text if result.isError else json.loads(text))

    anyio.run(ask)
    return found


def test_an_assistant_decides_and_explains_but_changes_nothing(folder: Path) -> None:
    near = {**ADA, "height": 170}
    there, same, hits, who, why, card, error, refused = asked(
        folder,
        [
            ("verify", {"left": ADA, "right": near}),
            ("search", {"query": ADA, "k": 2}),
            ("identify", {"query": ADA}),
            ("explain", {"left": ADA, "right": near}),
            ("report", {}),
            ("verify", {"left": {"frist": "x"}, "right": ADA}),
            ("delete", {"ids": ["x"]}),
        ],
    )
    assert there == READS
    assert same["outcome"] == "match" and same["score"] >= same["threshold"]
    assert len(hits["hits"]) == 2 and "outcome" in who
    assert why["score"] == pytest.approx(same["score"], abs=1e-5)
    assert card["promise"] and card["operating_points"]
    assert "left.frist" in error
    assert "delete" in refused


def test_changes_are_allowed_by_a_word(folder: Path) -> None:
    calls = [("enroll", {"records": {"new": ADA}}), ("search", {"query": ADA, "k": 2})]
    there, done, hits = asked(folder, calls, "--allow-changes")
    assert there == {*READS, "enroll", "delete"}
    assert done["added"] == 1 and done["decision_id"]
    assert "new" in {hit["id"] for hit in hits["hits"]}


@pytest.mark.parametrize("words", [(), ("--allow-changes",)])
def test_who_is_erased_elsewhere_is_found_no_more(folder: Path, words: tuple[str, ...]) -> None:
    """By a process that goes on for days; one that writes has the gallery to itself."""
    (best,) = asked(folder, [("search", {"query": ADA, "k": 1})])[1]["hits"]

    def erase() -> None:
        if not words:
            command = [sys.executable, "-m", "gemel", "gallery", "delete", best["id"]]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            return
        with Ledger.open(folder / "state" / "ledger.db") as ledger:
            said = changes.deleted(ledger.masks, "of another", 1, [best["id"]])
            ledger.append_all_durable(changes.DELETE, said)

    search = ("search", {"query": ADA, "k": 3})
    _, before, after = asked(folder, [search, search], *words, between=erase)
    assert before["hits"][0]["id"] == best["id"]
    assert best["id"] not in [hit["id"] for hit in after["hits"]]
