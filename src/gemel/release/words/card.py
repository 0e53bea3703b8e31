"""The card of a release: what it is for, what was measured, how sure that is, when it expires.

The values behind the HTML report, as one struct. No record, no payload and no identity is in it, so
it can be handed out where the report cannot. Nothing is measured here.

Source: Mitchell et al. 2019, Model cards for model reporting, for what a card has to say.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from gemel.calibrate.goals.stability import Stability
from gemel.calibrate.probability.reliability import Reliability
from gemel.calibrate.rates.by_category import Breakdown
from gemel.calibrate.rates.difference import Difference
from gemel.calibrate.rates.intervals import Estimate
from gemel.calibrate.rates.operating_point import OperatingPoint
from gemel.calibrate.rates.searches import SearchPoint
from gemel.calibrate.rates.several_views import Views
from gemel.calibrate.scores.curve_measures import CurveSummary
from gemel.encode import modality
from gemel.encode.comparators import FILE as COMPARATOR
from gemel.encode.encoder import NETWORK, PREPARE
from gemel.errors import ReleaseError
from gemel.release.evidence.class_levels import ClassEvidence
from gemel.release.evidence.schema import (
    Candidate,
    Evidence,
    Point,
    RuleCost,
    Timing,
    Validity,
)
from gemel.release.release import Release
from gemel.release.run import ENCODER, Training
from gemel.release.words.headline import Headline, headline
from gemel.release.words.purpose import Scoring, Use, scoring, use
from gemel.release.words.sentence import in_full, sentence

VALID_DAYS = 365
"""A release without a date of its own should be measured again after a year."""

ALL_PAIRS = (
    "every two records of one identity make a genuine comparison, every two records of different "
    "identities an impostor comparison; impostors are zero-effort: nobody tried to be matched"
)


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What the release is.

    Attributes:
        id: `release_id`.
        digests: SHA-256 of preprocessing, encoder and comparator.
        index: what search indexes are bound to.
        cohort_id: SHA-256 of the cohort that scores are normalised by; None if they are not.
        training: what the run said about itself, the seed among it.
    """

    id: str
    name: str
    created: str
    gemel: str
    format: int
    parent: str | None
    licence: str
    modality: str
    space_id: str
    digests: dict[str, str]
    index: str
    cohort_id: str | None
    dim: int
    training: Training


class SideCard(msgspec.Struct, frozen=True, kw_only=True):
    """One side of the split: what was counted, and what identifies it."""

    digest: str
    n_records: int
    n_identities: int
    n_multiple: int
    groups: dict[str, int]
    n_genuine: int | None
    n_impostor: int | None


class DataCard(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on.

    Attributes:
        failure_to_acquire: share of input that was refused when it was read.
        pairs: how comparisons were formed.
        prior: share of genuine comparisons that precision and F1 refer to.
        prior_source: `stated`, or `data`.
    """

    source: str
    digest: str
    split_seed: int
    n_records: int
    n_unlabelled: int
    n_refused: int
    failure_to_acquire: float
    sides: dict[str, SideCard]
    pairs: str
    prior: float
    prior_source: str
    notes: tuple[str, ...]


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """Identities of eval with more errors than chance gives, without their names."""

    n_identities: int
    n_beyond_chance: int


class Menagerie(msgspec.Struct, frozen=True, kw_only=True):
    """Errors by identity; see calibrate/rates/hard_identities.py."""

    wolves: Crowd
    goats: Crowd


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on eval; see `evidence.Evidence`."""

    confidence: float
    interval_methods: tuple[str, ...]
    eval: OperatingPoint
    review: Estimate | None
    curve: CurveSummary
    dev_curve: CurveSummary
    candidates: tuple[Candidate, ...]
    against: tuple[Difference, ...]
    reliability: Reliability | None
    stability: Stability
    searches: tuple[SearchPoint, ...]
    galleries: tuple[SearchPoint, ...]
    categories: Breakdown | None
    classes: ClassEvidence | None
    rules: tuple[RuleCost, ...]
    views: Views | None
    zoo: Menagerie
    timing: Timing
    file_bytes: dict[str, int]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The card of a release; plain JSON values.

    Attributes:
        unproven: rates are estimates, since there were no labels.
        headline: what a reader in a hurry takes away.
        promise: what the threshold promises, in one sentence.
        in_full: the same with all counts.
        operating_points: goals with threshold and rates, the chosen one first; a refused goal says
            what is missing.
        smallest_fmr: smallest false match rate that dev can certify.
        expires: last day on which to rely on the thresholds, ISO 8601.
        validity: for what they hold, and when to calibrate again.
    """

    unproven: bool
    headline: Headline = msgspec.field(name="verdict")
    promise: str
    in_full: str
    details: Details
    use: Use
    scoring: Scoring
    data: DataCard
    operating_points: tuple[Point, ...]
    smallest_fmr: float
    expires: str
    validity: Validity
    measured: Measured


def card(release: Release) -> Card:
    """The card of a release, from its files alone.

    Args:
        release: any; its files are checked when they are read.
    Raises:
        NotFound: it carries no evidence.
        DigestMismatch: a file was changed.
        ReleaseError: a file cannot be read.
    """
    evidence = release.evidence
    return Card(
        unproven=evidence.is_estimated,
        headline=headline(evidence, modality.named(release.modality).nouns[1]),
        promise=sentence(evidence),
        in_full=in_full(evidence),
        details=_details(release, evidence),
        use=use(release, evidence),
        scoring=scoring(release, evidence),
        data=_data(evidence),
        operating_points=evidence.points,
        smallest_fmr=evidence.smallest_fmr,
        expires=release.policy.expires or _expires(release.manifest.created),
        validity=evidence.validity,
        measured=_measured(evidence),
    )


S = TypeVar("S", bound=msgspec.Struct)


def _like(kind: type[S], source: object, **more: object) -> S:
    """A struct with what its source has under the same names, and more."""
    same = {name: getattr(source, name, None) for name in kind.__struct_fields__}
    return msgspec.convert(same | more, kind, from_attributes=True)


def _details(release: Release, evidence: Evidence) -> Details:
    files = {
        "preprocessing": f"{ENCODER}/{PREPARE}",
        "encoder": f"{ENCODER}/{NETWORK}",
        "comparator": COMPARATOR,
    }
    return _like(
        Details,
        release.manifest,
        digests={name: release.manifest.files[file] for name, file in files.items()},
        index="built from the gallery, which takes embeddings of this space only",
        cohort_id=evidence.cohort_id,
        dim=evidence.dim,
        training=evidence.training,
    )


def _data(evidence: Evidence) -> DataCard:
    data = evidence.data
    counted = {"dev": evidence.dev, "eval": evidence.eval}
    read = data.n_records + data.n_bad
    return _like(
        DataCard,
        data,
        split_seed=data.seed,
        n_refused=data.n_bad,
        failure_to_acquire=data.n_bad / read if read else 0.0,
        sides={
            name: _like(
                SideCard,
                side,
                n_genuine=counted[name].n_genuine if name in counted else None,
                n_impostor=counted[name].n_impostor if name in counted else None,
            )
            for name, side in data.sides.items()
        },
        pairs=ALL_PAIRS,
        prior=evidence.eval.prior,
        prior_source=evidence.eval.prior_source,
        notes=evidence.notes,
    )


def _measured(evidence: Evidence) -> Measured:
    points = (evidence.dev, evidence.eval)
    estimates = [e for p in points for e in (p.fmr, p.fnmr, p.precision, p.f1)]
    return _like(
        Measured,
        evidence,
        confidence=evidence.eval.confidence,
        interval_methods=tuple(dict.fromkeys(e.method for e in estimates)),
        curve=evidence.eval_curve,
    )


def _expires(created: str) -> str:
    try:
        return (datetime.fromisoformat(created) + timedelta(days=VALID_DAYS)).date().isoformat()
    except ValueError as e:
        raise ReleaseError(f"creation time {created!r} is not ISO 8601", where="manifest") from e
