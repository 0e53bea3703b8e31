"""The table of settings: section, key, type, default and meaning, each declared once.

How a value gets in is not known here: see `config`. 0 and None often mean "as measured best".
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Mining = Literal["all", "semi-hard", "hard", "distance-weighted", "neighbours"]
Margin = Literal["hard", "soft"]
ByCategory = Literal["off", "report", "worst", "per_category"]
RatioShape = Literal["logistic", "pav", "beta"]
SameRecord = Literal["note", "refuse"]
Links = Literal["one-to-one", "one-to-many", "many-to-one", "many-to-many"]
FieldKind = Literal["text", "number", "category", "date", "date:dmy", "date:mdy"]
Observed = Literal["eer", "f1", "accuracy", "cost"]
Proven = Literal["fmr", "fnmr", "recall", "precision"]
"""Goals of a comparison: without a rate, and with one, which is proven."""
Tune = Literal["none", "head", "all"]
LongTexts = Literal["truncate", "windows"]
For = Literal["verify", "search", "duplicates"]
Ratio = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of `gemel.toml`."""


class DataSettings(Settings, frozen=True):
    """Where the records are and how to read them."""

    path: Annotated[
        str,
        Meta(
            description="File of records, texts or pairs, or folder of images, texts or recordings"
        ),
    ] = ""
    kind: Annotated[
        str,
        Meta(
            description="What the path holds: rows, images, pairs, text, audio, or a modality; "
            "auto looks"
        ),
    ] = "auto"
    identity: Annotated[
        str | None, Meta(description="Column that says which records belong together")
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
        Meta(description="Kinds that overrule the inferred ones: text, number, category, date"),
    ] = {}
    missing: Annotated[
        tuple[str, ...], Meta(description='Texts that mean "no value", besides the empty one')
    ] = ()
    depth: Annotated[
        Count,
        Meta(description="Sub-folders that name the class of an image: 1, the first; 0, all"),
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
            description="Column of data.path = column of the other file, of those that are "
            "compared; none: columns of one name"
        ),
    ] = {}
    columns: Annotated[
        dict[str, Literal["date:dmy", "date:mdy"]],
        Meta(description="What comes first in dates of the other file, by its own column"),
    ] = {}
    links: Annotated[
        Links,
        Meta(
            description="How many records of one file a record of the other belongs to: "
            "one-to-one, one-to-many (one of data.path, many of the other), many-to-one, "
            "many-to-many"
        ),
    ] = "many-to-many"


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


class TrainSettings(Settings, frozen=True):
    """How the encoder learns; 0 and null mean the measured default of the modality."""

    size: Annotated[Literal["small", "base"], Meta(description="Size of the tower")] = "small"
    backbone: Annotated[
        str,
        Meta(
            description="Pretrained network to start from: all-MiniLM-L6-v2 for texts, "
            "efficientnet-lite0 for images, a folder of sentence-transformers or transformers, or "
            "a name on a hub; empty: none"
        ),
    ] = ""
    tune: Annotated[
        Tune | None,
        Meta(
            description="What of the backbone is trained: none, as it is; head, a layer behind it; "
            "all of it; null: head"
        ),
    ] = None
    long_texts: Annotated[
        LongTexts | None,
        Meta(
            description="Texts with more tokens than a backbone takes: truncate, their end is not "
            "looked at; windows, the mean of all parts; null: truncate"
        ),
    ] = None
    image_size: Annotated[
        Annotated[int, Meta(ge=0, le=256)],
        Meta(
            description="Side in pixels that images are brought to; 0: as large as they are, up "
            "to 64, which takes 5 times as long as 32"
        ),
    ] = 0
    loss: Annotated[
        str | None,
        Meta(
            description="infonce, contrastive, triplet or another, see docs/how-to/train.md; null: "
            "infonce"
        ),
    ] = None
    mining: Annotated[
        Mining | None,
        Meta(
            description="Which comparisons of a batch count: all, semi-hard, hard, "
            "distance-weighted; neighbours: batches of identities that lie near each other; "
            "null: all"
        ),
    ] = None
    memory: Annotated[
        Count,
        Meta(description="Rows of earlier batches that a batch is compared with as well; 0: none"),
    ] = 0
    chunk: Annotated[
        Count,
        Meta(
            description="Records of a batch whose activations are in memory at a time, for large "
            "batches: the same gradients in twice the time; 0: all"
        ),
    ] = 0
    margin: Annotated[
        Margin | None,
        Meta(description="hard: a hinge at a distance; soft: a softplus without one; null: hard"),
    ] = None
    identities_per_batch: Annotated[
        Count,
        Meta(
            description="P of a P x K batch; 0: 64 for rows, 16 for images, 64 for texts, 16 "
            "for audio"
        ),
    ] = 0
    views_per_identity: Annotated[
        Count,
        Meta(
            description="K of a P x K batch; 0: 4 for rows, 8 for images, 2 for texts, 8 for audio"
        ),
    ] = 0
    max_epochs: Annotated[
        Count,
        Meta(
            description="Epochs at most; 0: 8 for rows, 30 for images, 20 for texts, 15 for audio"
        ),
    ] = 0
    patience: Annotated[
        Count,
        Meta(
            description="Epochs without a better dev metric before training stops; 0: 3 for rows, "
            "15 for images, 4 for texts, 4 for audio"
        ),
    ] = 0
    learning_rate: Annotated[
        Annotated[float, Meta(ge=0)],
        Meta(
            description="Peak learning rate; 0: 0.01 for rows, 0.0003 for images, 0.003 for "
            "texts, 0.0001 for audio"
        ),
    ] = 0.0
    warmup_ratio: Annotated[
        Ratio | None, Meta(description="Share of the steps in which the rate rises; null: 0.1")
    ] = None
    seed: Annotated[Seed, Meta(description="Same seed, same weights")] = 0
    threads: Annotated[
        Count, Meta(description="Threads of torch; they decide the last bits of the weights; 0: 1")
    ] = 0


class CalibrateSettings(Settings, frozen=True):
    """Which operating point is wanted, and how sure it has to be."""

    use: Annotated[
        For | None,
        Meta(
            description="What decisions are for: verify, search or duplicates; it decides which "
            "errors are spoken of, and how rare genuine pairs are; null: nobody said"
        ),
    ] = None
    target: Annotated[
        Literal[Observed, Proven],
        Meta(description="Goal: eer, f1, accuracy, cost; proven: fmr, fnmr, recall, precision"),
    ] = "f1"
    value: Annotated[
        Ratio | None, Meta(description="The rate that is wanted, for the four proven targets")
    ] = None
    confidence: Annotated[
        Annotated[float, Meta(gt=0.5, lt=1)], Meta(description="Level of every interval")
    ] = 0.95
    prior: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        Meta(description="Share of genuine comparisons in use; null: by use, or as in the data"),
    ] = None
    false_match_cost: Annotated[
        Annotated[float, Meta(gt=0)], Meta(description="Cost of accepting a wrong pair")
    ] = 1.0
    false_non_match_cost: Annotated[
        Annotated[float, Meta(gt=0)], Meta(description="Cost of missing a right pair")
    ] = 1.0
    review_cost: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="Cost of asking a person; null: no review band"),
    ] = None
    categories: Annotated[
        ByCategory,
        Meta(
            description="off: no look at categories; report: rates of each category of "
            "data.category at one threshold; worst: one threshold that the worst category needs; "
            "per_category: one for each"
        ),
    ] = "report"
    likelihood: Annotated[
        Literal["auto"] | RatioShape,
        Meta(description="Shape of the likelihood ratio over the score; auto tries them on dev"),
    ] = "auto"
    review_width: Annotated[
        Ratio | None,
        Meta(
            description="Decisions get a Venn-Abers interval of the probability, and wider ones "
            "than this go to review; null: no interval, 1: none goes to review"
        ),
    ] = None
    fpir: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        Meta(description="Searches of a stranger that match something, at most; null: no goal"),
    ] = None
    gallery_size: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Records of the gallery, or of the set in which duplicates are looked for; "
            "null: as many as there are in the data, for an FPIR as many as they can prove"
        ),
    ] = None
    valid_days: Annotated[
        Annotated[int, Meta(ge=1, le=36_500)],
        Meta(description="Days until the thresholds should be measured again"),
    ] = 365
    alpha: Annotated[
        Annotated[float, Meta(gt=0, lt=1)],
        Meta(description="Share of items of known classes that may be called unknown"),
    ] = 0.05
    shots: Annotated[
        tuple[Annotated[int, Meta(ge=1)], ...],
        Meta(description="Supports of a class that unknown items are calibrated for, besides 1"),
    ] = (1, 5)
    cohort: Annotated[
        Count,
        Meta(description="Identities of train whose scores normalise all others; 0: none do"),
    ] = 0
    max_comparisons: Annotated[
        Annotated[int, Meta(ge=1000)],
        Meta(description="Comparisons at most; above that, those of randomly chosen identities"),
    ] = 20_000_000
    seed: Annotated[Seed, Meta(description="Of that random choice")] = 0
    rules: Annotated[
        tuple[str, ...],
        Meta(description="Take matches away: 'FIELD differs: no_match' or 'FIELD apart 2: review'"),
    ] = ()


class StoreSettings(Settings, frozen=True):
    """Where state is kept."""

    path: Annotated[
        str, Meta(description="Folder of runs, releases, pointers, galleries and the ledger")
    ] = ".gemel"


class LedgerSettings(Settings, frozen=True):
    """The record of decisions and changes."""

    head_file: Annotated[
        str,
        Meta(
            description="File, out of reach of who can write to store.path, that the last entry is "
            "kept in at each promotion and every hour; gemel ledger verify --head FILE reads it"
        ),
    ] = ""


class GallerySettings(Settings, frozen=True):
    """The enrolled records that are searched."""

    engine: Annotated[
        str,
        Meta(description="flat, sketch or hnsw; auto: a graph, above so many records that it pays"),
    ] = "auto"
    batch: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="Records per transaction of an enroll")
    ] = 512


class ServeSettings(Settings, frozen=True):
    """The HTTP service."""

    host: Annotated[str, Meta(description="Address to listen on")] = "127.0.0.1"
    port: Annotated[Annotated[int, Meta(ge=0, le=65535)], Meta(description="0: any free port")] = (
        8080
    )
    grpc_port: Annotated[
        Annotated[int, Meta(ge=0, le=65535)] | None,
        Meta(description="Port of gRPC; 0: any free port, null: none. Needs gemel[grpc]"),
    ] = None
    allowed_hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="Names that the service is asked under, besides addresses, localhost and "
            "the name of the machine; * for any"
        ),
    ] = ()
    tls_cert: Annotated[
        str, Meta(description="PEM file of a certificate and its chain: the service speaks HTTPS")
    ] = ""
    tls_key: Annotated[
        str, Meta(description="PEM file of its private key; none: it stands in serve.tls_cert")
    ] = ""
    tls_clients: Annotated[
        str,
        Meta(description="PEM file of authorities: clients have to show a certificate of one"),
    ] = ""
    pointer: Annotated[
        Literal["stable"], Meta(description="The pointer whose release is served")
    ] = "stable"
    max_batch: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="Payloads per call of the encoder")
    ] = 32
    max_queue: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(description="Waiting payloads above which new ones get 503"),
    ] = 256
    timeout_ms: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="Age at which a waiting request gets 504")
    ] = 5000
    max_body_bytes: Annotated[
        Annotated[int, Meta(ge=1024)], Meta(description="Largest request body")
    ] = 10_000_000
    threads: Annotated[
        Annotated[int, Meta(ge=1)], Meta(description="Threads of the encoder inside one call")
    ] = 1
    cache_bytes: Annotated[
        Annotated[int, Meta(ge=0)],
        Meta(description="Of embeddings that are kept for payloads that come again; 0: none"),
    ] = 64_000_000


class AdaptSettings(Settings, frozen=True):
    """Which decisions people are asked about, and when their answers may move a threshold."""

    audit_ratio: Annotated[
        Ratio, Meta(description="Share of decisions outside the review band that are asked about")
    ] = 0.02
    second_ratio: Annotated[
        Ratio, Meta(description="Share of answered decisions that a second person is asked about")
    ] = 0.1
    wrong_ratio: Annotated[
        Annotated[float, Meta(ge=0, le=0.2)],
        Meta(description="Share of wrong answers until second ones tell; 0 trusts every answer"),
    ] = 0.03
    enough: Annotated[
        Annotated[float, Meta(ge=1)],
        Meta(description="Effective answers of each class from which older ones are left out"),
    ] = 100.0
    min_age_days: Annotated[
        Annotated[float, Meta(ge=0)],
        Meta(description="Age from which a decision counts, so that its answer had time to come"),
    ] = 0.0
    min_effective: Annotated[
        Annotated[float, Meta(ge=1)], Meta(description="Effective answers needed of each class")
    ] = 30.0
    min_audited: Annotated[
        Count, Meta(description="Answers needed from each side of the review band")
    ] = 30
    max_changed: Annotated[
        Ratio, Meta(description="Share of decisions that one move of the threshold may change")
    ] = 0.05


SECTIONS: dict[str, type[Settings]] = {
    "data": DataSettings,
    "other": OtherSettings,
    "split": SplitSettings,
    "train": TrainSettings,
    "calibrate": CalibrateSettings,
    "store": StoreSettings,
    "ledger": LedgerSettings,
    "gallery": GallerySettings,
    "serve": ServeSettings,
    "adapt": AdaptSettings,
}
