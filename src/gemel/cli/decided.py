"""A decision about two records in one line, as `gemel verify` and `gemel explain` write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemel.cli import show

if TYPE_CHECKING:
    from msgspec import UnsetType

    from gemel.release.explanation import Explanation
    from gemel.release.release import Release
    from gemel.serve.wire.pairs import VerifyReply

SAME = 1e-9
"""Two probabilities this near to each other are one."""


def in_a_line(found: VerifyReply | Explanation, release: Release) -> str:
    """Outcome, score and threshold, and the probability with what limits it."""
    rule = "" if found.rule is None else f" ({found.rule})"
    return (
        f"{found.outcome.replace('_', ' ')}{rule}: score {show.number(found.score)}, "
        f"threshold {show.number(found.threshold)}{_chance(found, release)}"
    )


def note_unfit(unfit: list[str] | UnsetType) -> None:
    """Say which values of what was asked did not fit, and so were not compared."""
    if unfit:
        show.say(f"warning: read as missing, since the value does not fit: {', '.join(unfit)}")


def _chance(found: VerifyReply | Explanation, release: Release) -> str:
    """The probability; why it is no higher, or lies on the other side of one half."""
    from gemel.release.for_set import most_sure
    from gemel.release.words.expected import HALF, LIKELY

    chance, most = found.probability, most_sure(release.policy)
    if chance is None:
        return ""
    said = show.number(chance)
    if most is not None and chance >= most - SAME and most < LIKELY:
        by = "is told without labels" if release.is_unproven else "so few comparisons can show"
        return f", probability at least {said}, the most that {by}"
    side = {"match": "below", "no_match": "above"}.get(found.outcome)
    if side == ("below" if chance < HALF else "above") and found.rule is None:
        return f", probability {said}, {side} one half: the goal sets the threshold"
    return f", probability {said}"
