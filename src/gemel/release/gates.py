"""What a release has to pass before a pointer may make it live.

Each gate answers one question with yes or no and a sentence of detail. All of them run, so that
one look shows everything that is wrong. Refusing is the default; going ahead takes `force` and a
reason, and both end up in the pointer's history.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from types import EllipsisType

from gemel.arguments import require_texts
from gemel.calibrate.answers.known import Known
from gemel.calibrate.goals.target import in_words
from gemel.data.splits import FEW
from gemel.errors import GateFailed, GemelError
from gemel.figures import number_of, plain
from gemel.release.compare import beside_stable, taken
from gemel.release.moves import Move
from gemel.release.release import Release
from gemel.release.store import Store, require_store
from gemel.release.words import unproven
from gemel.release.words.doubts import doubt, is_left_open, repair, tells_nothing_apart
from gemel.release.words.expected import HALF, NOTHING, expected, matches_nothing
from gemel.release.words.learned import no_worse
from gemel.release.words.promise import kept_promise

ENROLLED = "gallery enrolled"
TAKES = "takes what stable takes"
FORCE = "promote it all the same: --force --reason WHY"
BACK = "go back all the same, without them: --force"
SAYS_NOTHING = 0.8
"""An interval as wide as this, of all there is between 0 and 1, is no evidence."""


@dataclass(frozen=True)
class Gate:
    """One question: whether it passed, what was seen, and what helps where it is known.

    One that cannot be answered is open: it refuses nothing, and says nothing for the candidate.
    """

    name: str
    passed: bool
    detail: str
    repair: str = ""
    is_open: bool = False


@dataclass(frozen=True)
class GateReport:
    """All gates of one candidate."""

    release_id: str
    gates: tuple[Gate, ...]

    @property
    def passed(self) -> bool:
        """Every gate passed."""
        return all(g.passed for g in self.gates)

    @property
    def repairs(self) -> str:
        """What helps against those that failed, as far as it is known."""
        return "; ".join(dict.fromkeys(g.repair for g in self.gates if g.repair))

    def check(self, hint: str = "") -> None:
        """Raise unless every gate passed.

        Args:
            hint: what to do about what failed, besides enrolling what is not; empty: what repairs
                it, or to use force.
        Raises:
            GateFailed: names the gates that did not, with their details.
        """
        failed = [g for g in self.gates if not g.passed]
        if failed:
            hint = hint or f"{self.repairs or 'repair it'}; or {FORCE}"
            here = self.release_id[:12]
            if any(g.name == ENROLLED for g in failed):
                others = f"; then: {hint}" if len(failed) > 1 else ""
                of_tenant = "of a tenant its file, with --set store.tenant=NAME"
                them = f"gemel gallery enroll FILE -r {here}, with the file that has them"
                hint = f"enroll them there: {them}; {of_tenant}{others}"
            raise GateFailed(
                "; ".join(f"{g.name}: {g.detail}" for g in failed), where=here, hint=hint
            )


Enrolled = Callable[[Release], Mapping[str, Collection[str]]]
"""Ids of the records in the galleries of a release's space: that of the service under the empty
name, that of each tenant under its own. They are read when they are asked for."""


def run(
    candidate: Release,
    stable: Release | None = None,
    *,
    enrolled: Enrolled | None = None,
    today: date | None = None,
) -> GateReport:
    """All gates of a candidate, in order.

    Args:
        candidate: the release that wants to go live.
        stable: the release that is live now, or None if there is none.
        enrolled: names the records that a release would search; None asks nothing about them.
        today: the day, to tell what has expired; None for that of the clock.
    """
    whole = [
        _gate("integrity", lambda: _integrity(candidate)),
        _gate("parity", lambda: _parity(candidate)),
    ]
    seen = foreseen(candidate, stable, enrolled=enrolled, today=today)
    return GateReport(candidate.id, (*_repaired(whole, candidate), *seen.gates))


def foreseen(
    candidate: Release,
    stable: Release | None = None,
    *,
    enrolled: Enrolled | None = None,
    today: date | None = None,
) -> GateReport:
    """The gates that ask what was measured, which is quick: no file is hashed, nothing encoded.

    Arguments as for `run`.
    """
    today = today or datetime.now(UTC).date()
    gates = [_gate("not collapsed", lambda: _not_collapsed(candidate))]
    if stable is not None and stable.space_id != candidate.space_id:
        gates.append(_gate(TAKES, partial(taken.takes, candidate, stable)))
    in_date = _gate("in date", lambda: _in_date(candidate, today))
    if candidate.is_unproven:
        gates += [in_date, _gate("nothing proven is live", lambda: _unproven(stable))]
    elif (known := _labelled(candidate)) is not None:
        gates += [in_date, _gate("proven by answers", lambda: _answered(candidate, known))]
    else:
        gates += [_gate("evidence", lambda: _evidence(candidate)), in_date]
        gates += _measured(candidate, stable, enrolled)
    if stable is not None:
        gates += _enrolled(candidate, stable, enrolled)
    return GateReport(candidate.id, _repaired(gates, candidate))


def _measured(candidate: Release, stable: Release | None, enrolled: Enrolled | None) -> list[Gate]:
    """What is asked where labels measured the errors."""
    gates = [
        _gate("target holds on eval", lambda: _promised(candidate)),
        _gate("no worse than without learning", lambda: no_worse(candidate.evidence)),
        _gate("matches are right", lambda: _mostly_right(candidate)),
    ]
    if enrolled is not None and candidate.policy.largest_gallery is not None:
        gates.append(
            _gate(
                "certified for its gallery",
                lambda: beside_stable.sizes(candidate, stable, enrolled(candidate)),
            )
        )
    if candidate.policy.rules:
        gates.append(_gate("rules", lambda: _promised(candidate, rules=True)))
    if stable is not None and stable.id != candidate.id and not stable.is_unproven:
        question = partial(beside_stable.not_worse, candidate, stable)
        gates.append(_gate("errors not worse than stable", question))
    return gates


def _labelled(candidate: Release) -> Known | None:
    """What answers proved of it; None where labels did, or where a gate says what is wrong."""
    try:
        return candidate.evidence.labelled
    except GemelError:
        return None


def promote(
    store: Store,
    release_id: str,
    *,
    actor: str,
    reason: str,
    pointer: str = "stable",
    force: bool = False,
    enrolled: Enrolled | None = None,
    expected: str | EllipsisType | None = ...,
) -> tuple[GateReport, Move]:
    """Point at a release of the store, if it passes its gates.

    The comparison is with what `stable` points at, whichever pointer is moved.

    Args:
        store: holds the release and the pointers.
        release_id: what `Store.resolve` takes.
        actor: who promotes.
        reason: why.
        pointer: stable, canary or shadow.
        force: go ahead although gates failed; the reason must not be empty then.
        enrolled: as for `run`.
        expected: as for `Store.point`.
    Raises:
        GateFailed: a gate failed and `force` was not given, or without a reason.
        NotFound: no such release.
        PointerMoved: the pointer stands elsewhere than expected.
    """
    require_store(store)
    require_texts(release_id=release_id, actor=actor, reason=reason, pointer=pointer)
    candidate = store.get(release_id)
    live = store.pointer("stable")
    report = run(candidate, store.get(live) if live else None, enrolled=enrolled)
    if not report.passed:
        if not force:
            report.check()
        if not reason.strip():
            raise GateFailed(
                "forcing a promotion needs a reason",
                where=candidate.short_id,
                hint="say why, for those who read the history",
            )
        failed = ", ".join(g.name for g in report.gates if not g.passed)
        reason = f"{reason} (forced; failed: {failed})"
    move = store.point(pointer, candidate.id, actor=actor, reason=reason, expected=expected)
    return report, move


def rollback(
    store: Store,
    *,
    actor: str,
    reason: str,
    pointer: str = "stable",
    force: bool = False,
    enrolled: Enrolled | None = None,
) -> tuple[GateReport, Move]:
    """Point at the release that was live before, if its gallery has what the live one has.

    Arguments as for `promote`.

    Raises:
        GateFailed: it lacks records, and `force` was not given.
        NotFound: there is no earlier release.
    """
    require_store(store)
    require_texts(actor=actor, reason=reason, pointer=pointer)
    live = store.pointer(pointer)
    report = before_rollback(store, pointer=pointer, enrolled=enrolled)
    if not report.passed:
        if not force:
            check_rollback(report)
        reason = f"{reason} (forced; failed: {ENROLLED})"
    return report, store.rollback(pointer, actor=actor, reason=reason, expected=live)


def before_rollback(
    store: Store, *, pointer: str = "stable", enrolled: Enrolled | None = None
) -> GateReport:
    """The gate that a rollback has to pass: only one of `stable` asks anything."""
    live, before = store.pointer(pointer), store.previous(pointer)
    found: list[Gate] = []
    if pointer == "stable" and live and before:
        found = _enrolled(store.get(before), store.get(live), enrolled)
    return GateReport(before or "", tuple(found))


def check_rollback(report: GateReport) -> None:
    """Return if the gate of a rollback passed.

    Raises:
        GateFailed: the gallery of the release before lacks records.
    """
    try:
        report.check()
    except GateFailed as e:
        raise GateFailed(e.what, where=e.where, hint=f"{e.hint}; or {BACK}") from None


def _enrolled(candidate: Release, stable: Release, enrolled: Enrolled | None) -> list[Gate]:
    """Whether a release of another space would search the records that stable does."""
    if enrolled is None or stable.space_id == candidate.space_id:
        return []
    question = lambda: beside_stable.enrolled(enrolled(candidate), enrolled(stable))  # noqa: E731
    return [_gate(ENROLLED, question)]


def _gate(name: str, question: Callable[[], tuple[bool | None, str]]) -> Gate:
    """The answer to a question, None for an open one; an error on the way is a no."""
    try:
        passed, detail = question()
    except GemelError as e:
        return Gate(name, False, str(e))
    return Gate(name, passed is not False, detail, is_open=passed is None)


def _repaired(gates: list[Gate], candidate: Release) -> tuple[Gate, ...]:
    """The gates, those that failed with what helps, as far as the evidence can be read."""

    def helps(gate: Gate) -> str:
        try:
            return repair(gate.name, candidate.evidence, candidate.policy.verify.threshold)
        except GemelError:
            return ""

    return tuple(g if g.passed else replace(g, repair=helps(g)) for g in gates)


def _integrity(candidate: Release) -> tuple[bool, str]:
    candidate.verify()
    n = len(candidate.manifest.files)
    return True, f"{n} files have the digests of the manifest"


def _parity(candidate: Release) -> tuple[bool, str]:
    parity = candidate.check_parity(candidate.open_encoder())
    return True, f"{number_of(parity.n, 'probe')} moved by {plain(parity.max_abs, 2)} at most"


def _not_collapsed(candidate: Release) -> tuple[bool, str]:
    profile = candidate.profile
    n_identities = candidate.evidence.data.sides["dev"].n_identities
    reason = profile.collapsed(n_identities=n_identities)
    rank = f"effective rank {profile.effective_rank:.1f} of {profile.dim}"
    return reason is None, reason or rank


def _unproven(stable: Release | None) -> tuple[bool, str]:
    """A release without labels may be the first one, with its mark; it takes no proven one's place.

    The other questions are about what was measured, and nothing was.
    """
    if stable is None or stable.is_unproven:
        return True, f"this release is {unproven.MARK} and says so: {unproven.WHY}"
    return False, f"{stable.short_id} was measured, this release is {unproven.MARK}: {unproven.WHY}"


def _answered(candidate: Release, known: Known) -> tuple[bool, str]:
    """People's answers prove the precision at the very threshold that the policy applies."""
    applied = candidate.policy.verify.threshold
    same = math.isclose(known.threshold, applied, rel_tol=1e-9, abs_tol=1e-12)
    return known.proven and same, unproven.answered(known)


def _evidence(candidate: Release) -> tuple[bool, str]:
    """Measured on both sides, for the very threshold that the policy applies."""
    evidence, policy = candidate.evidence, candidate.policy
    applied = policy.verify.threshold
    for name, point in (("dev", evidence.dev), ("eval", evidence.eval)):
        if not math.isclose(point.threshold, applied, rel_tol=1e-9, abs_tol=1e-12):
            return False, (
                f"the policy applies threshold {applied:.6g}, "
                f"the evidence on {name} is for {point.threshold:.6g}"
            )
        if not (point.n_genuine and point.n_impostor):
            return False, f"{name} has no genuine or no impostor comparisons"
    shared = evidence.data.sides["dev"].digest == evidence.data.sides["eval"].digest
    if shared:
        return False, "dev and eval are the same records"
    point = evidence.eval
    for name, seen in (("F1", point.f1), ("FNMR", point.fnmr)):
        if seen.high - seen.low >= SAYS_NOTHING:
            n = evidence.data.sides["eval"].n_multiple
            of_its = number_of(n, "of its identities has", "of its identities have")
            only, wanted = ("only ", f", about {FEW} are wanted") if n < FEW else ("", "")
            said = f"{name} on eval {seen.span()} says nothing"
            return False, f"{said}: {only}{of_its} two records{wanted}"
    return True, (
        f"eval: {number_of(point.n_identities, 'identity')}, {point.n_genuine:,} genuine and "
        f"{number_of(point.n_impostor, 'impostor comparison')}"
    )


def _promised(candidate: Release, *, rules: bool = False) -> tuple[bool, str]:
    """Eval does not contradict what was promised on dev, without what rules take or of that."""
    promise = kept_promise(candidate.evidence)
    checks = [check for check in promise.checks if (check.about == "rules") == rules]
    broken = [check for check in checks if not check.kept]
    return not broken, "; ".join(check.detail for check in broken or checks)


def _in_date(candidate: Release, today: date) -> tuple[bool, str]:
    policy = candidate.policy
    if policy.expires is None:
        return True, "no day of expiry"
    return not policy.has_expired(today), f"its thresholds are for use until {policy.expires}"


def _mostly_right(candidate: Release) -> tuple[bool, str]:
    """Not surely fewer than half of the matches are right, and a yes to every pair is worse.

    A goal that says what a mistake costs, or how many pairs must be found, leaves both open; none
    asks for a release that finds nothing.
    """
    evidence = candidate.evidence
    if not evidence.eval.recall.value:
        missed = f"none of {evidence.eval.n_genuine:,} pairs that belong together is found on eval"
        return False, f"{NOTHING}: {missed}" if matches_nothing(evidence) else missed
    precision = evidence.eval.precision
    seen = f"precision {precision.span()} {expected(evidence)[0].among}"
    if is_left_open(evidence.target):
        return True, f"{seen}; the goal is {in_words(evidence.target)}"
    surely_wrong = precision.high < HALF and evidence.eval.n_false_match
    if not surely_wrong and not tells_nothing_apart(evidence):
        return True, seen
    return False, f"{seen}: {doubt(evidence)}"
