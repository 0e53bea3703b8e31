"""The ledger: nothing lost, nothing changed unseen, several processes, a disk that fails."""

import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest

from gemel.errors import LedgerError
from gemel.ledger.ledger import Ledger


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def book(path):
    with Ledger.open(path) as opened:
        yield opened


def tamper(path, *statements):
    with sqlite3.connect(path, isolation_level=None) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def fill(book, n=10):
    ids = [book.append("verify", {"i": i, "score": i / 7}) for i in range(n)]
    book.flush()
    return ids


def test_entries_come_back_in_the_order_of_the_calls(book):
    ids = fill(book, 5000)
    entries = book.entries(limit=10_000)
    assert [entry.id for entry in entries] == ids
    assert [entry.body for entry in entries[:2]] == [
        {"i": 0, "score": 0.0},
        {"i": 1, "score": 1 / 7},
    ]
    assert [entry.seq for entry in entries] == list(range(1, 5001))
    report = book.verify()
    assert report.ok and report.entries == 5000 and report.head == book.head()


def test_an_entry_can_be_found_at_once(book):
    record = book.append("verify", {"score": np.float32(0.5), "n": np.int64(3), "x": None})
    assert book.find(record).body == {"score": 0.5, "n": 3, "x": None}
    assert book.find("nobody") is None


def test_entries_can_be_paged_and_chosen_by_kind(book):
    fill(book)
    book.append_durable("promote", {"release": "abc"})
    assert [entry.seq for entry in book.entries(after=4, limit=3)] == [5, 6, 7]
    assert [entry.body for entry in book.entries(kind="promote")] == [{"release": "abc"}]


def test_numbers_that_the_file_cannot_hold_are_behind_every_entry(book):
    fill(book)
    assert book.entries(after=10**24) == []
    assert len(book.entries(limit=10**24)) == 10


def test_a_durable_append_is_on_disk_when_it_returns(book, path):
    record = book.append_durable("promote", {"release": "abc"})
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT id FROM entries").fetchall() == [(record,)]
    connection.close()


def test_close_writes_what_waits_and_a_closed_ledger_takes_nothing(path):
    book = Ledger.open(path)
    ids = [book.append("verify", {"i": i}) for i in range(100)]
    book.close()
    book.close()
    with pytest.raises(LedgerError, match="closed"):
        book.append("verify", {})
    with Ledger.open(path, create=False) as again:
        assert [entry.id for entry in again.entries()] == ids
        again.append_durable("more", {})
        assert again.verify().entries == 101


@pytest.mark.parametrize(
    ("statements", "seq", "problem"),
    [
        (["UPDATE entries SET text = '{}' WHERE seq = 4"], 4, "row 4 was changed"),
        (["UPDATE entries SET time_us = time_us + 1 WHERE seq = 10"], 10, "row 10 was changed"),
        (["UPDATE entries SET kind = 'x' WHERE seq = 1"], 1, "row 1 was changed"),
        (["UPDATE entries SET id = 'x' WHERE seq = 1"], 1, "row 1 was changed"),
        (["UPDATE entries SET hash = prev WHERE seq = 3"], 3, "row 3 was changed"),
        (["DELETE FROM entries WHERE seq = 1"], 1, "row 1 missing before row 2"),
        (["DELETE FROM entries WHERE seq IN (5, 6)"], 5, "rows 5 to 6 missing before row 7"),
        (["DELETE FROM entries WHERE seq > 8"], 9, "rows 9 to 10 are missing at the end"),
        (["DELETE FROM entries"], 1, "rows 1 to 10 are missing at the end"),
        (
            [
                "UPDATE entries SET seq = 99 WHERE seq = 5",
                "UPDATE entries SET seq = 5 WHERE seq = 6",
                "UPDATE entries SET seq = 6 WHERE seq = 99",
            ],
            5,
            "row 5 does not follow row 4",
        ),
        (
            [
                "DELETE FROM entries WHERE seq = 5",
                "UPDATE entries SET seq = seq - 1 WHERE seq > 5",
            ],
            5,
            "row 5 does not follow row 4",
        ),
        (
            ["INSERT INTO entries SELECT 11, 'new', time_us, kind, text, hash, prev FROM entries "
             "WHERE seq = 10"],
            11,
            "row 11 was changed",
        ),
        (["UPDATE head SET seq = 9"], 9, "the stored head names another row"),
    ],
)  # fmt: skip
def test_verify_names_the_first_row_that_is_not_as_it_was_written(
    book, path, statements, seq, problem
):
    fill(book)
    tamper(path, *statements)
    report = book.verify()
    assert not report.ok
    assert report.seq == seq
    assert problem in report.problem


def test_a_rewritten_chain_shows_against_a_head_kept_elsewhere(tmp_path):
    with Ledger.open(tmp_path / "true.db") as book:
        fill(book)
        kept = book.head()
        fill(book)
        assert book.verify(kept).ok
    with Ledger.open(tmp_path / "forged.db") as forged:
        fill(forged)
        assert forged.verify().ok
        report = forged.verify(kept)
        assert report.seq == 10 and "the chain was rewritten" in report.problem
    with Ledger.open(tmp_path / "short.db") as short:
        assert "rows 1 to 10 are missing" in short.verify(kept).problem


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"image": b"\x89PNG"}, "'image' is binary"),
        ({"embedding": list(np.random.default_rng(0).random(1000))}, "at most 8192"),
        ({"x": object()}, "the body is not JSON"),
        ({"x": np.zeros(3)}, "the body is not JSON"),
        ({"x": "\ud800"}, "the body is not JSON"),
    ],
)
def test_a_bad_body_is_refused_and_the_next_entry_is_taken(book, body, message):
    with pytest.raises(LedgerError, match=message):
        book.append("verify", body)
    book.append_durable("verify", {"fine": True})
    assert book.verify().entries == 1


def test_a_body_changed_after_append_is_noted_as_it_was(book):
    body = {"x": 1}
    record = book.append("verify", body)
    body["x"] = 2
    assert book.find(record).body == {"x": 1}


def test_one_entry_that_the_table_refuses_stops_nobody_else(book, path):
    fill(book, 1)
    tamper(
        path,
        "CREATE TRIGGER poison BEFORE INSERT ON entries WHEN NEW.kind = 'poison' "
        "BEGIN SELECT RAISE(ABORT, 'poisoned'); END",
    )
    ids = [book.append("poison" if i == 20 else "verify", {"i": i}) for i in range(40)]
    book.flush()
    assert [entry.id for entry in book.entries()[1:]] == ids
    replaced = book.find(ids[20])
    assert replaced.kind == "ledger.refused"
    assert "poisoned" in replaced.body["reason"]
    assert book.n_refused == 1
    with pytest.raises(LedgerError, match="poisoned"):
        book.append_durable("poison", {})
    assert book.verify().ok


def test_threads_lose_nothing_when_the_queue_is_short(path):
    with Ledger.open(path, max_queue=8) as book:
        found: list[list[str]] = [[] for _ in range(4)]

        def work(mine: list[str]) -> None:
            mine.extend(book.append("verify", {"i": i}) for i in range(150))

        threads = [threading.Thread(target=work, args=(mine,)) for mine in found]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        book.flush()
        order = [entry.id for entry in book.entries()]
        assert sorted(order) == sorted(record for mine in found for record in mine)
        for mine in found:  # each thread's entries are in the order of its calls
            assert [record for record in order if record in set(mine)] == mine


APPENDER = """
import sys
from gemel.ledger.ledger import Ledger
with Ledger.open(sys.argv[1]) as book:
    for i in range(200):
        book.append("other", {"i": i})
        if i % 20 == 0:
            book.append_durable("other", {"durable": i})
"""


def test_several_processes_append_to_one_chain(book, path):
    others = [subprocess.Popen([sys.executable, "-c", APPENDER, str(path)]) for _ in range(2)]
    for i in range(100):
        book.append_durable("mine", {"i": i})
    assert [other.wait(60) for other in others] == [0, 0]
    report = book.verify()
    assert report.ok and report.entries == 100 + 2 * 210


def test_a_held_file_delays_entries_and_loses_none(path):
    book = Ledger.open(path)
    fill(book, 1)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    book.append("verify", {"i": 1})
    with pytest.raises(LedgerError, match="not on disk after"):
        book.flush(0.2)
    assert book.n_waiting == 1
    holder.execute("ROLLBACK")
    holder.close()
    book.flush()
    assert book.n_waiting == 0
    book.close()


FULL_DISK = """
import resource, signal, sys
from gemel.errors import LedgerError
from gemel.ledger.ledger import Ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Ledger.open(sys.argv[1]) as book:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    for i in range(2000):
        book.append("verify", {"i": i, "x": "y" * 200})
    try:
        book.flush(1.0)
    except LedgerError as e:
        print(e.what, "|", e.hint)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    book.flush(30)
    print(book.verify().entries, book.problem)
"""


def test_entries_survive_a_disk_that_is_full_for_a_while(path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, timeout=60
    )
    said, after = done.stdout.splitlines()
    assert "not on disk after 1 s" in said and "disk" in said.split(":", 2)[-1], done.stderr
    assert after == "2000 None"


def test_what_is_not_a_ledger_is_refused(tmp_path):
    with pytest.raises(LedgerError, match="no ledger here"):
        Ledger.open(tmp_path / "nothing.db", create=False)
    (tmp_path / "text.db").write_text("not a database, but long enough to be read" * 50)
    with pytest.raises(LedgerError, match="not a database"):
        Ledger.open(tmp_path / "text.db")
    with pytest.raises(LedgerError, match="cannot make the directory"):
        Ledger.open(tmp_path / "text.db" / "ledger.db")


KILLED = """
import os, sys
from gemel.ledger.ledger import Ledger
book = Ledger.open(sys.argv[1])
for i in range(3000):
    book.append("verify", {"i": i})
book.flush()
for i in range(3000):
    book.append("verify", {"i": i})
os.kill(os.getpid(), 9)
"""


def test_a_killed_process_leaves_a_whole_chain(path):
    subprocess.run([sys.executable, "-c", KILLED, str(path)], timeout=60, check=False)
    with Ledger.open(path) as book:
        report = book.verify()
        assert report.ok and report.entries >= 3000
        book.append_durable("next", {})
        assert book.verify().ok
