"""Pictures and their captions: a table of both, or a folder of pictures with texts beside them.

Each picture and each text is a record of its own. What stands in one line belongs together, and so
does what shares a picture or a text with it. Only a picture and a text are compared when a release
is made; which of the two a record is, is its category.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gemel.arrays import Int64
from gemel.data import schema
from gemel.data.dataset import (
    UNKNOWN,
    BadRecord,
    CategoryColumn,
    Contents,
    Dataset,
    Held,
    codes,
    digest_of,
    printable,
)
from gemel.data.labelled.chains import closure
from gemel.data.pairing import Pairing
from gemel.data.sources import folders, images, tables, texts
from gemel.data.sources.columns import Columns, of_folder, plain
from gemel.data.sources.folders import Files
from gemel.data.wordbags import normalised
from gemel.errors import DataError, quoted
from gemel.figures import number_of

if TYPE_CHECKING:
    import polars as pl

NAME = "image_text"
TABLES = ("captions", "metadata")
"""Names of a table in a folder of pictures, with any suffix that is read."""
KIND = "kind"
"""Name of the category: which of the two a record is."""
KINDS = ("image", "text")
OF_TEXT = "#text"
"""Behind the id of a picture: the id of its text."""
LOOKED_AT, MOST = 200, 0.5
"""Values of a column that are looked at; more than this share of them are paths of pictures."""
SHOWN = 80
"""Characters of the first text of an identity that name it."""


@dataclass(frozen=True, eq=False)
class Both:
    """Pictures, and texts behind them.

    Args:
        pictures: of n records.
        texts: of the m records after them.
        at: (k,) int64, which of the n + m each record is.
    """

    pictures: Files
    texts: Held
    at: Int64
    frame: None = None

    def payloads(self, idx: Int64) -> list[Any]:
        """The bytes of pictures, read now, and texts."""
        return [
            self.pictures.files[i].read() if i < self._n else self.texts.values[i - self._n]
            for i in self.at[idx].tolist()
        ]

    def take(self, idx: Int64) -> Both:
        """Those of the records at these positions."""
        return replace(self, at=self.at[idx])

    def digest(self, dataset: Dataset) -> str:
        """Of the ids with identity and content."""
        hashes = [file.sha256 for file in self.pictures.files]
        return digest_of(dataset, [[*hashes, *self.texts.values][i] for i in self.at.tolist()])

    def alike(self, side: Int64, *, near: bool) -> tuple[NDArray[np.integer[Any]], Int64]:
        """Pictures as pictures are, texts as texts are."""
        keys, close = np.zeros(len(self.at), np.int64), [np.zeros((0, 2), np.int64)]
        are_texts = self.at >= self._n
        parts: tuple[Contents, Contents] = (self.pictures, self.texts)
        for kind, part in enumerate(parts):
            here = np.flatnonzero(are_texts == kind)
            if len(here):
                of_kind = part.take(self.at[here] - kind * self._n)
                own, pairs = of_kind.alike(side[here], near=near)
                keys[here] = 2 * own.astype(np.int64) + kind
                close.append(here[pairs])
        return keys, np.concatenate(close)

    def shown(self, i: int) -> str:
        """The first characters of a text; nothing of a picture, whose id is its path."""
        at = int(self.at[i]) - self._n
        return self.texts.shown(at) if at >= 0 else ""

    @property
    def _n(self) -> int:
        return len(self.pictures.files)


@dataclass(frozen=True)
class Line:
    """A picture and its text, by the id and the path of the picture; either may be missing.

    Attributes:
        id: of the picture, or of the text where there is none.
        picture: its file.
        text: of it.
        identity: that was stated.
    """

    id: str
    picture: Path | None
    text: str | None
    identity: str | None = None


def read(path: Path, said: Columns) -> Dataset:
    """The pictures and texts of a table or a folder, with what was refused.

    Raises:
        DataError: there are none, or a table that cannot be read.
    """
    plain(said, path)
    table = table_in(path) if path.is_dir() else path
    if table is not None:
        return _table(table, said)
    of_folder(said, path)
    return _beside(path)


def table_in(folder: Path) -> Path | None:
    """The table of captions in a folder of pictures, if there is one."""
    for file in sorted(folder.iterdir()):
        known = file.suffix.lower() in tables.SUFFIXES
        if known and file.stem.lower() in TABLES and file.is_file():
            return file
    return None


def are_in(folder: Path) -> bool:
    """Whether a folder has captions: a table of them, or a text beside most pictures."""
    if table_in(folder) is not None:
        return True
    named = _pictures(folder)[:LOOKED_AT]
    n = sum(_text_beside(path) is not None for _, path in named)
    return n > MOST * len(named)


def picture_column(frame: pl.DataFrame) -> str | None:
    """The column of a table that holds paths of pictures, if one does."""
    for name in frame.columns:
        some = schema.as_strings(frame[name]).drop_nulls().head(LOOKED_AT).to_list()
        if sum(v.lower().endswith(images.SUFFIXES) for v in some) > MOST * len(some):
            return str(name)
    return None


def _table(path: Path, said: Columns) -> Dataset:
    table = tables.read(path, said.sheet, said.encoding)
    frame = table.frame
    for column in (*said.labels, *said.ignore):
        if column not in frame.columns:
            hint = f"columns: {', '.join(frame.columns)}"
            raise DataError(f"no column {column!r}", where=table.file, hint=hint)
    left = frame.drop([c for c in frame.columns if c in (*said.hidden, *said.ignore)])
    of_picture = picture_column(left)
    if of_picture is not None:
        left = left.drop(of_picture)
    fields, _ = schema.infer(left, said.kinds, missing=said.missing, where=table.file)
    of_text = [f.name for f in fields if f.kind in ("text", "category")]
    if not of_text:
        hint = "a caption is a column of text; those that are none are left out"
        raise DataError("no column of text", where=table.file, hint=hint)
    strings = {
        c: schema.as_strings(schema.without_gaps(frame[c], said.missing)).to_list()
        for c in frame.columns
    }
    lines, bad = [], list(table.bad)
    of_id: dict[str, str | None] = {}
    for i, row in enumerate(table.rows.tolist()):
        said_here = [strings[c][i] for c in of_text]
        text = "\n".join(v for v in said_here if v is not None)
        name = None if of_picture is None else strings[of_picture][i]
        id = (name or str(row)) if said.id is None else strings[said.id][i]
        reason: tuple[str, str] | None = None
        if not text:
            reason = (of_text[0], "missing value")
        elif of_picture is not None and not name:
            reason = (of_picture, "missing value")
        elif of_picture is not None and not (path.parent / str(name)).is_file():
            reason = (of_picture, f"no file {printable(str(name))!r}")
        elif id is None:
            reason = (str(said.id), "missing id")
        elif of_id.setdefault(id, name) != name:
            reason = (str(said.id), f"duplicate id: {quoted(id)}")
        if reason is not None:
            bad.append(BadRecord(table.file, row, *reason))
            continue
        identity = None if said.identity is None else strings[said.identity][i]
        picture = None if name is None else path.parent / name
        lines.append(Line(str(id), picture, text, identity))
    dataset = _joined(lines, str(path), said.identity is not None)
    notes = [*table.notes, *dataset.notes]
    if len(of_text) > 1:
        notes.append(f"captions are columns {', '.join(of_text)}; data.ignore leaves one out")
    if of_picture is not None and path.stem.lower() in TABLES:
        named = {path.parent / v for v in strings[of_picture] if v is not None}
        notes += _without_a_line(path, [n for n, p in _pictures(path.parent) if p not in named])
    return replace(
        dataset,
        bad=(*table.placed(bad), *dataset.bad),
        n_read=table.n_read,
        notes=tuple(notes),
    )


def _pictures(folder: Path) -> list[tuple[str, Path]]:
    return folders.below(folder, images.KIND)


def _without_a_line(path: Path, names: Sequence[str]) -> list[str]:
    """A note on pictures beside a table that it does not name."""
    if not names:
        return []
    what = number_of(len(names), "picture has", "pictures have")
    return [f"not read, {what} no line in {path.name}: {folders.some(names)}"]


def _beside(folder: Path) -> Dataset:
    """Pictures, each with the text file of its name, if there is one; and texts without."""
    pictures, alone = _pictures(folder), dict(folders.below(folder, texts.KIND))
    if not pictures and not alone:
        hint = f"pictures: {' '.join(images.SUFFIXES)}; texts: {' '.join(texts.SUFFIXES)}"
        raise DataError("no pictures and no texts", where=str(folder), hint=hint)
    lines: list[tuple[str, Path | None, Path | None]] = []
    for name, path in pictures:
        beside = _text_beside(path)
        if beside is not None:
            alone.pop(beside.relative_to(folder).as_posix(), None)
        lines.append((name, path, beside))
    lines += [(name, None, path) for name, path in alone.items()]
    found, bad = [], []
    for name, picture, of_text in lines:
        reason = "" if of_text is None else texts.fault_of(of_text)
        if reason:
            bad.append(BadRecord(printable(str(of_text)), None, None, reason))
        text = None if of_text is None or reason else texts.text_of(of_text)
        if picture is not None or text is not None:
            found.append(Line(name, picture, text))
    dataset = _joined(found, str(folder), False)
    n = sum(line.text is None for line in found)
    said = "picture has no text beside it", "pictures have no text beside them"
    note = f"{number_of(n, *said)}: nothing is learned there"
    notes = (*dataset.notes, *((note,) if n and n < len(found) else ()))
    return replace(dataset, bad=(*bad, *dataset.bad), n_read=len(lines), notes=notes)


def _text_beside(picture: Path) -> Path | None:
    found = (picture.with_suffix(suffix) for suffix in texts.SUFFIXES)
    return next((path for path in found if path.is_file()), None)


def _joined(lines: Sequence[Line], source: str, is_stated: bool) -> Dataset:
    """Records of lines: each picture once, and each text of an identity once."""
    paths: dict[Path, str] = {line.picture: line.id for line in lines[::-1] if line.picture}
    files = folders.checked([(id, path) for path, id in paths.items()][::-1], source, images.KIND)
    if not isinstance(files.contents, Files):
        raise DataError("pictures are files", where=source)
    place = {file.path: i for i, file in enumerate(files.contents.files)}
    fine = [line for line in lines if line.picture is None or line.picture in place]
    names = _identities(fine, is_stated)
    n = len(place)
    of_picture: list[str | None] = [None] * n
    said: dict[tuple[str | None, str], tuple[str, str]] = {}
    for line, name in zip(fine, names, strict=True):
        if line.picture is not None:
            of_picture[place[line.picture]] = of_picture[place[line.picture]] or name
        if line.text is not None:
            said.setdefault((name, normalised(line.text)), (line.id, line.text))
    code, identity_names = codes([*of_picture, *(name for name, _ in said)])
    held = [text for _, text in said.values()]
    kind = np.repeat(np.array([0, 1], np.int64), [n, len(held)])
    return Dataset(
        modality=NAME,
        contents=Both(
            files.contents, Held(tuple(t for _, t in said.values())), np.arange(len(kind))
        ),
        fields=(),
        ids=np.array([*files.ids.tolist(), *_ids(said.values())], dtype=np.str_),
        identities=code,
        identity_names=identity_names,
        bad=files.bad,
        source=source,
        n_read=len(lines),
        notes=files.notes,
        category=CategoryColumn(KIND, kind, KINDS),
        pairing=Pairing(kind),
    )


def _ids(said: Any) -> list[str]:
    """Ids of texts: that of the picture with `#text`, and a number from the second on."""
    seen: dict[str, int] = {}
    out = []
    for id, _ in said:
        seen[id] = seen.get(id, 0) + 1
        out.append(f"{id}{OF_TEXT}{seen[id] if seen[id] > 1 else ''}")
    return out


def _identities(lines: Sequence[Line], is_stated: bool) -> list[str | None]:
    """Identity of each line, named by its first text; a picture or a text alone has none."""
    if is_stated:
        return [line.identity for line in lines]
    pictures = _places([line.picture for line in lines])
    said = _places([None if line.text is None else normalised(line.text) for line in lines])
    both = np.flatnonzero((pictures != UNKNOWN) & (said != UNKNOWN))
    n = int(pictures.max(initial=UNKNOWN)) + 1
    n_nodes = n + int(said.max(initial=UNKNOWN)) + 1
    joined = closure(n_nodes, pictures[both], n + said[both])[pictures[both]]
    of: dict[int, str] = {}
    used: Counter[str] = Counter()
    names: list[str | None] = [None] * len(lines)
    for i, code in zip(both.tolist(), joined.tolist(), strict=True):
        if code not in of:
            name = printable(" ".join((lines[i].text or "").split())[:SHOWN])
            used[name] += 1
            of[code] = name if used[name] == 1 else f"{name} ({used[name]})"
        names[i] = of[code]
    return names


def _places(values: Sequence[Any]) -> Int64:
    """The place of each value among the different ones, -1 for None."""
    return codes([None if v is None else str(v) for v in values])[0]
