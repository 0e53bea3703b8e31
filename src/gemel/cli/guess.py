"""What `gemel init` takes a file, or two, to be: settings to write down, and notes on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemel.cli import drafts, known_pairs, reading
from gemel.cli.drafts import Draft
from gemel.cli.project import Project
from gemel.config import Config
from gemel.errors import GemelError
from gemel.figures import number_of

if TYPE_CHECKING:
    import polars as pl

    from gemel.cli.known_pairs import Side
    from gemel.data.records import Dataset
    from gemel.data.sources.pairs import PairColumns
    from gemel.data.splits import Splits

NO_LABELS = "nothing says which records belong together: gemel train"
MARKED = "makes a release that is marked as unproven"
MOST_SHARED = 3
"""Columns of codes that may say which records belong together, of which is told."""


@dataclass(frozen=True)
class Guess:
    """What the records look like.

    Attributes:
        settings: `section.key` to value, of those that are written.
        columns: names in the file, as far as they are known.
        others: names in the second file, if there is one.
        remarks: on each column of the file that has a counterpart in the second.
        notes: what a user should know, one sentence each.
        dataset: the records, if they can be read.
        splits: of the records, if they can be split.
        fault: what stopped reading or splitting.
    """

    settings: Mapping[str, Any]
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    others: tuple[str, ...] = ()
    remarks: Mapping[str, str] = field(default_factory=dict)
    dataset: Dataset | None = None
    splits: Splits | None = None
    fault: GemelError | None = None

    @property
    def crossed(self) -> Splits | None:
        """The splits, if they are thirds."""
        return self.splits if self.splits is not None and self.splits.crossed else None


def look_at(
    path: Path, said: Mapping[str, Any], environ: Mapping[str, str], other: Path | None = None
) -> Guess:
    """What the settings for a file or folder, or for two files, should say.

    Args:
        path: file of records or pairs, or folder of images; there is one.
        said: `section.key` to value, as text or not, from flags; these are written.
        environ: settings in it count, and are not written.
        other: a second file, whose records are to be linked with those of the first.
    Raises:
        ConfigError: what is said is no setting, or does not fit.
    """
    from gemel.data import crossed

    paths = {"data.path": str(path), **({} if other is None else {"other.path": str(other)})}
    said = {**paths, **{k: v for k, v in said.items() if v is not None}}
    given = Config.load(None, environ, said)
    known = {key for key, _, origin in given.items() if origin != "default"}
    flags = {key: value for key, value, origin in given.items() if origin.startswith("flag")}
    draft = Draft(given, known, flags)
    dataset = splits = fault = None
    try:
        _columns(draft, path, other)
        project = Project(Config.load(None, environ, draft.settings))
        dataset = reading.read(project.config, None)
        _of_records(draft, dataset)
        if not any(key.startswith("split.") for key in known) and crossed.pays(dataset):
            draft.propose("split.crossed", True)
            project = Project(Config.load(None, environ, draft.settings))
        splits = project.splits(dataset)
        if not dataset.has_identities:
            draft.notes.append(without_labels(dataset))
    except GemelError as e:
        fault = e
    if dataset is not None:
        named = number_of(len(dataset.identity_names), "identity")
        of = named if dataset.has_identities else "unknown identity"
        asked = dataset.pairing.given
        pairs = "" if asked is None else f"{number_of(len(asked), 'given pair')}: "
        draft.notes.insert(0, f"{pairs}{number_of(len(dataset), 'record')} of {of}")
    return Guess(
        draft.settings,
        draft.columns,
        tuple(draft.notes),
        draft.others,
        draft.remarks,
        dataset,
        splits,
        fault,
    )


def without_labels(dataset: Dataset) -> str:
    """What can be had of records that nothing says of which belong together."""
    if dataset.fields:
        told, mend = "estimates it from how they agree", "if a column says it, --identity COLUMN"
    else:
        told = (
            "learns from variants of each what may differ, estimates from that which are the same"
        )
        mend = "it finds what is nearly the same, not what is of one class"
        if Path(dataset.source).is_dir():
            mend += ": for that, put each class into a folder of its own"
    return f"{NO_LABELS} {told}, and {MARKED}; {mend}"


def _columns(draft: Draft, path: Path, other: Path | None) -> None:
    """Proposals from the columns of the files."""
    from gemel.data.proposals import folders
    from gemel.data.proposals.given import pairs_of_records

    data = draft.given.data
    if "data.kind" not in draft.known:
        draft.propose("data.kind", folders.kind_of(path) if path.is_dir() else "rows")
    if other is not None:
        frames = (
            _frame(one, sheet, data.encoding)
            for one, sheet in ((path, data.sheet), (other, draft.given.other.sheet))
        )
        _of_two(draft, *frames)
    elif path.is_file() and data.kind in ("auto", "rows", "pairs", "text"):
        frame = _frame(path, data.sheet, data.encoding)
        draft.columns = tuple(frame.columns)
        is_said = (
            data.kind in ("rows", "text") or data.identity is not None or data.pairs is not None
        )
        pairs = None if is_said else pairs_of_records(frame, asked=data.kind == "pairs")
        if pairs is not None and draft.settings["data.kind"] in ("rows", "pairs"):
            draft.settings["data.kind"] = "pairs"
            _of_pairs(draft, pairs)
        elif "data.kind" not in draft.known and folders.is_captioned(path, frame):
            draft.settings["data.kind"] = folders.CAPTIONED
        elif draft.settings["data.kind"] != "pairs":
            if not is_said and data.kind != "rows":
                drafts.note_pairs(draft, frame)
            _of_one(draft, frame)


def _of_pairs(draft: Draft, pairs: PairColumns) -> None:
    """Which columns of a file of pairs are what."""
    named = {"left": pairs.left, "right": pairs.right, "same": pairs.same}
    if pairs.negative is not None:
        named = {"left": pairs.left, "right": pairs.right, "negative": pairs.negative}
    for key, column in named.items():
        if column != key or key == "negative":
            draft.propose(f"data.{key}", column)
    data, known = draft.given.data, draft.known
    same = data.same if "data.same" in known else pairs.same
    pairs = replace(
        pairs,
        left=data.left if "data.left" in known else pairs.left,
        right=data.right if "data.right" in known else pairs.right,
        same=same,
        same_from=pairs.same_from if same == pairs.same else None,
    )
    answer = f"{pairs.same!r} says whether they are the same" if pairs.same else "all are the same"
    if pairs.negative is not None:
        answer = f"the first belongs to the second, and not to {pairs.negative!r}"
    rows = "" if "data.kind" in known or data.pairs else "; if not, --kind rows"
    draft.notes.append(f"pairs: columns {pairs.left!r} and {pairs.right!r}; {answer}{rows}")
    if pairs.same_from is not None and draft.propose("data.same_from", pairs.same_from):
        draft.notes.append(
            f"{pairs.same!r} holds grades: from {pairs.same_from:g} on two count as the same; "
            "change data.same_from if not"
        )


def _of_one(draft: Draft, frame: pl.DataFrame) -> None:
    """Identity and id of one table."""
    from gemel.data.proposals import codes, labels

    data = draft.given.data
    identity = data.identity
    if identity is None and data.pairs is None:
        others = {*data.ignore, *data.groups, data.id, data.category}
        identity = labels.identity_of(frame.select(c for c in frame.columns if c not in others))
        if draft.propose("data.identity", identity):
            draft.notes.append(f"identity is column {identity!r}: change data.identity if not")
    drafts.leave_out_nobody(draft, *(frame[c] for c in frame.columns if c == identity))
    taken = {identity, *data.ignore, *data.groups}
    drafts.id_of(draft, "data.id", frame, taken)
    drafts.leave_out_index(draft, frame)
    drafts.note_moments(draft, frame)
    if identity is None and data.pairs is None:
        taken |= {draft.settings.get("data.id"), data.id}
        shared = codes.shared_by_alike(frame, taken)[:MOST_SHARED]
        for column in reversed(shared):
            draft.notes.insert(
                0,
                f"column {column!r} holds codes that come back in rows that are alike elsewhere: "
                f"if it says which rows belong together, --identity {column!r}",
            )
    drafts.texts_of(draft, frame)
    if data.pairs is not None:
        one = known_pairs.Side(data.path, frame, draft.settings.get("data.id") or data.id, "--id")
        _pairs_file(draft, one, one)


def _of_two(draft: Draft, left: pl.DataFrame, right: pl.DataFrame) -> None:
    """Identities, ids and corresponding columns of two tables."""
    from gemel.data.proposals import correspondence, joins, labels
    from gemel.data.sources.columns import parts

    data, other = draft.given.data, draft.given.other
    draft.columns, draft.others = tuple(left.columns), tuple(right.columns)
    identities: tuple[str | None, str | None] = (data.identity, other.identity or data.identity)
    if data.identity is None and data.pairs is None:
        ours = left.drop(set(data.ignore) & set(left.columns))
        both = labels.identity_of_both(ours, right)
        if both is not None and draft.propose("data.identity", both[0]):
            identities = both[:2]
            draft.propose("other.identity", both[1])
            draft.notes.append(
                f"identity is column {both[0]!r} and, in the other file, {both[1]!r}: "
                f"{both[2]:.0%} of its values stand in both; change if not"
            )
    sides = zip((left, right), identities, strict=True)
    drafts.leave_out_nobody(draft, *(frame[c] for frame, c in sides if c in frame.columns))
    for key, frame, identity in (
        ("data.id", left, identities[0]),
        ("other.id", right, identities[1]),
    ):
        drafts.id_of(draft, key, frame, {identity, *data.ignore})
    ids = [draft.settings.get(k) for k in ("data.id", "other.id")]
    ours, theirs = (
        frame.drop({c for c in named if c} & set(frame.columns))
        for frame, named in (
            (left, {identities[0], ids[0], *data.ignore, *data.groups}),
            (right, {identities[1], ids[1]}),
        )
    )
    ours, theirs = (f.drop(set(filter(None, [labels.index_of(f)]))) for f in (ours, theirs))
    rest, found = (ours, theirs), list[joins.Join | correspondence.Match]()
    for matches in (joins.find, correspondence.propose):
        found += (new := matches(*rest))
        rest = (
            rest[0].drop(c for m in new for c in parts(m.left, ours.columns)),
            rest[1].drop(c for m in new for c in parts(m.right, theirs.columns)),
        )
    found.sort(key=lambda m: min(ours.columns.index(c) for c in parts(m.left, ours.columns)))
    if found and draft.propose("other.names", {m.left: m.right for m in found}):
        for match in found:
            draft.remarks[match.left] = match.remark
            draft.notes.append(f"{match.left} = {match.right}: {match.remark}")
    if found and any(frame.width for frame in rest):
        one, two = (", ".join(frame.columns) or "none" for frame in rest)
        draft.notes.append(f"columns that are not compared: {one}; of the other file: {two}")
    ones = [m.right for m in found if m.right in theirs.columns]
    orders = {c: o for c in ones if (o := correspondence.order_of(theirs[c]))}
    if orders:
        draft.propose("other.columns", orders)
    if data.pairs is not None:
        _pairs_file(
            draft,
            known_pairs.Side(data.path, left, ids[0] or data.id, "--id"),
            known_pairs.Side(other.path, right, ids[1] or other.id, "--other-id"),
        )


def _pairs_file(draft: Draft, left: Side, right: Side) -> None:
    """Which columns of `data.pairs` hold ids of these, and which the answer.

    Raises:
        DataError: none does, and nobody named them.
    """
    path = draft.given.at(draft.given.data.pairs or "")
    if not path.is_file() or {"data.left", "data.right"} & draft.known:
        return
    frame = _frame(path, None, draft.given.data.encoding)
    if found := known_pairs.columns_of(path, frame, left, right):
        _of_pairs(draft, found)


def _of_records(draft: Draft, dataset: Dataset) -> None:
    """What two files say once they are read: who links to how many, and how rare links are."""
    from gemel.data.proposals import links

    if not draft.others:
        return
    found = links.of(dataset)
    if found is None:
        return
    if draft.propose("other.links", found.kind):
        draft.notes.append(f"links are {found.kind}, as in the labels: change other.links if not")
    if draft.propose("calibrate.prior", found.share):
        rare = float(f"{1 / found.share:.2g}")
        draft.notes.append(
            f"of about {rare:,.0f} comparisons across the files one is expected to be a link: "
            "change calibrate.prior if not"
        )


def _frame(path: Path, sheet: str | None, encoding: str | None) -> pl.DataFrame:
    """The table of a file, or of a sheet of it; what is blank is null."""
    from gemel.data.schema import without_gaps
    from gemel.data.sources import tables

    frame = tables.read(path, sheet, encoding).frame
    return frame.with_columns([without_gaps(values, ()) for values in frame])
