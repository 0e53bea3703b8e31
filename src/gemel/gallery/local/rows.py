"""The truth of a gallery: its rows in SQLite.

Every change gets a number (`seq`), so whoever has read up to one number can ask for the rest. A
deleted record stays as a numbered mark without embedding or attributes. What a call returns has
been committed with `synchronous=FULL`. Each row has a digest, looked at whenever the row is read,
and all of them together have one, looked at when all are: they show what a disk or a program
changed or lost by accident. Who changes a row on purpose can change digests as well, which shows
against the ledger.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gemel.arrays import Float32, Int64
from gemel.errors import GalleryError, GalleryFull, GalleryUnavailable, quoted
from gemel.gallery.attributes import Attributes
from gemel.sqlite import Cursor, Database, Kind

FILE = "gallery.db"
FORMAT = "1"
PAGE = 8192

TABLES = (
    """CREATE TABLE IF NOT EXISTS meta (
        "key" VARCHAR NOT NULL,
        value VARCHAR NOT NULL,
        PRIMARY KEY ("key")
    )""",
    """CREATE TABLE IF NOT EXISTS rows (
        seq INTEGER NOT NULL,
        id VARCHAR NOT NULL,
        live BOOLEAN NOT NULL,
        embedding BLOB,
        attributes VARCHAR,
        digest BLOB,
        PRIMARY KEY (seq),
        UNIQUE (id)
    )""",
    # Counts deleted records without reading embeddings.
    "CREATE INDEX IF NOT EXISTS rows_deleted ON rows (live) WHERE live IS 0",
)
KIND = Kind(
    TABLES,
    GalleryError,
    GalleryError,
    full=GalleryFull,
    lost=GalleryUnavailable,
    schema=1,
    upgrades={0: "ALTER TABLE rows ADD COLUMN digest BLOB"},
)
DIGEST_BYTES = 16
KINDS = {(str, bytes, str), (str, bytes, type(None)), (str, type(None), type(None))}
"""Of id, embedding and attributes: SQLite gives what it finds, whatever the column says."""
HEX = re.compile(f"[0-9a-f]{{{2 * DIGEST_BYTES}}}")
DAMAGED = (
    "the disk or another program changed the file: restore it from a copy, or move it away and "
    "enroll again"
)
TOTAL = "digest"
"""Key in the meta table: all digests of rows by XOR; not there while some row has none."""
SET_META = 'INSERT OR REPLACE INTO meta ("key", value) VALUES (?, ?)'
PUT = """
    INSERT INTO rows (seq, id, live, embedding, attributes, digest) VALUES (?, ?, 1, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, live = excluded.live,
    embedding = excluded.embedding, attributes = excluded.attributes, digest = excluded.digest
"""
DELETE = """
    UPDATE rows SET seq = ?, live = 0, embedding = NULL, attributes = NULL, digest = ? WHERE id = ?
"""


@dataclass(frozen=True)
class Page:
    """Some changes in the order of their numbers: records written, and records deleted."""

    seqs: Int64
    ids: list[str]
    embeddings: Float32
    attributes: list[Attributes]
    deleted: list[str]
    last_seq: int


class Rows:
    """Rows of one database file.

    Args:
        folder: the directory of the gallery.
        write: open for changes; else the file must exist.

    Raises:
        GalleryError: the database cannot be opened.
    """

    def __init__(self, folder: Path, *, write: bool) -> None:
        self.path = folder / FILE
        self._database = Database(self.path, KIND, write=write)

    def meta(self) -> dict[str, str]:
        """What is noted about the gallery as a whole."""
        with self._database.transaction() as cursor:
            return dict(cursor.execute('SELECT "key", value FROM meta').fetchall())

    def note(self, values: dict[str, str]) -> None:
        """Note something about the gallery as a whole, durably."""
        with self._database.transaction(write=True) as cursor:
            cursor.executemany(SET_META, values.items())

    def counts(self) -> tuple[int, int]:
        """How many records are live, and how many are marked as deleted."""
        total = "SELECT count(*) FROM rows"
        with self._database.transaction() as cursor:
            (n_rows,) = cursor.execute(total).fetchone()
            (n_deleted,) = cursor.execute(f"{total} WHERE live IS 0").fetchone()
        return n_rows - n_deleted, n_deleted

    def last_seq(self) -> int:
        """The number of the last change; 0 before the first."""
        with self._database.transaction() as cursor:
            (last,) = cursor.execute("SELECT max(seq) FROM rows").fetchone()
        return int(last or 0)

    def put(
        self, seqs: Int64, ids: Sequence[str], rows: Float32, attributes: Sequence[Attributes]
    ) -> list[bytes]:
        """Write records, new or changed, in one transaction; they are durable on return.

        Returns:
            The digest of each row.
        """
        encode = msgspec.json.Encoder(order="sorted").encode
        values = []
        for seq, record, row, named in zip(seqs.tolist(), ids, rows, attributes, strict=True):
            stored = row.tobytes(), encode(named).decode() if named else None
            values.append((seq, record, *stored, row_digest(seq, record, *stored)))
        digests = [value[-1] for value in values]
        with self._database.transaction(write=True) as cursor:
            _replace(cursor, ids, digests)
            cursor.executemany(PUT, values)
        return digests

    def delete(self, seqs: Int64, ids: Sequence[str]) -> None:
        """Mark records as deleted and forget what they held, in one transaction."""
        values = [
            (seq, row_digest(seq, record, None, None), record)
            for seq, record in zip(seqs.tolist(), ids, strict=True)
        ]
        with self._database.transaction(write=True) as cursor:
            _replace(cursor, ids, [digest for _, digest, _ in values])
            cursor.executemany(DELETE, values)

    def ids(self) -> Iterator[str]:
        """Every live record, by its id; neither embeddings nor attributes are read.

        Raises:
            GalleryError: the database cannot be read.
        """
        with self._database.transaction() as cursor:
            gone = {record for (record,) in cursor.execute("SELECT id FROM rows WHERE live IS 0")}
            for (record,) in cursor.execute("SELECT id FROM rows ORDER BY id"):
                if record not in gone:
                    yield record

    def present(self, ids: Iterable[str]) -> list[str]:
        """Those of some ids that are live."""
        live = "SELECT id FROM rows WHERE live IS 1 AND id IN (SELECT value FROM json_each(?))"
        with self._database.transaction() as cursor:
            asked = msgspec.json.encode(list(ids)).decode()
            return [record for (record,) in cursor.execute(live, (asked,))]

    def get(self, record: str, dim: int) -> tuple[Float32, Attributes] | None:
        """Embedding (d,) and attributes of one record, or None."""
        with self._database.transaction() as cursor:
            question = f"SELECT {self._columns()} FROM rows WHERE id = ?"
            found = cursor.execute(question, (record,)).fetchone()
        if found is None or not found[2]:
            return None
        self._check([found])
        embedding = _matrix([found[3]], [record], dim, self.path)[0]
        return embedding, _decoded([found[4]])[0]

    def seal(self) -> int:
        """Give a digest to rows that have none, as they are now; how many there were."""
        with self._database.transaction(write=True) as cursor:
            bare = cursor.execute(
                f"SELECT {self._columns()} FROM rows WHERE digest IS NULL"
            ).fetchall()
            for seq, record, _, embedding, attributes, _ in bare:
                digest = row_digest(seq, record, embedding, attributes)
                cursor.execute("UPDATE rows SET digest = ? WHERE seq = ?", (digest, seq))
            if bare or _total(cursor) is None:
                total = _combined(d for (d,) in cursor.execute("SELECT digest FROM rows"))
                cursor.execute(SET_META, (TOTAL, total.hex()))
        return len(bare)

    def digests(self) -> Iterator[tuple[str, bytes | None]]:
        """Id and digest of every live row, all rows being looked at; None where there is none.

        Raises:
            GalleryError: a row is not as it was written.
        """
        for found in self._read(0):
            yield from ((row[1], row[5]) for row in found if row[2])

    def changes(self, after: int, dim: int) -> Iterator[Page]:
        """Everything that changed after a number, as of one moment, a page at a time.

        Raises:
            GalleryError: the database is damaged.
        """
        for found in self._read(after):
            live = [row for row in found if row[2]]
            ids = [row[1] for row in live]
            yield Page(
                np.array([row[0] for row in live], np.int64),
                ids,
                _matrix([row[3] for row in live], ids, dim, self.path),
                _decoded([row[4] for row in live]),
                [row[1] for row in found if not row[2]],
                int(found[-1][0]),
            )

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def _read(self, after: int) -> Iterator[Sequence[Any]]:
        """Rows behind a number, as of one moment, page by page, each compared with its digest.

        Raises:
            GalleryError: a row is not as it was written, or, of all rows, one is missing.
        """
        with self._database.transaction() as cursor:
            total, seen = None if after else _total(cursor), bytes(DIGEST_BYTES)
            question = f"SELECT {self._columns()} FROM rows WHERE seq > ? ORDER BY seq"
            cursor.execute(question, (int(after),))
            while found := cursor.fetchmany(PAGE):
                self._check(found)
                if total is not None:
                    seen = _combined((row[5] for row in found), seen)
                yield found
        if total is not None and seen != total:
            raise GalleryError(
                "rows are missing, or are not those that were written",
                where=str(self.path),
                hint=DAMAGED,
            )

    def _columns(self) -> str:
        """What is read of a row; a file of an older version has no digests."""
        digest = "digest" if self._database.schema else "NULL"
        return f"seq, id, live, embedding, attributes, {digest}"

    def _check(self, rows: Sequence[Any]) -> None:
        """Raise unless rows are as they were written; a row without a digest may be anything."""
        for seq, record, live, embedding, attributes, digest in rows:
            kinds = type(record), type(embedding), type(attributes)
            if (
                kinds not in KINDS
                or not (digest is None or digest == row_digest(seq, record, embedding, attributes))
                or bool(live) != (embedding is not None)
            ):
                raise GalleryError(
                    f"record {quoted(record)} is not as it was written",
                    where=str(self.path),
                    hint=DAMAGED,
                )


def row_digest(seq: int, record: str, embedding: bytes | None, attributes: str | None) -> bytes:
    """16 bytes of SHA-256 over all of a row; that it is live shows by its embedding."""
    name, content, more = record.encode(), embedding or b"", (attributes or "").encode()
    head = b"%d %d %d %d " % (seq, embedding is not None, len(name), len(content))
    return hashlib.sha256(b"".join((head, name, content, more))).digest()[:DIGEST_BYTES]


def _total(cursor: Cursor) -> bytes | None:
    """All digests together, as they were when the last change was written."""
    found = cursor.execute('SELECT value FROM meta WHERE "key" = ?', (TOTAL,)).fetchone()
    if found is None:
        return None
    return bytes.fromhex(found[0]) if HEX.fullmatch(str(found[0])) else b""


def _combined(digests: Iterable[bytes | None], start: bytes = bytes(DIGEST_BYTES)) -> bytes:
    total = int.from_bytes(start)
    for one in digests:
        total ^= int.from_bytes(one or b"")
    return total.to_bytes(DIGEST_BYTES)


def _replace(cursor: Cursor, ids: Sequence[str], digests: Iterable[bytes]) -> None:
    """Take the digests of rows that are about to be written into the one of all."""
    total = _total(cursor)
    if total is None:
        return
    before = cursor.execute(
        "SELECT digest FROM rows WHERE id IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(ids).decode(),),
    )
    total = _combined([*(digest for (digest,) in before), *digests], total)
    cursor.execute(SET_META, (TOTAL, total.hex()))


def _matrix(blobs: list[bytes | None], ids: list[str], dim: int, path: Path) -> Float32:
    bad = next((i for i, blob in enumerate(blobs) if len(blob or b"") != dim * 4), None)
    if bad is not None:
        raise GalleryError(
            f"record {ids[bad]!r} has an embedding of {len(blobs[bad] or b'')} bytes, "
            f"expected {dim * 4}",
            where=str(path),
            hint="something else changed the database; restore it from a copy or enroll again",
        )
    return np.frombuffer(b"".join(filter(None, blobs)), np.float32).reshape(len(ids), dim)


def _decoded(texts: list[str | None]) -> list[Attributes]:
    if not any(texts):
        return [{} for _ in texts]
    decoded: list[Attributes] = msgspec.json.decode(f"[{','.join(text or '{}' for text in texts)}]")
    return decoded
