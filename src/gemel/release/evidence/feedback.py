"""What people's answers say about a release, as a struct that its children keep."""

from __future__ import annotations

import msgspec

from gemel.calibrate.goals.proposal import Proposal


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """Answers of a time, and what they say; plain JSON values.

    Attributes:
        release: whose threshold is judged.
        n_decisions: decisions made in all, asked about or not.
        n_asked: those asked about and old enough.
        n_answered: those of them that were answered.
        n_double: answered by two reviewers or more.
        n_agreed: those of them where all reviewers agree.
        first: time of the first decision used; empty if there is none.
        last: time of the last one.
        proposal: what to do.
    """

    release: str
    n_decisions: int
    n_asked: int
    n_answered: int
    n_double: int
    n_agreed: int
    first: str
    last: str
    proposal: Proposal
