"""`gemel keys`: a key is printed once, kept as a digest, listed, revoked and noted."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemel.ledger.ledger import Ledger

Gemel = Callable[..., Any]


def test_a_key_is_made_listed_and_revoked(gemel: Gemel, empty: Path) -> None:
    (empty / "gemel.toml").write_text("")
    assert "asks nobody who they are" in gemel("keys", "list").err
    said = gemel("keys", "add", "shop", "--role", "enroller", "--days", "9", "--per-second", "5")
    assert said.code == 0, said.err
    key = said.out.strip()
    assert re.fullmatch(r"gemel_[0-9a-f]{8}_[\w-]{43}", key)
    assert key not in said.err
    gemel("keys", "add", "shop")
    kept = (empty / ".gemel" / "keys.json").read_text()
    assert key.split("_", 2)[2] not in kept
    first, second = json.loads(gemel("keys", "list", "--json").out)
    assert (first["name"], first["role"], first["state"]) == ("shop", "enroller", "valid")
    assert (first["per_second"], second["role"]) == (5, "reader")
    several = gemel("keys", "revoke", "shop")
    assert several.code == 1 and first["id"] in several.err and second["id"] in several.err
    assert gemel("keys", "revoke", first["id"]).code == 0
    assert gemel("keys", "revoke", "shop").code == 0
    assert gemel("keys", "revoke", "shop").code == 1
    assert gemel("keys", "list").out.count("revoked") == 2
    with Ledger.open(empty / ".gemel" / "ledger.db", write=False) as ledger:
        entries = [(e.kind, json.loads(e.text)) for e in ledger.each() if e.kind.startswith("key.")]
    assert [kind for kind, _ in entries] == ["key.add"] * 2 + ["key.revoke"] * 2
    assert entries[0][1]["name"] == "shop" and entries[0][1]["actor"]
    assert key.split("_", 2)[2] not in json.dumps(entries)


def test_a_key_is_rotated_with_all_that_bounds_it(gemel: Gemel, empty: Path) -> None:
    """Added anew by hand, a limit that was forgotten is a limit that is gone."""
    (empty / "gemel.toml").write_text("")
    words = ("--role", "enroller", "--tenant", "acme", "--per-second", "5", "--per-day", "100")
    bounds = {"per_second": 5, "per_day": 100, "max_records": 7, "tenant": "acme"}
    first = gemel("keys", "add", "shop", *words, "--max-records", "7", "--days", "9").out
    said = gemel("keys", "rotate", "shop")
    assert said.code == 0 and said.out != first, said.err
    old, new = json.loads(gemel("keys", "list", "--json").out)
    assert f"gemel keys revoke {old['id']}" in said.err
    assert old["state"] == new["state"] == "valid" and new["id"] in said.out
    kept = {name: new[name] for name in bounds}
    assert (kept, new["name"], new["role"]) == (bounds, "shop", "enroller")
    assert new["expires"][:10] == old["expires"][:10]
    assert gemel("keys", "rotate", "shop").code == 1, "there are two of that name"
    assert gemel("keys", "revoke", old["id"]).code == 0
    assert gemel("keys", "rotate", "shop", "--days", "1").code == 0
    assert json.loads(gemel("keys", "list", "--json").out)[-1]["per_day"] == 100
    assert gemel("keys", "rotate", old["id"]).code == 1, "it is revoked"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "a b"), "is no name of a key"),
        (("add", "x" * 65), "is no name of a key"),
        (("add", "x", "--role", "root"), "--role root: one of reader, enroller"),
        (("add", "x", "--days", "0"), "--days"),
        (("revoke", "nobody"), "no key 'nobody'"),
    ],
)
def test_what_makes_no_key_is_said(
    gemel: Gemel, empty: Path, words: tuple[str, ...], says: str
) -> None:
    (empty / "gemel.toml").write_text("")
    said = gemel("keys", *words)
    assert said.code in (1, 2) and says in said.err


def test_no_service_starts_with_keys_that_it_cannot_read(gemel: Gemel, project: Path) -> None:
    """It would be ready, and answer nobody."""
    (project / ".gemel" / "keys.json").write_text('{"keys": [')
    said = gemel("serve", "--host", "0.0.0.0", "--port", "0")
    assert said.code == 1 and "not a file of keys" in said.err
    assert "gemel keys add" in said.err.partition("hint:")[2]


def test_the_service_is_not_shown_to_others_without_a_key(gemel: Gemel, project: Path) -> None:
    said = gemel("serve", "--host", "0.0.0.0")
    assert said.code == 1 and "asks nobody who they are" in said.err
