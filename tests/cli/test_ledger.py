"""What an attacker with access to the files can do, and that it shows once a head is at hand."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemel.cli.project import Project
from gemel.gallery.local.rows import row_digest
from gemel.ledger.chain import entry_hash
from gemel.ledger.ledger import Ledger
from gemel.release.store import Store

Gemel = Callable[..., Any]
LEDGER, STORE = Path(".gemel/ledger.db"), Path(".gemel/store.db")


@pytest.fixture
def head(project: Path, gemel: Gemel, tmp_path: Path) -> Path:
    """A head of a ledger with entries of several kinds, kept where nobody else writes."""
    (release,) = (path.name for path in Path(".gemel/releases").iterdir())
    shutil.copy(LEDGER, tmp_path / "older.db")
    assert (
        gemel("release", "promote", release, "-p", "canary", "--force", "--reason", "x").code == 0
    )
    assert gemel("gallery", "delete", "r1.0").code == 0
    with Ledger.open(LEDGER) as ledger:
        for i in range(4):
            ledger.append("verify", {"outcome": "match", "score": i / 7})
    kept = tmp_path / "usb.heads"
    assert gemel("ledger", "head", "--to", kept).code == 0
    assert gemel("ledger", "verify", "--head", kept).code == 0
    assert gemel("gallery", "check").code == 0
    for beside in Path(".gemel").glob("ledger.db-*"):
        beside.unlink()
    return kept


def sql(path: Path, *statements: str) -> None:
    with sqlite3.connect(path, isolation_level=None) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def rewrite(change: Callable[[list[list[Any]]], None] = lambda _: None) -> None:
    """Change entries and make the chain whole again, its head included."""
    with sqlite3.connect(LEDGER, isolation_level=None) as db:
        rows = [list(row) for row in db.execute("SELECT * FROM entries ORDER BY seq")]
        change(rows)
        db.execute("DELETE FROM entries")
        last = "0" * 64
        for seq, (_, record, time_us, kind, text, *_) in enumerate(rows, 1):
            hashed = entry_hash(last, seq, record, time_us, kind, text)
            new = (seq, record, time_us, kind, text, last, hashed)
            db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", new)
            last = hashed
        db.execute("UPDATE head SET seq = ?, hash = ?", (len(rows), last))
    db.close()


def put(at: int, column: int, value: Any) -> Callable[[list[list[Any]]], None]:
    def change(rows: list[list[Any]]) -> None:
        rows[at][column] = value(rows[at][column]) if callable(value) else value

    return change


def insert(rows: list[list[Any]]) -> None:
    rows.insert(2, [0, "f" * 32, rows[1][2], "verify", "{}", "", ""])


def swap(rows: list[list[Any]]) -> None:
    rows[-1][1:], rows[-2][1:] = rows[-2][1:], rows[-1][1:]


def older(folder: Path) -> None:
    shutil.copy(folder / "older.db", LEDGER)


def other_actor(text: str) -> str:
    return json.dumps({**json.loads(text), "actor": "somebody else"})


LEDGER_ATTACKS = {
    "chain rewritten, score changed": lambda _: rewrite(put(-1, 4, '{"outcome":"no_match"}')),
    "time changed": lambda _: rewrite(put(1, 2, lambda at: at + 1)),
    "actor changed": lambda _: rewrite(put(0, 4, other_actor)),
    "tail cut, head moved": lambda _: rewrite(lambda rows: rows.pop()),
    "all entries taken out": lambda _: rewrite(lambda rows: rows.clear()),
    "file emptied": lambda _: LEDGER.write_bytes(b""),
    "file deleted": lambda _: LEDGER.unlink(),
    "entry inserted": lambda _: rewrite(insert),
    "entries swapped": lambda _: rewrite(swap),
    "older copy put back": older,
    "body changed alone": lambda _: sql(LEDGER, "UPDATE entries SET text = '{}' WHERE seq = 2"),
    "previous hash changed": lambda _: sql(LEDGER, "UPDATE entries SET prev = hash WHERE seq = 2"),
    "file deleted and heads beside it too": lambda _: (
        LEDGER.unlink(),
        Path(".gemel/ledger.heads").unlink(),
        Ledger.open(LEDGER).close(),
    ),
}


@pytest.mark.parametrize("attack", LEDGER_ATTACKS)
def test_a_ledger_that_was_tampered_with_does_not_verify(
    head: Path, gemel: Gemel, tmp_path: Path, attack: str
) -> None:
    LEDGER_ATTACKS[attack](tmp_path)
    said = gemel("ledger", "verify", "--head", head)
    assert said.code == 1 and "Traceback" not in said.err, said.err
    assert said.err.startswith("error: ") and "\nhint: " in said.err
    assert not attack.startswith("file deleted") or attack.endswith("too") or not LEDGER.exists()


def test_a_ledger_that_is_gone_is_not_begun_anew(head: Path, gemel: Gemel) -> None:
    LEDGER.unlink()
    said = gemel("gallery", "delete", "r2.0")
    assert said.code == 1 and "the ledger is gone" in said.err and "restore" in said.err
    assert not LEDGER.exists()


HISTORY_ATTACKS = {
    "move changed": "UPDATE pointer_moves SET reason = 'all is well' WHERE pointer = 'canary'",
    "actor changed": "UPDATE pointer_moves SET actor = 'somebody' WHERE pointer = 'canary'",
    "move taken out": "DELETE FROM pointer_moves WHERE pointer = 'canary'",
    "move added": "INSERT INTO pointer_moves SELECT NULL, 'stable', action, release_id, previous, "
    "actor, reason, time FROM pointer_moves WHERE pointer = 'canary'",
    "moves put elsewhere": "UPDATE pointer_moves SET pointer = 'stable' WHERE pointer = 'canary'",
}


@pytest.mark.parametrize("attack", HISTORY_ATTACKS)
def test_a_history_of_pointers_that_was_tampered_with_does_not_verify(
    head: Path, gemel: Gemel, attack: str
) -> None:
    sql(
        STORE,
        "DROP TRIGGER pointer_moves_no_update",
        "DROP TRIGGER pointer_moves_no_delete",
        HISTORY_ATTACKS[attack],
    )
    said = gemel("ledger", "verify", "--head", head)
    assert said.code == 1 and "store.db" in said.err, said.err


def test_a_history_of_pointers_that_is_gone_does_not_verify(head: Path, gemel: Gemel) -> None:
    STORE.unlink()
    assert gemel("ledger", "verify", "--head", head).code == 1


def forge_row(folder: Path, statement: str) -> None:
    """Change a row of the gallery, and then its digest and the one of all rows."""
    total = bytes(16)
    with sqlite3.connect(folder / "gallery.db", isolation_level=None) as db:
        db.execute(statement)
        for seq, record, embedding, attributes in db.execute(
            "SELECT seq, id, embedding, attributes FROM rows"
        ).fetchall():
            digest = row_digest(seq, record, embedding, attributes)
            db.execute("UPDATE rows SET digest = ? WHERE seq = ?", (digest, seq))
            total = (int.from_bytes(total) ^ int.from_bytes(digest)).to_bytes(16)
        db.execute("UPDATE meta SET value = ? WHERE key = 'digest'", (total.hex(),))
    db.close()


GALLERY_ATTACKS = {
    "is not what was enrolled": "UPDATE rows SET embedding = (SELECT embedding FROM rows WHERE "
    "id = 'r3.0') WHERE id = 'r5.0'",
    "1 record stands in the ledger": "DELETE FROM rows WHERE id = 'r5.0'",
    "no entry accounts for": "INSERT INTO rows SELECT 99999, 'new', live, embedding, attributes, "
    "digest FROM rows WHERE id = 'r5.0'",
}


@pytest.mark.parametrize("problem", GALLERY_ATTACKS)
def test_rows_changed_with_their_digests_show_against_the_ledger(
    head: Path, gemel: Gemel, problem: str
) -> None:
    (folder,) = Path(".gemel/gallery").iterdir()
    forge_row(folder, GALLERY_ATTACKS[problem])
    said = gemel("gallery", "check")
    assert said.code == 1 and problem in said.err, said.err
    assert gemel("gallery", "stats").code == 0  # each row is whole by itself


def test_entries_behind_the_head_are_said_to_be_without_its_protection(
    head: Path, gemel: Gemel
) -> None:
    with Ledger.open(LEDGER) as ledger:
        ledger.append("verify", {})
        n = ledger.head().seq
    said = gemel("ledger", "verify", "--head", head)
    assert f"entries {n + 1} to {n + 1} stand behind the newest head" in said.err
    with Ledger.open(LEDGER) as ledger:
        word = f"{ledger.head().seq}:{ledger.head().hash}"
    assert gemel("ledger", "head").out.strip() == word
    assert gemel("ledger", "verify", "--head", word).err.strip() == "the chain is whole"
    bad = gemel("ledger", "verify", "--head", "nonsense")
    assert bad.code == 1 and "neither a head nor a file" in bad.err


def test_a_copy_that_cannot_be_written_verifies(
    head: Path, gemel: Gemel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    shutil.copy(LEDGER, folder / "ledger.db")
    content = (folder / "ledger.db").read_bytes()
    folder.chmod(0o555)
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)
    said = gemel("ledger", "verify", folder / "ledger.db", "--head", head, "--json")
    folder.chmod(0o755)
    assert said.code == 0, said.err
    assert json.loads(said.out)["problem"] is None
    assert [path.name for path in folder.iterdir()] == ["ledger.db"]
    assert (folder / "ledger.db").read_bytes() == content


def test_a_head_file_of_the_settings_gets_a_head_at_each_promotion(
    project: Path, gemel: Gemel, tmp_path: Path
) -> None:
    file = tmp_path / "elsewhere.heads"
    (release,) = (path.name for path in Path(".gemel/releases").iterdir())
    words = ["--force", "--reason", "x", "--set", f"ledger.head_file={file}"]
    assert gemel("release", "promote", release, "-p", "shadow", *words).code == 0
    newest = file.read_text().split()[0]
    assert newest == gemel("ledger", "head").out.strip()
    rewrite(put(1, 4, other_actor))
    Path(".gemel/ledger.heads").unlink()
    assert gemel("ledger", "verify").code == 0
    assert gemel("ledger", "verify", "--set", f"ledger.head_file={file}").code == 1


def test_a_move_that_cannot_be_noted_is_not_made(project: Path, gemel: Gemel) -> None:
    LEDGER.write_bytes(b"not a database" * 100)
    (release,) = (path.name for path in Path(".gemel/releases").iterdir())
    said = gemel("release", "promote", release, "-p", "canary", "--force", "--reason", "x")
    assert said.code == 1
    assert Store(".gemel").pointer("canary") is None


def test_heads_of_a_tenant_are_kept_in_a_file_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "gemel.toml").write_text('[ledger]\nhead_file = "usb/heads"\n')
    project = Project.open(tmp_path / "gemel.toml")
    assert project.head_file == tmp_path / "usb" / "heads"
    assert project.of_tenant("acme").head_file == tmp_path / "usb" / "heads.acme"
