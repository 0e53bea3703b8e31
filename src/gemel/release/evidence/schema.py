"""Everything that was measured when a release was built: `evidence.json`, as declared structs.

A report, a gate or a person can judge the release from these values alone; nothing in them has to
be computed again. Dev chose the threshold, eval only reports it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gemel.calibrate.answers.known import Known, Taught
from gemel.calibrate.answers.proposal import Feedback
from gemel.calibrate.goals.refusal import Refusal
from gemel.calibrate.goals.stability import Stability
from gemel.calibrate.goals.target import Target
from gemel.calibrate.probability.reliability import Reliability
from gemel.calibrate.rates.by_category import Breakdown
from gemel.calibrate.rates.difference import Difference
from gemel.calibrate.rates.hard_identities import Zoo
from gemel.calibrate.rates.intervals import Estimate
from gemel.calibrate.rates.operating_point import OperatingPoint
from gemel.calibrate.rates.searches import SearchPoint
from gemel.calibrate.rates.several_views import Views
from gemel.calibrate.scores.curve_measures import CurveSummary
from gemel.figures import brief, html_table, number_of
from gemel.release.evidence.class_levels import ClassEvidence
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.shrunk import Shrunk
from gemel.release.run import Training
from gemel.tasks.explain import Part
from gemel.tasks.retrieval import Retrieval

MistakeKind = Literal["false_match", "false_non_match", "match", "no_match"]


class Sampling(msgspec.Struct, frozen=True, array_like=True):
    """Which comparisons are made.

    Args:
        max_comparisons: above it, those of randomly chosen identities.
        seed: of that choice, and of every other random one.
    """

    max_comparisons: int = 20_000_000
    seed: int = 0


DEFAULT_SAMPLING = Sampling()


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side of the split: train, dev or eval.

    Attributes:
        n_records: with an identity.
        n_identities: disjoint from those of the other sides.
        n_multiple: identities with two records or more; only they make genuine comparisons.
        digest: of the records of this side; two releases with equal eval digests were measured on
            the same records.
        groups: how many sessions, devices or what else joins identities, by column.
    """

    n_records: int
    n_identities: int
    n_multiple: int
    digest: str
    groups: dict[str, int] = {}


class DataSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What the release was made from.

    Attributes:
        source: file or folder, as it was named.
        digest: of all records.
        n_records: usable ones.
        n_unlabelled: of unknown identity, in no split.
        n_bad: refused when the data was read.
        fields: name and kind of each column; empty for images.
        seed: of the split.
        sides: train, dev, eval.
        category: digest of the category of each record; empty without.
        crossed: the sides are thirds, each judged by an encoder that learned from the others.
    """

    source: str
    digest: str
    n_records: int
    n_unlabelled: int
    n_bad: int
    fields: tuple[tuple[str, str], ...]
    seed: int
    sides: dict[str, Side]
    category: str = ""
    crossed: bool = False


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """An operating point of the table: a goal, its threshold on dev, and what eval says.

    Attributes:
        goal: in words, such as `FMR at most 0.1 %`.
        chosen: this one is the policy of the release.
        dev: None if the data cannot support the goal.
        eval: the same threshold on eval.
        reason: why there is none, with what is missing.
        refusal: the same as numbers, with an estimate of the threshold for an FMR.
    """

    goal: str
    chosen: bool
    dev: OperatingPoint | None = None
    eval: OperatingPoint | None = None
    reason: str = ""
    refusal: Refusal | None = None


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A similarity measured on eval, at its own best-F1 threshold from dev.

    Attributes:
        name: for a table.
        how: one sentence.
        point: on eval.
        retrieval: on eval.
        curve: on eval.
        eer: on eval, with its interval; None in releases from before it had one.
    """

    name: str
    how: str
    point: OperatingPoint
    retrieval: Retrieval
    curve: CurveSummary
    eer: Estimate | None = None


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long encoding took on the machine that built the release, on one thread.

    Attributes:
        n_single: payloads encoded one by one.
        single_p50_ms: median of those calls.
        single_p99_ms: 99th percentile.
        batch: payloads per call in bulk.
        items_per_second: in bulk.
        machine: processor, cores and system.
    """

    n_single: int
    single_p50_ms: float
    single_p99_ms: float
    batch: int
    items_per_second: float
    machine: str


class Validity(msgspec.Struct, frozen=True, kw_only=True):
    """For what, and how long, the thresholds hold.

    Attributes:
        expires: last day, ISO 8601.
        space_id: of the only embeddings that they are for.
        prior: share of genuine comparisons that precision, F1 and probabilities refer to.
        n_identities: of dev, that they were chosen on.
        largest_gallery: records up to which a search is certified; None if it does not depend.
        conditions: when to calibrate again, a phrase each.
    """

    expires: str
    space_id: str
    prior: float
    n_identities: int
    largest_gallery: int | None
    conditions: tuple[str, ...]


class Item(msgspec.Struct, frozen=True):
    """A record as a report shows it.

    Attributes:
        id: of the record.
        identity: name of its identity.
        payload: as files keep it (`probes.pack`); of a picture, a small copy.
    """

    id: str
    identity: str
    payload: dict[str, Any]


class Mistake(msgspec.Struct, frozen=True):
    """A comparison that the policy decides wrongly; parts say why, of those nearest to it.

    Without labels nobody knows which are wrong: then a match, or none, near the threshold.
    """

    kind: MistakeKind
    score: float
    left: Item
    right: Item
    parts: tuple[Part, ...] = ()


class RuleCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule takes away on eval.

    Attributes:
        rule: as it is declared.
        n_checked: genuine comparisons that match without rules.
        lost: share of them for which the rule fires.
    """

    rule: str
    n_checked: int
    lost: Estimate


class Direction(msgspec.Struct, frozen=True, kw_only=True):
    """Searches by records of one kind among those of the other.

    Attributes:
        query: name of the kind that is asked with.
        found: name of the kind that is searched.
        points: by the size of the gallery.
    """

    query: str
    found: str
    points: tuple[SearchPoint, ...]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that was measured.

    Attributes:
        data: what it was made from.
        training: what the run says about itself: settings as resolved, epochs, best metric.
        goals: what was asked for.
        dev: the operating point of the policy, where it was chosen.
        eval: the same threshold, on identities that nothing was fitted or chosen on.
        points: other goals, for comparison.
        dev_curve: DET curve and histograms of dev.
        eval_curve: DET curve and histograms of eval.
        smallest_fmr: smallest false match rate that dev can certify at the stated confidence.
        candidates: the release and its baseline, each with its best-F1 threshold; release first.
        mistakes: the wrong decisions on eval nearest the threshold.
        dim: length of an embedding.
        timing: of the encoder.
        file_bytes: size of each file that the release needs to serve.
        classes: how unknown items and classes of few supports are told; None without a policy.
        rules: what each costs on eval.
        views: error rates on eval where two views have to match; None without identities of two
            records.
        adapted: the answers that moved the threshold; None if it was chosen on dev.
        notes: what a reader has to know, such as comparisons that were left out.
        categories: error rates of each category on eval; None without categories.
        stability: how far the threshold itself can be trusted.
        searches: on eval, FPIR and FNIR by the size of the gallery; empty without a ladder.
        validity: for what, and how long.
        reliability: what the policy's probabilities are worth on eval; None if it gives none.
        galleries: on eval, searches by the size of the gallery, whatever was asked for; empty where
            each category has a threshold of its own.
        directions: on eval, where records of one kind are compared with those of another, searches
            of each kind for the other; `galleries` are then those of
            the second kind for the first.
        zoo: identities of eval with more errors than chance gives.
        against: the release minus its baseline, paired.
        review: share of comparisons in use that go to a person; None without a review band.
        cohort_id: SHA-256 of the cohort that scores are normalised by; None if they are not.
        sampling: which comparisons were made.
        unproven: there were no labels: rates are estimates, and what takes labels is left empty.
        labelled: what people's answers about pairs proved where there were no other labels; the
            rates at the threshold are theirs then.
        shrunk: where a smaller encoder comes from; None if the encoder is as it was trained.
        taught: answers about pairs that the comparator has learned from, beside how records agree.
    """

    data: DataSummary
    training: Training
    goals: Goals
    dev: OperatingPoint
    eval: OperatingPoint
    points: tuple[Point, ...]
    dev_curve: CurveSummary
    eval_curve: CurveSummary
    smallest_fmr: float
    candidates: tuple[Candidate, ...]
    mistakes: tuple[Mistake, ...]
    dim: int
    timing: Timing
    file_bytes: dict[str, int]
    classes: ClassEvidence | None
    notes: tuple[str, ...]
    rules: tuple[RuleCost, ...]
    views: Views | None
    categories: Breakdown | None
    stability: Stability
    searches: tuple[SearchPoint, ...]
    validity: Validity
    reliability: Reliability | None
    cohort_id: str | None
    galleries: tuple[SearchPoint, ...]
    zoo: Zoo
    against: tuple[Difference, ...]
    review: Estimate | None
    sampling: Sampling
    adapted: Feedback | None = None
    directions: tuple[Direction, ...] = ()
    unproven: bool = False
    labelled: Known | None = None
    shrunk: Shrunk | None = None
    taught: Taught | None = None

    def __repr__(self) -> str:
        return brief(self, depth=1)

    def _repr_html_(self) -> str:
        at = self.eval
        rows = [
            (name, getattr(at, name).span(2))
            for name in ("precision", "recall", "f1", "fmr", "fnmr")
        ]
        of = f"{number_of(at.n_identities, 'identity')} of {self.data.source}"
        return html_table(f"Evidence on {of}", [("threshold", f"{at.threshold:.4g}"), *rows])

    @property
    def is_estimated(self) -> bool:
        """Whether rates are estimates: there were no labels, and nobody answered enough."""
        return self.unproven and self.labelled is None

    @property
    def target(self) -> Target:
        """Goal of the threshold for one comparison."""
        return self.goals.verify
