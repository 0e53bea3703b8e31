"""What a score means in use: an outcome, its probability, and what sends it to a person.

A policy is part of a release and is a JSON file. It has an operating point for one comparison
(verify) and others for the candidates of a search (identify), one for each size of the gallery,
because false positives of a search grow with it. Many scores are decided by the same lines as one
(`outcomes`). How thresholds were found is not known here.
"""

from __future__ import annotations

import itertools
import math
import sys
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.arguments import path_of
from gemel.arrays import Float64
from gemel.decide.bands import (
    FILE,
    MATCH,
    NO_MATCH,
    OUTCOMES,
    REVIEW,
    Band,
    SizedBand,
)
from gemel.decide.categories import Categories, Category, pair_of
from gemel.decide.classes import ClassPolicy
from gemel.decide.outcomes import Decision, Pair
from gemel.decide.ratio import Likelihood
from gemel.decide.rules import Rule, broken
from gemel.decide.venn_abers import VennAbers
from gemel.errors import ConfigError, InvalidInput, ReleaseError
from gemel.figures import brief, html_table

CLEARLY = 3.0
"""How many times as likely the best identity must be as another, to be the answer alone."""
EQUAL = 1e-3
"""Scores that differ by less, relative to the larger, are equal where no likelihood tells."""
Int8 = NDArray[np.int8]


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decisions of one release.

    Args:
        verify: for one comparison of two records.
        search: for each candidate of a search, if there are no `sizes`.
        prior: share of genuine comparisons in use, in (0, 1); of probabilities.
        likelihood: calibrated score, None if there is none.
        rules: that take matches away, see `rules.broken`.
        categories: levels the scores of each category, before they meet bands and likelihood;
            None = one threshold for all.
        venn_abers: interval of the probability, None if there is none.
        review_width: a wider interval than this is for review; None: none is.
        sizes: for each candidate of a search, by the size of the gallery, rising; empty for the
            same threshold whatever the size.
        expires: last day, ISO 8601, on which the thresholds should be relied on; None for never.
        classify: for classes that come and go, None if dev had too few identities.
    Raises:
        ConfigError: the prior is not between 0 and 1, sizes do not rise, or no date.
    Example:
        >>> at = Band(threshold=0.5, review_low=0.5, review_high=0.5)
        >>> Policy(verify=at, search=at, prior=0.1).decide(0.5).outcome
        'match'
    """

    verify: Band
    search: Band
    prior: float
    likelihood: Likelihood | None = None
    rules: tuple[Rule, ...] = ()
    categories: Categories | None = None
    venn_abers: VennAbers | None = None
    review_width: float | None = None
    sizes: tuple[SizedBand, ...] = ()
    expires: str | None = None
    classify: ClassPolicy | None = None

    def __repr__(self) -> str:
        return brief(self)

    def _repr_html_(self) -> str:
        band, levelled = self.verify, self.categories and self.categories.column
        rows: list[tuple[str, Any]] = [("threshold", f"{band.threshold:.4g}")]
        if band.review_low < band.review_high:
            review = f"{band.review_low:.4g} to {band.review_high:.4g}"
            rows.append(("for a person", f"scores from {review}"))
        rows += [("share of genuine pairs", f"{self.prior:.2g}"), ("levelled by", levelled or "")]
        rows += [("rules", len(self.rules) or ""), ("valid until", self.expires or "")]
        return html_table("Policy", [(name, value) for name, value in rows if value != ""])

    def __post_init__(self) -> None:
        # Below the normal numbers odds come to nothing, and probabilities to no number.
        if not sys.float_info.min <= self.prior < 1:
            raise ConfigError(f"prior is {self.prior}, must lie between 0 and 1", where=FILE)
        steps = [(s.gallery_size, s.band.threshold) for s in self.sizes]
        for (size, threshold), (larger, stricter) in itertools.pairwise(steps):
            if not (size < larger and threshold <= stricter):
                raise ConfigError("sizes and their thresholds must rise", where=FILE)
        if self.expires is not None:
            _day(self.expires)

    def decide(self, score: float, category: Category = None) -> Decision:
        """What the score of one comparison means.

        Args:
            score: of the comparator.
            category: of the records; where the policy decides by category, one that it does not
                know gets the strictest threshold.
        Raises:
            InvalidInput: the score is NaN.
        """
        return self._decide(score, self.verify, category)

    def outcomes(
        self, scores: NDArray[np.floating], categories: Sequence[Category] | None = None
    ) -> Int8:
        """Outcomes of many comparisons, as `decide` has them: (n,) int8, see `bands.OUTCOMES`.

        Args:
            scores: (n,) of the comparator.
            categories: n, of the records; None where none is known.
        Raises:
            InvalidInput: a score is NaN.
        """
        return self._outcomes(scores, self.verify, categories)

    def identify(
        self, score: float, gallery_size: int | None = None, category: Category = None
    ) -> Decision:
        """What the score of one candidate of a search means.

        Above the largest size that was certified, what would match is for review.

        Args:
            score: of the candidate.
            gallery_size: records that the search compared with; None takes the largest size.
            category: as for `decide`; of the probe and the candidate.
        Raises:
            InvalidInput: the score is NaN.
        """
        band, most = self._band_of_search(gallery_size)
        decision = self._decide(score, band, category)
        if OUTCOMES.index(decision.outcome) > most:
            return msgspec.structs.replace(decision, outcome=OUTCOMES[most])
        return decision

    def as_good(self, best: float, other: float) -> bool:
        """Whether the score of another identity leaves open which of the two it is.

        It does where it is not clearly less likely; where both are beyond what the data can tell,
        or nothing was calibrated, where the scores are equal.

        Args:
            best: of the best candidate, levelled.
            other: of another candidate, levelled.
        """
        equal = best - other <= EQUAL * max(1.0, abs(best))
        if self.likelihood is None:
            return equal
        first, second = self.likelihood.llr(best), self.likelihood.llr(other)
        return equal if first == second else first - second < math.log(CLEARLY)

    def _band_of_search(self, gallery_size: int | None) -> tuple[Band, np.int8]:
        """The band of a candidate, and the most that it may become."""
        if not self.sizes:
            return self.search, MATCH
        largest = self.sizes[-1]
        if gallery_size is None or gallery_size == largest.gallery_size:
            return largest.band, MATCH
        if gallery_size > largest.gallery_size:
            return largest.band, REVIEW
        return self.sizes[bisect_left(self.sizes, gallery_size, key=_size)].band, MATCH

    @property
    def largest_gallery(self) -> int | None:
        """Records of the largest gallery that a threshold is certified for; None for any."""
        return self.sizes[-1].gallery_size if self.sizes else None

    def has_expired(self, today: date) -> bool:
        """Whether the thresholds should no longer be relied on."""
        return self.expires is not None and today > _day(self.expires)

    def level(self, score: float, category: Category = None) -> float:
        """The score as curves and operating points have it: levelled, if the policy does so."""
        if self.categories is None:
            return score
        found: float = self.categories.levelled(score, self.categories.known(pair_of(category)))
        return found

    def levels(
        self, scores: NDArray[np.floating], categories: Sequence[Category] | None = None
    ) -> Float64:
        """`level` of many scores: (n,) float64; arguments as for `outcomes`."""
        found = np.array(scores, np.float64)
        if self.categories is not None:
            for pair, at in self._by_pair(categories):
                found[at] = self.categories.levelled(found[at], pair)
        return found

    def _decide(self, score: float, band: Band, category: Category) -> Decision:
        value = float(score)  # a numpy float32 would round the threshold to its own precision
        if value != value:
            raise InvalidInput("the score is not a number", where="score")
        levelled, pair = self.level(value, category), None
        if self.categories is not None:
            pair = self.categories.known(pair_of(category))
            band = _unlevelled(band, self.categories, pair)
        likelihood = self.likelihood
        probability = None if likelihood is None else likelihood.probability(levelled, self.prior)
        interval = None
        if self.venn_abers is not None:
            interval = self.venn_abers.interval(levelled, self.prior)
        outcome = OUTCOMES[band.outcomes(value, self.is_wide(levelled))]
        return Decision(outcome, band.threshold, probability, pair, interval)

    def _outcomes(
        self, scores: NDArray[np.floating], band: Band, categories: Sequence[Category] | None
    ) -> Int8:
        values, levelled = np.array(scores, np.float64), self.levels(scores, categories)
        if np.isnan(values).any():
            raise InvalidInput("a score is not a number", where="scores")
        wide = self.is_wide(levelled)
        if self.categories is None:
            found: Int8 = band.outcomes(values, wide)
            return found
        found = np.empty(len(values), np.int8)
        for pair, at in self._by_pair(categories):
            unlevelled = _unlevelled(band, self.categories, pair)
            found[at] = unlevelled.outcomes(values[at], wide[at] if np.ndim(wide) else wide)
        return found

    def _by_pair(self, categories: Sequence[Category] | None) -> Iterator[tuple[Pair, Any]]:
        """Each pair of categories that scores have, and at which positions."""
        if self.categories is None or categories is None:
            yield (None, None), slice(None)
            return
        places: dict[Pair, list[int]] = {}
        for i, category in enumerate(categories):
            places.setdefault(self.categories.known(pair_of(category)), []).append(i)
        yield from places.items()

    def is_wide(self, levelled: Any) -> Any:
        """Whether the width of its interval sends a levelled score, or each of many, to review."""
        if self.venn_abers is None or self.review_width is None:
            return False
        low, high = self.venn_abers.interval(levelled, self.prior)
        return high - low > self.review_width

    def ruled(self, decision: Decision, left: Any, right: Any) -> Decision:
        """The decision after the rules, which look at both rows and only take matches away.

        Args:
            decision: about their score.
            left: a row, or anything else that rules say nothing of.
            right: another.
        """
        before = OUTCOMES.index(decision.outcome)
        code, rule = self.after_rules(before, left, right)
        if code == before:
            return decision
        return msgspec.structs.replace(decision, outcome=OUTCOMES[code], rule=str(rule))

    def after_rules(self, code: int, left: Any, right: Any) -> tuple[int, Rule | None]:
        """What rules leave of an outcome (its code in `OUTCOMES`), and the rule that took it.

        Args:
            code: about their score.
            left: a row, or anything else that rules say nothing of.
            right: another.
        """
        if not self.rules or code == NO_MATCH:
            return code, None
        rule = broken(self.rules, left, right)
        return (code, None) if rule is None else (min(code, OUTCOMES.index(rule.then)), rule)

    def to_json(self) -> bytes:
        """The policy as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, text: bytes, *, where: str = FILE) -> Policy:
        """The policy that a JSON text describes.

        Raises:
            ReleaseError: it is no policy.
            ConfigError: it is one, but its values make no sense.
        """
        try:
            fields = msgspec.json.decode(text)
            if isinstance(fields, dict) and isinstance(fields.get("likelihood"), dict):
                fields["likelihood"].setdefault("kind", "logistic")  # before it had shapes
            if isinstance(fields, dict):
                fields.pop("first", None)  # of before sketches were an engine of the gallery
            return msgspec.convert(fields, cls)
        except msgspec.MsgspecError as e:
            raise ReleaseError(f"no readable policy: {e}", where=where) from e

    def save(self, folder: Path) -> None:
        """Write `policy.json` into the folder."""
        (folder / FILE).write_bytes(self.to_json())

    @classmethod
    def load(cls, folder: str | Path) -> Policy:
        """The policy that a folder holds.

        Raises:
            ReleaseError: there is none, or it cannot be read.
        """
        path = path_of(folder, "the folder of a policy") / FILE
        try:
            text = path.read_bytes()
        except OSError as e:
            raise ReleaseError(f"no readable policy: {e}", where=str(path)) from e
        return cls.from_json(text, where=str(path))


def _unlevelled(band: Band, categories: Categories, pair: Pair) -> Band:
    """The band of levelled scores, in scores of a pair of categories."""
    return Band(
        threshold=categories.threshold(band.threshold, pair),
        review_low=categories.threshold(band.review_low, pair),
        review_high=categories.threshold(band.review_high, pair),
    )


def _size(step: SizedBand) -> int:
    return step.gallery_size


def _day(text: str) -> date:
    """The day that an ISO 8601 date names.

    Raises:
        ConfigError: it names none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as e:
        raise ConfigError(f"{text!r} is no date", where=FILE, hint="2027-01-31") from e
