"""Where a release is worth little, and what helps: asked by gates and `gemel calibrate`.

What matches are worth is counted in `expected`; here it is judged, against one half and against a
yes to every pair.
"""

from __future__ import annotations

import math

from gemel.calibrate.goals.target import APART, Target, in_words
from gemel.calibrate.rates.operating_point import at_odds, f1_at
from gemel.data.splits import FEW, LEAST
from gemel.figures import number_of, plain, share
from gemel.release.evidence.schema import Evidence
from gemel.release.words.expected import HALF, about, enough, expected, right

USUAL = Target(kind="precision", value=0.95)
DEAR = 0.1
"""Share of the pairs that belong together, from which on it is told that a proof misses them."""
STEP = 0.05
"""A precision that is named for more records than proved it is rounded down to these."""
ONE_TO_ONE = "if each comparison is asked about on its own (1:1 verification), say so: --for verify"
NONE_PROVEN = "these data prove no precision above one half"
ALWAYS = {
    "integrity": "fetch the release again, or build it anew",
    "in date": "measure it again: gemel calibrate",
    "no worse than without learning": "more records to learn from, or other settings: "
    "gemel train --sweep usual",
    "errors not worse than stable": "keep stable, which decides better on the same records",
    "certified for its gallery": "a larger --fpir, or more identities, to reach further",
    "takes what stable takes": "train it with these columns, or have clients send what it takes",
    "nothing proven is live": "prove this one by answers: gemel label",
    "proven by answers": "more answers: gemel label",
}
"""What helps whatever was measured, by the name of the gate; not all have a line."""


def is_left_open(target: Target) -> bool:
    """Whether a goal leaves open how many matches are right: it names costs, or pairs to find."""
    return target.goal.proof == "fnmr" or target.kind == "cost"


def warning(evidence: Evidence) -> str:
    """What to say where matches mean little, and what helps; empty where they mean something."""
    found = doubt(evidence)
    return f"{found}; {advice(evidence)}" if found else ""


def doubt(evidence: Evidence) -> str:
    """Why matches mean little: nothing is told apart, or fewer than half are right; or empty."""
    if evidence.unproven:
        return ""
    if nothing := tells_nothing_apart(evidence):
        return nothing
    low = [e for e in expected(evidence) if e.precision.value < HALF]
    if not low or not evidence.eval.n_false_match:
        return ""
    n = enough([low[-1].precision.value])
    apart = "of pairs, not of searches: " if evidence.goals.search is not None else ""
    said = f"only {right(low[-1].precision, n)}".replace("only hardly", "hardly")
    return f"{apart}of {n:,} matches {said} {low[-1].among}"


def advice(evidence: Evidence) -> str:
    """What helps where matches mean little, as a clause."""
    use = evidence.goals.use
    if tells_nothing_apart(evidence):
        return "a goal that limits false matches, as --fmr 0.05, shows what is left"
    known = provable(evidence)
    if evidence.eval.prior_source == "stated":
        if known is None:
            return f"{NONE_PROVEN} there"
        asked = f"--for {use.kind} " if use is not None else ""
        return f"a goal for that is {asked}--precision {known:g}"
    n = evidence.data.n_records
    take = NONE_PROVEN
    if known is not None:
        take = f"take --precision {known:g}, with --for search or --for duplicates"
    return f"to search or to find duplicates among all {n:,}, {take}; {ONE_TO_ONE}"


def cost_of_proof(evidence: Evidence) -> str:
    """What proving an FMR misses beyond what counting it would; empty where that is little."""
    target, dev, curve = evidence.target, evidence.dev, evidence.dev_curve
    if target.kind != "fmr" or target.value is None or not dev.certified:
        return ""
    points = zip(curve.fmr, curve.fnmr, strict=True)
    counted = min((fnmr for fmr, fnmr in points if fmr <= target.value), default=1.0)
    if dev.fnmr.value - counted < DEAR:
        return ""
    return (
        f"{number_of(dev.n_identities, 'identity')} prove {target.goal.formula(target.value, 6)} "
        f"only where {plain(dev.fmr.value, 2)} was counted: of 100 pairs that belong together "
        f"{about(dev.fnmr.value, 100)} are missed there, and {about(counted, 100)} where "
        f"{target.value:g} is counted; the more identities, the nearer the two"
    )


def is_measured(evidence: Evidence, applied: float) -> bool:
    """Whether both sides were measured at the threshold that the policy applies."""
    points = evidence.dev, evidence.eval
    return all(math.isclose(p.threshold, applied, rel_tol=1e-9, abs_tol=1e-12) for p in points)


def repair(gate: str, evidence: Evidence, applied: float) -> str:
    """What helps against the refusal of a gate, as a clause; empty where its detail says all.

    Args:
        gate: its name.
        evidence: of the release.
        applied: the threshold of its policy.
    """
    if gate == "evidence" and not is_measured(evidence, applied):
        return "gemel calibrate makes a release whose own threshold is measured"
    sides, crossed = evidence.data.sides, evidence.data.crossed
    n, n_all = sides["eval"].n_multiple, sum(side.n_multiple for side in sides.values())
    if gate in ("evidence", "target holds on eval") and n < FEW:
        crossing = " (split.crossed = true makes more of them)"
        said = "" if crossed or n_all < LEAST else crossing
        return f"more identities of two records, about {FEW} on eval instead of {n}{said}"
    if gate == "evidence":
        use = evidence.goals.use
        fewer = "" if use is None or use.records is None else ", or a smaller --gallery-size"
        return f"more identities of two records than the {n:,} of eval{fewer}"
    if gate == "matches are right":
        if not evidence.eval.recall.value:
            return "a looser goal, since this threshold finds nothing"
        if tells_nothing_apart(evidence) or provable(evidence) is not None:
            return advice(evidence)
        alone = "" if evidence.eval.prior_source == "stated" else f"; {ONE_TO_ONE}"
        return f"more identities to learn from, since {NONE_PROVEN}{alone}"
    return ALWAYS.get(gate, "")


def tells_nothing_apart(evidence: Evidence) -> str:
    """Why saying yes to every pair would do as well, in words; empty where it would not.

    Surely more than half of the pairs that do not belong together are a match, or the best F1 is
    not above that of a yes to all. A goal that leaves matches open may ask for just that.
    """
    at, target = evidence.eval, evidence.target
    if evidence.unproven or is_left_open(target):
        return ""
    yes_to_all = float(f1_at(1.0, 0.0, at.prior))
    why = []
    if at.fmr.low > HALF:
        why.append(f"of 100 {APART}, {about(at.fmr.value, 100)} are called a match")
    if target.kind == "f1" and at.f1.value <= yes_to_all:
        why.append(
            f"calling every pair a match reaches F1 {share(yes_to_all)}, this threshold "
            f"{share(at.f1.value)}"
        )
    if not why:
        return ""
    return f"this release tells next to nothing apart: {'; '.join(why)}"


def provable(evidence: Evidence) -> float | None:
    """A precision above one half that dev is known to prove in use; None if none is known.

    What dev proves holds at its own share of genuine pairs; where none was stated, use has that of
    all records, which is smaller (`expected`): the same test proves a lower precision there.
    """
    reach = _reach(evidence)
    if reach is None:
        return None
    step = 0.01
    if evidence.eval.prior_source != "stated":
        n, n_dev = evidence.data.n_records, evidence.data.sides["dev"].n_records
        reach = at_odds(reach, max(n - 1, 1) / max(n_dev - 1, 1))
        step = STEP
    floor = round(math.floor(reach / step + 1e-9) * step, 2)
    return floor if floor > HALF else None


def _reach(evidence: Evidence) -> float | None:
    """A precision that dev proves among its own records; None if none is known."""
    goal = in_words(USUAL)
    for point in evidence.points:
        refusal = point.refusal
        if point.goal == goal and point.dev is not None:
            return USUAL.value
        if refusal is not None and refusal.kind == "precision" and refusal.value == USUAL.value:
            return refusal.reach
    return None
