"""Settings of training and calibration."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from msgspec import Meta

from gemel.settings.shapes import AtLeastOne, Count, Positive, Ratio, Seed, Settings, Share

Mining = Literal["all", "semi-hard", "hard", "distance-weighted", "neighbours", "curriculum"]
Mines = Annotated[str, Meta(pattern=f"^({'|'.join(get_args(Mining))}|pml:\\w+)$")]
"""Of gemel's own, or a miner that a package brings."""
Margin = Literal["hard", "soft"]
ByCategory = Literal["off", "report", "worst", "per_category"]
RatioShape = Literal["logistic", "pav", "beta"]
Observed = Literal["eer", "f1", "accuracy", "cost"]
Proven = Literal["fmr", "fnmr", "recall", "precision"]
"""Goals of a comparison: without a rate, and with one, which is proven."""
Tune = Literal["none", "head", "lora", "all"]
Compares = Literal["learned"]
Tracker = Literal["tensorboard", "mlflow"]
LongTexts = Literal["truncate", "windows"]
Device = Literal["cpu", "cuda"]
For = Literal["verify", "search", "duplicates"]


class TrainSettings(Settings, frozen=True):
    """How the encoder learns; 0 and null mean the measured default of the modality."""

    size: Annotated[Literal["tiny", "small", "base"], Meta(description="Size of the tower")] = (
        "small"
    )
    backbone: Annotated[
        str,
        Meta(
            description="Pretrained network to start from: all-MiniLM-L6-v2 for texts, "
            "efficientnet-lite0 for images, resemblyzer for voices, a folder of "
            "sentence-transformers or transformers (texts, images, recordings), or a name on a "
            "hub; empty: none"
        ),
    ] = ""
    comparator: Annotated[
        Compares | None,
        Meta(
            description="What scores two embeddings: that of the modality; or learned, a small "
            "network where it misses fewer of dev beyond its interval; null: that of the modality"
        ),
    ] = None
    tune: Annotated[
        Tune | None,
        Meta(
            description="What of the backbone is trained: none, as it is; head, a layer behind it; "
            "lora, small additions to its own layers (needs peft); all of it; null: head"
        ),
    ] = None
    long_texts: Annotated[
        LongTexts | None,
        Meta(
            description="Texts with more tokens than a backbone takes: truncate, their end is not "
            "looked at; windows, the mean of all parts; null: truncate"
        ),
    ] = None
    skip_pauses: Annotated[
        bool,
        Meta(
            description="Of recordings, frames far quieter than the loud ones are left out before "
            "it is decided what is heard"
        ),
    ] = False
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
        Mines | None,
        Meta(
            description="Which comparisons of a batch count: all, semi-hard, hard, "
            "distance-weighted; neighbours: batches of identities that lie near each other; "
            "curriculum: semi-hard, then hard; pml:NAME: as a miner of pytorch-metric-learning "
            "says; null: all"
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
    bf16: Annotated[
        bool,
        Meta(
            description="The network multiplies in bfloat16 while it learns, which takes half the "
            "memory and, where the hardware has it, less time; what is exported is float32"
        ),
    ] = False
    gradient_checkpointing: Annotated[
        bool,
        Meta(
            description="Layers of a backbone that is trained keep their inputs alone and run "
            "again in the backward pass: far less memory for a third more time"
        ),
    ] = False
    margin: Annotated[
        Margin | None,
        Meta(description="hard: a hinge at a distance; soft: a softplus without one; null: hard"),
    ] = None
    matryoshka: Annotated[
        bool,
        Meta(
            description="The first half, quarter and eighth of an embedding learn to be one as "
            "well, and gemel shrink may cut it there; not for rows, nor pictures with texts"
        ),
    ] = False
    projector: Annotated[
        bool,
        Meta(
            description="The loss sees what a small network makes of embeddings, which is thrown "
            "away afterwards; not for rows, nor pictures with texts"
        ),
    ] = False
    views_first: Annotated[
        Count,
        Meta(
            description="Epochs in which records, those without labels too, are first told from "
            "each other by two variants of each, through a projector; 0: none"
        ),
    ] = 0
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
    trackers: Annotated[
        tuple[Tracker, ...],
        Meta(
            description="Loggers that are shown each epoch, besides epochs.csv of the run: "
            "tensorboard, mlflow"
        ),
    ] = ()
    seed: Annotated[Seed, Meta(description="Same seed, same weights")] = 0
    device: Annotated[
        Device | None,
        Meta(
            description="Where the network learns: cpu; cuda, one card of NVIDIA that torch sees; "
            "null: such a card if there is one, else cpu. The release runs on CPUs either way"
        ),
    ] = None
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
        Share | None,
        Meta(description="Share of genuine comparisons in use; null: by use, or as in the data"),
    ] = None
    false_match_cost: Annotated[Positive, Meta(description="Cost of accepting a wrong pair")] = 1.0
    false_non_match_cost: Annotated[Positive, Meta(description="Cost of missing a right pair")] = (
        1.0
    )
    review_cost: Annotated[
        Positive | None, Meta(description="Cost of asking a person; null: no review band")
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
        Share | None,
        Meta(description="Searches of a stranger that match something, at most; null: no goal"),
    ] = None
    gallery_size: Annotated[
        AtLeastOne | None,
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
        Share, Meta(description="Share of items of known classes that may be called unknown")
    ] = 0.05
    shots: Annotated[
        tuple[AtLeastOne, ...],
        Meta(description="Supports of a class that unknown items are calibrated for, besides 1"),
    ] = (1, 5)
    cohort: Annotated[
        Count, Meta(description="Identities of train whose scores normalise all others; 0: none do")
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
