"""Settings of the records: where they are, how they are read and divided."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from gemel.settings.shapes import Count, Ratio, Seed, Settings

SameRecord = Literal["note", "refuse"]
Links = Literal["one-to-one", "one-to-many", "many-to-one", "many-to-many"]
EVERY: Links = "many-to-many"
EXACT = "exact"
"""What proposes pairs where all are compared."""
FieldKind = Literal["text", "number", "category", "date", "date:dmy", "date:mdy", "phone"]


class DataSettings(Settings, frozen=True):
    """Where the records are and how to read them."""

    path: Annotated[
        str,
        Meta(
            description="File of records, texts or pairs, or folder of images, texts or recordings"
        ),
    ] = ""
    sheet: Annotated[
        str | None, Meta(description="Sheet of a spreadsheet; null: the first with a table")
    ] = None
    encoding: Annotated[
        str | None,
        Meta(
            description="Encoding of CSV, JSON and pairs that are not UTF-8, such as cp1250, "
            "whichever command reads them; null: cp1252 where a CSV is plainly that"
        ),
    ] = None
    kind: Annotated[
        str,
        Meta(
            description="What the path holds: rows, images, pairs, text, audio, image_text, "
            "or another; auto looks"
        ),
    ] = "auto"
    identity: Annotated[
        str | None, Meta(description="Column that says which records belong together")
    ] = None
    separator: Annotated[
        str | None,
        Meta(
            description="What stands between labels where that column holds several, such as ';': "
            "records that share one belong together, the more the more they share; null: it holds "
            "one"
        ),
    ] = None
    id: Annotated[
        str | None, Meta(description="Column with a unique record id; without one, the row number")
    ] = None
    category: Annotated[
        str | None,
        Meta(
            description="Column that error rates are told apart by, such as a country; "
            "the encoder does not see it unless data.columns gives it a kind"
        ),
    ] = None
    pairs: Annotated[
        str | None,
        Meta(description="File of pairs of record ids; gives identities to the records"),
    ] = None
    left: Annotated[
        str, Meta(description="Column of the first record, in a file of pairs (of ids, or texts)")
    ] = "left"
    right: Annotated[str, Meta(description="Its column of the second record")] = "right"
    same: Annotated[
        str,
        Meta(
            description="Its column that says whether they are the same: 1 or 0, yes or no; "
            "empty: all are"
        ),
    ] = "same"
    same_from: Annotated[
        float | None,
        Meta(description="Grade from which on two are the same, where that column holds grades"),
    ] = None
    same_is: Annotated[
        tuple[str, ...],
        Meta(
            description="What stands in that column where they are the same, if it is none of the "
            "words that are known (yes, match, gleich...); all else means different, "
            "except unsure, unclear, maybe, ?, which are left out"
        ),
    ] = ()
    negative: Annotated[
        str | None,
        Meta(
            description="Its column of a third record that is not the same as the first, where the "
            "second is: triplets; that column of answers is not looked at"
        ),
    ] = None
    ignore: Annotated[tuple[str, ...], Meta(description="Columns that are not used")] = ()
    groups: Annotated[
        tuple[str, ...],
        Meta(
            description="Columns that join identities that are not independent, such as device: "
            "they stay on one side of a split and count once"
        ),
    ] = ()
    columns: Annotated[
        dict[str, FieldKind],
        Meta(
            description="Kinds that overrule the inferred ones: text, number, category, date, phone"
        ),
    ] = field(default_factory=dict)
    missing: Annotated[
        tuple[str, ...], Meta(description='Texts that mean "no value", besides the empty one')
    ] = ()
    depth: Annotated[
        Count, Meta(description="Sub-folders that name the class of an image: 1, the first; 0, all")
    ] = 1
    same_record: Annotated[
        SameRecord | None,
        Meta(
            description="Where one record, or nearly, stands under two identities on two sides of "
            "a split: note or refuse; null: note for rows, refuse for images"
        ),
    ] = None
    max_bad_ratio: Annotated[
        Ratio, Meta(description="Share of unreadable rows above which reading stops")
    ] = 0.01


class OtherSettings(Settings, frozen=True):
    """A second file, to link with data.path; only pairs across the two are compared."""

    path: Annotated[str, Meta(description="The other file; empty: there is one file only")] = ""
    sheet: Annotated[str | None, Meta(description="Its sheet, as data.sheet")] = None
    id: Annotated[
        str | None, Meta(description="Its column with a unique id; without one, the row number")
    ] = None
    identity: Annotated[
        str | None,
        Meta(description="Its column that says which records belong together; null: data.identity"),
    ] = None
    names: Annotated[
        dict[str, str],
        Meta(
            description="Column of data.path = column of the other file, of those compared; "
            "'last + first' is one text of two; none: columns of one name"
        ),
    ] = field(default_factory=dict)
    columns: Annotated[
        dict[str, Literal["date:dmy", "date:mdy"]],
        Meta(description="What comes first in dates of the other file, by its own column"),
    ] = field(default_factory=dict)
    links: Annotated[
        Links,
        Meta(
            description="How many records of one file a record of the other belongs to: "
            "one-to-one, one-to-many (one of data.path, many of the other), many-to-one, "
            "many-to-many"
        ),
    ] = EVERY


class SplitSettings(Settings, frozen=True):
    """Shares of identities: train fits, dev chooses thresholds, eval is reported."""

    dev: Annotated[Ratio, Meta(description="Share of identities that choose the threshold")] = 0.2
    eval: Annotated[Ratio, Meta(description="Share of identities that are only reported")] = 0.2
    seed: Annotated[Seed, Meta(description="Other seeds give other splits")] = 0
    crossed: Annotated[
        bool,
        Meta(description="Few identities: each third is judged by an encoder that has not seen it"),
    ] = False
    dev_identities: Annotated[
        tuple[str, ...], Meta(description="Identities that must be in dev; replaces the share")
    ] = ()
    eval_identities: Annotated[
        tuple[str, ...], Meta(description="Identities that must be in eval; replaces the share")
    ] = ()
