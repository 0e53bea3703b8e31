"""The truth of a gallery: its rows in SQLite.

Every change gets a number (`seq`), so whoever has read up to one number can ask for the rest. A
deleted record stays as a numbered mark without embedding or attributes. What a call returns has
been committed with `synchronous=FULL`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from gemel.arrays import Float32, Int64
from gemel.errors import GalleryError
from gemel.gallery.attributes import Attributes
from gemel.sqlite import Database, Kind

FILE = "gallery.db"
FORMAT = "1"
PAGE = 8192

_tables = sa.MetaData()
META = sa.Table(
    "meta",
    _tables,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("value", sa.String, nullable=False),
)
ROWS = sa.Table(
    "rows",
    _tables,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String, nullable=False, unique=True),
    sa.Column("live", sa.Boolean, nullable=False),
    sa.Column("embedding", sa.LargeBinary),
    sa.Column("attributes", sa.String),
)
# Counts deleted records without reading embeddings.
sa.Index("rows_deleted", ROWS.c.live, sqlite_where=ROWS.c.live.is_(sa.false()))
KIND = Kind(_tables, GalleryError, GalleryError)


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
        with self._database.transaction() as connection:
            return {row.key: row.value for row in connection.execute(sa.select(META))}

    def note(self, values: dict[str, str]) -> None:
        """Note something about the gallery as a whole, durably."""
        statement = insert(META)
        statement = statement.on_conflict_do_update(
            index_elements=["key"], set_={"value": statement.excluded.value}
        )
        with self._database.transaction(write=True) as connection:
            connection.execute(statement, [{"key": k, "value": v} for k, v in values.items()])

    def counts(self) -> tuple[int, int]:
        """How many records are live, and how many are marked as deleted."""
        total = sa.select(sa.func.count()).select_from(ROWS)
        with self._database.transaction() as connection:
            n_rows = connection.execute(total).scalar_one()
            n_deleted = connection.execute(total.where(ROWS.c.live.is_(sa.false()))).scalar_one()
        return n_rows - n_deleted, n_deleted

    def put(
        self, seqs: Int64, ids: Sequence[str], rows: Float32, attributes: Sequence[Attributes]
    ) -> None:
        """Write records, new or changed, in one transaction; they are durable on return."""
        statement = insert(ROWS)
        statement = statement.on_conflict_do_update(
            index_elements=["id"],
            set_={
                name: statement.excluded[name]
                for name in ("seq", "live", "embedding", "attributes")
            },
        )
        encode = msgspec.json.Encoder(order="sorted").encode
        values = [
            {
                "seq": seq,
                "id": record,
                "live": True,
                "embedding": row.tobytes(),
                "attributes": encode(row_attributes).decode() if row_attributes else None,
            }
            for seq, record, row, row_attributes in zip(
                seqs.tolist(), ids, rows, attributes, strict=True
            )
        ]
        with self._database.transaction(write=True) as connection:
            connection.execute(statement, values)

    def delete(self, seqs: Int64, ids: Sequence[str]) -> None:
        """Mark records as deleted and forget what they held, in one transaction."""
        statement = (
            sa.update(ROWS)
            .where(ROWS.c.id == sa.bindparam("record"))
            .values(seq=sa.bindparam("new_seq"), live=False, embedding=None, attributes=None)
        )
        values = [
            {"record": record, "new_seq": seq}
            for seq, record in zip(seqs.tolist(), ids, strict=True)
        ]
        with self._database.transaction(write=True) as connection:
            connection.execute(statement, values)

    def get(self, record: str, dim: int) -> tuple[Float32, Attributes] | None:
        """Embedding (d,) and attributes of one record, or None."""
        question = sa.select(ROWS.c.embedding, ROWS.c.attributes)
        question = question.where(ROWS.c.id == record, ROWS.c.live)
        with self._database.transaction() as connection:
            found = connection.execute(question).one_or_none()
        if found is None:
            return None
        embedding = _matrix([found.embedding], [record], dim, self.path)[0]
        return embedding, _decoded([found.attributes])[0]

    def changes(self, after: int, dim: int) -> Iterator[Page]:
        """Everything that changed after a number, as of one moment, a page at a time.

        Raises:
            GalleryError: the database is damaged.
        """
        question = (
            f"SELECT seq, id, live, embedding, attributes FROM rows WHERE seq > {int(after)} "
            "ORDER BY seq"
        )
        with self._database.transaction() as connection:
            cursor = connection.exec_driver_sql(question)
            while found := cursor.fetchmany(PAGE):
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
