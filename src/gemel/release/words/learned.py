"""Whether training was worth it: the release beside itself untrained and beside no learning.

Asked here by headline, gates, `gemel train` and `gemel calibrate`, whose last line it is.
"""

from __future__ import annotations

from gemel.figures import number_of, share
from gemel.release.evidence.against_baseline import OnDev
from gemel.release.evidence.schema import Evidence
from gemel.release.run import Training

NOTHING_HELPED = "nothing shows that training helped"
NOT_ENOUGH = "on dev, training gives less than doing without"
"""It moved the network, and what never learned is better still."""


def against_baseline(evidence: Evidence) -> tuple[int, str]:
    """1 clearly better than the baseline, -1 clearly worse, 0 neither; and a sentence."""
    if len(evidence.candidates) < 2:
        return 0, "It was not compared with a baseline."
    ours, theirs = evidence.candidates[0], evidence.candidates[1]
    new, old = ours.point.f1, theirs.point.f1
    apart = next(d for d in evidence.against if d.measure == "F1")
    better = {"better": 1, "worse": -1}.get(apart.seen, 0)
    span = f"{100 * apart.low:+.1f} to {100 * apart.high:+.1f} points"
    means = {
        1: f"; the difference, {span}, is beyond chance",
        0: f"; the difference, {span}, may be chance",
        -1: f"; the difference, {span}, is beyond chance: this release should not replace it",
    }[better]
    name, own = theirs.name, evidence.eval
    here = f" ({share(own.f1.value)} at its own)" if ours.point.threshold != own.threshold else ""
    return better, (
        f"At the thresholds that are best for F1, {name} without any learning reaches F1 "
        f"{share(old.value)} where this release reaches {share(new.value)}{here}{means}."
    )


def over_untrained(training: Training) -> tuple[bool, str]:
    """Whether an epoch was better than none, and a phrase with both figures."""
    best, untrained = training.best, training.history[0]
    chose = number_of(training.n_dev, "record")
    copies = " and a varied copy of each" if training.by_views else ""
    on_dev = f"{training.measure} on the {chose}{copies} that choose the epoch"
    if training.settings.tune == "none":
        return True, f"nothing was trained: {on_dev} {share(untrained.metric)}"
    if untrained.metric == 1:
        return True, f"the untrained network had nothing left to learn: {on_dev} 100 %"
    if best.epoch == 0:
        return False, (
            f"no epoch was better than the untrained network: {on_dev} {share(untrained.metric)}"
        )
    return True, (
        f"training took {on_dev}, by cosine alone, from {share(untrained.metric)} (untrained) to "
        f"{share(best.metric)}"
    )


def on_dev(training: Training, seen: OnDev) -> tuple[str, str]:
    """What raises doubt about a run, empty if nothing does; and it beside no learning.

    `was_worth_it` asks the same on eval, where an interval tells chance.
    """
    helped, phrase = over_untrained(training)
    name = f"{seen.baseline[:1].upper()}{seen.baseline[1:]}"
    ours, theirs = share(seen.ours), share(seen.theirs)
    figures = f"{name} without any learning reaches {seen.measure} {theirs} on dev"
    who = "this encoder"
    if seen.crossed:
        figures, who = f"{figures}, a third of the identities,", "the encoder that never saw them"
    said = f"{figures} where {who} reaches {ours} with its comparator, which decides"
    low, high = seen.span or (0.0, 0.0)
    chance = seen.span is not None and low <= 0 <= high
    if chance:
        said += f"; the difference, {100 * low:+.1f} to {100 * high:+.1f} points, may be chance"
    said += f". {phrase[:1].upper()}{phrase[1:]}"
    if seen.ours >= seen.theirs or (chance and helped):
        return "", said
    if not helped:
        return NOTHING_HELPED, said
    return NOT_ENOUGH, f"{said}. Whether it is so on eval, gemel calibrate tells"


def was_worth_it(evidence: Evidence) -> tuple[bool, str]:
    """Whether there is anything that learning gave, and what was compared.

    It is not where the release is clearly worse than the baseline, nor where no epoch helped and
    its F1 is the lower one. A learned comparator may help where no epoch did.
    """
    if evidence.unproven:
        return True, "without labels nothing says whether training helped"
    better, sentence = against_baseline(evidence)
    helped, phrase = over_untrained(evidence.training)
    ours, *theirs = (c.point.f1.value for c in evidence.candidates)
    level = helped or all(ours >= f1 for f1 in theirs)
    return better >= 0 and level, f"{phrase}. {sentence}"


def no_worse(evidence: Evidence) -> tuple[bool, str]:
    """Whether no learning is not clearly better, and what was compared (decision 0046)."""
    return against_baseline(evidence)[0] >= 0, was_worth_it(evidence)[1]
