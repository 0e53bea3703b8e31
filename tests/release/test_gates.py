from __future__ import annotations

import json
import re
import shutil
from datetime import date, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.serve import small

from gemel.calibrate.answers.known import Known
from gemel.calibrate.goals.target import Target
from gemel.calibrate.goals.use import Use
from gemel.calibrate.rates.by_category import Breakdown, Worst
from gemel.calibrate.rates.intervals import Estimate
from gemel.data.dataset import Dataset
from gemel.data.schema import Field, Reading
from gemel.decide.bands import Band
from gemel.encode.row.prepare import RowPrepare
from gemel.errors import GateFailed
from gemel.release import folder as folders
from gemel.release import gates
from gemel.release.evidence.goals import Goals
from gemel.release.evidence.schema import Evidence
from gemel.release.make.recalibrate import recalibrate
from gemel.release.release import Release
from gemel.release.store import Store
from gemel.release.words.doubts import repair

WHO = {"actor": "ann", "reason": "better"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def failed(report: gates.GateReport) -> list[str]:
    return [g.name for g in report.gates if not g.passed]


def rate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, low=low, high=high, n_effective=1000.0, method="")


def detail(report: gates.GateReport, name: str) -> str:
    return next(g.detail for g in report.gates if g.name == name)


def changed(release: Release, into: Path, evidence: Evidence) -> Release:
    return release.child(evidence=evidence, into=into)


def test_a_good_release_passes_every_gate(release: Release) -> None:
    report = gates.run(release)
    assert report.passed, report
    assert [g.name for g in report.gates] == [
        "integrity",
        "parity",
        "not collapsed",
        "evidence",
        "in date",
        "target holds on eval",
        "no worse than without learning",
        "matches are right",
    ]
    assert all(g.detail for g in report.gates)


def test_a_threshold_without_evidence_fails(stricter: Release, release: Release) -> None:
    report = gates.run(stricter, release)
    assert failed(report) == ["evidence"]
    with pytest.raises(GateFailed, match=r"policy applies threshold 0.95") as caught:
        report.check()
    assert "gemel calibrate makes a release whose own threshold" in caught.value.hint


def test_where_eval_says_nothing_to_measure_it_again_is_no_help(
    release: Release, tmp_path: Path
) -> None:
    at = release.evidence.eval
    f1 = msgspec.structs.replace(at.f1, low=0.0, high=0.99)
    use = Use(kind="duplicates", records=10**9)
    evidence = msgspec.structs.replace(
        release.evidence,
        eval=msgspec.structs.replace(at, f1=f1),
        goals=msgspec.structs.replace(release.evidence.goals, use=use),
    )
    (gate,) = (g for g in gates.run(changed(release, tmp_path / "c", evidence)).gates if g.repair)
    assert gate.name == "evidence" and "calibrate" not in gate.repair
    assert "more identities of two records" in gate.repair


def test_evidence_on_the_records_that_chose_or_on_one_class_is_none(
    release: Release, tmp_path: Path
) -> None:
    evidence, replace = release.evidence, msgspec.structs.replace
    sides = evidence.data.sides
    data = replace(evidence.data, sides={**sides, "eval": sides["dev"]})
    same = gates.run(changed(release, tmp_path / "same", replace(evidence, data=data)))
    assert detail(same, "evidence") == "dev and eval are the same records"
    lone = replace(evidence, dev=replace(evidence.dev, n_genuine=0))
    without = gates.run(changed(release, tmp_path / "lone", lone))
    assert "dev has no genuine" in detail(without, "evidence")
    assert "evidence" in failed(same) and "evidence" in failed(without)


def answered(release: Release, into: Path, threshold: float, *, proven: bool = True) -> Release:
    right = rate(0.99, 0.96, 1.0)
    known = Known(
        n_answers=144, n_unsure=0, threshold=threshold, precision=right, recall=right,
        n_match=90, n_genuine=90.0, n_pairs=9000, goal=0.95, confidence=0.95, proven=proven,
        missing=None, n_double=0, n_agreed=0,
    )  # fmt: skip
    evidence = msgspec.structs.replace(release.evidence, labelled=known, unproven=True)
    return changed(release, into, evidence)


def test_answers_have_to_prove_the_threshold_that_decides(release: Release, tmp_path: Path) -> None:
    applied = release.policy.verify.threshold
    for name, threshold, proven, passes in (
        ("proven", applied, True, True),
        ("not", applied, False, False),
        ("another", applied - 0.01, True, False),
    ):
        report = gates.run(answered(release, tmp_path / name, threshold, proven=proven))
        assert report.passed == passes, report


def test_thresholds_past_their_day_fail(release: Release) -> None:
    expires = release.policy.expires
    assert expires is not None
    day = date.fromisoformat(expires)
    assert gates.run(release, today=day).passed
    assert failed(gates.run(release, today=day + timedelta(1))) == ["in date"]


def numbered(n: int) -> list[str]:
    return [f"r{i}" for i in range(n)]


def test_as_many_records_are_not_the_same_records(release: Release, tmp_path: Path) -> None:
    other = small.release(tmp_path / "other")
    of = {release.id: ["a", "b", "c", "d", "e"], other.id: ["a", "v", "w", "x", "y", "z"]}
    report = gates.run(other, release, enrolled=lambda r: {"": of[r.id]})
    said = detail(report, "gallery enrolled")
    assert "gallery enrolled" in failed(report)
    assert said.startswith("4 of 5 records ('b', 'c', 'd' and 1 more) are not in the gallery")


def test_a_gallery_of_another_space_has_to_be_enrolled_first(
    release: Release, tmp_path: Path
) -> None:
    other = small.release(tmp_path / "other")
    for n, failing in ((0, True), (9, True), (10, False), (12, False)):
        of = {other.id: numbered(n), release.id: numbered(10)}
        report = gates.run(other, release, enrolled=lambda r, of=of: {"": of[r.id]})
        assert ("gallery enrolled" in failed(report)) == failing
    child = release.child(into=tmp_path / "child", policy=release.policy)
    names = [g.name for g in gates.run(child, release, enrolled=lambda r: {}).gates]
    assert "gallery enrolled" not in names, "the same space, the same gallery"


@pytest.mark.parametrize("who", ["an unproven candidate", "an answered one", "an unproven stable"])
def test_without_labels_a_gallery_has_to_be_enrolled_as_well(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    stable = small.release(tmp_path / "stable")
    if who == "an answered one":
        release = answered(release, tmp_path / "answered", release.policy.verify.threshold)
    else:
        of = (stable if who == "an unproven stable" else release).id
        monkeypatch.setattr(Release, "is_unproven", property(lambda self: self.id == of))
    ids = {stable.id: ["a", "b"], release.id: ["a"]}
    report = gates.run(release, stable, enrolled=lambda r: {"": ids[r.id]})
    assert "gallery enrolled" in failed(report)


def test_a_damaged_file_fails_integrity(release: Release, tmp_path: Path) -> None:
    shutil.copytree(release.folder, tmp_path / "copy")
    (tmp_path / "copy" / "gold.npz").chmod(0o644)
    (tmp_path / "copy" / "gold.npz").write_bytes(b"no")
    report = gates.run(Release.open(tmp_path / "copy", verify=False))
    assert failed(report) == ["integrity"]
    assert "gold.npz" in report.gates[0].detail


def test_a_collapsed_space_fails(release: Release, tmp_path: Path) -> None:
    shutil.copytree(release.folder, tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("*.json"):
        path.chmod(0o644)
    profile = msgspec.structs.replace(release.profile, mean_similarity=0.999)
    (tmp_path / "copy" / "profile.json").write_bytes(msgspec.json.encode(profile))
    body = json.loads((tmp_path / "copy" / "manifest.json").read_text())
    (tmp_path / "copy" / "manifest.json").unlink()
    head = {k: v for k, v in body.items() if k not in ("format", "id", "files")}
    folders.seal(tmp_path / "copy", head)
    assert failed(gates.run(Release.open(tmp_path / "copy"))) == ["not collapsed"]


def test_a_promise_that_eval_contradicts_fails(release: Release, tmp_path: Path) -> None:
    evidence = release.evidence
    fmr = msgspec.structs.replace(evidence.eval.fmr, value=0.02, low=0.01, high=0.03)
    broken = msgspec.structs.replace(
        evidence,
        goals=Goals(verify=Target(kind="fmr", value=1e-3)),
        eval=msgspec.structs.replace(evidence.eval, fmr=fmr),
    )
    report = gates.run(changed(release, tmp_path / "child", broken))
    assert failed(report) == ["target holds on eval"]
    said = detail(report, "target holds on eval")
    assert "0.02 [0.01, 0.03], promised at most 0.001" in said


def test_matches_that_are_mostly_false_fail(
    release: Release, people: Dataset, run_folder: Path, tmp_path: Path
) -> None:
    """An FMR that is kept to the letter: of 100 pairs of strangers at most 10 match."""
    goals = Goals(verify=Target(kind="fmr", value=0.1, confidence=0.9))
    child = recalibrate(release, run_folder, people, goals=goals, into=tmp_path / "child")
    assert child.evidence.eval.precision.high < 0.5
    first = gates.run(child)
    assert failed(first) == ["matches are right"]
    assert "of 100 matches only about" in detail(first, "matches are right")
    (named,) = re.findall(r"--precision ([\d.]+), with --for search or", first.repairs)
    use = Use(kind="duplicates", records=len(people))
    (share,) = {use.share(people.identities)}
    target = Target(kind="precision", value=float(named), confidence=0.9, prior=share)
    asked = Goals(verify=target, use=use)
    proven = recalibrate(release, run_folder, people, goals=asked, into=tmp_path / "asked")
    assert proven.evidence.dev.certified, "what is named is not refused"
    assert "matches are right" not in failed(gates.run(proven))
    assert failed(gates.run(child, release)) == [
        "matches are right",
        "errors not worse than stable",
    ]
    assert gates.run(release, child).passed
    asked = Goals(verify=Target(kind="fmr", value=0.1, confidence=0.9, prior=0.5))
    one_to_one = recalibrate(release, run_folder, people, goals=asked, into=tmp_path / "1:1")
    assert gates.run(one_to_one).passed, "most are right where half of what is compared is genuine"


@pytest.mark.parametrize(
    ("goal", "passes"),
    [(Target(), False), (Target(kind="accuracy"), False), (Target(kind="recall", value=0.9), True)],
)
def test_a_yes_to_every_pair_decides_nothing(
    release: Release, tmp_path: Path, goal: Target, passes: bool
) -> None:
    """Where half belong together half of the matches are right, whatever is compared."""
    at = msgspec.structs.replace(
        release.evidence.eval,
        prior=0.5,
        prior_source="stated",
        fmr=rate(0.98, 0.95, 0.99),
        f1=rate(0.664, 0.6, 0.7),
        precision=rate(0.503, 0.43, 0.57),
        n_false_match=980,
    )
    evidence = msgspec.structs.replace(release.evidence, eval=at, goals=Goals(verify=goal))
    report = gates.run(changed(release, tmp_path / "child", evidence))
    assert ("matches are right" not in failed(report)) == passes
    said = detail(report, "matches are right")
    assert ("of 100 pairs that do not belong together, about 98 are called" in said) != passes
    reaches = "calling every pair a match reaches F1 66.7\N{NO-BREAK SPACE}%"
    assert (reaches in said) == (goal.kind == "f1")


@pytest.mark.parametrize(("n_false", "said"), [(0, "nothing is called a match"), (3, "none of")])
def test_a_release_that_finds_nothing_goes_live_only_by_force(
    release: Release, store: Store, tmp_path: Path, n_false: int, said: str
) -> None:
    """Its interval of the precision is all there is, so that nothing else contradicts it."""
    there, none = release.evidence.eval, rate(0.0, 0.0, 1.0)
    empty = msgspec.structs.replace(
        there,
        precision=none,
        recall=rate(0.0, 0.0, 0.05),
        n_false_match=n_false,
        n_false_non_match=there.n_genuine,
    )
    evidence = msgspec.structs.replace(release.evidence, eval=empty)
    child = changed(release, tmp_path / "child", evidence)
    report = gates.run(child)
    assert "matches are right" in failed(report)
    seen = detail(report, "matches are right")
    assert said in seen and f"none of {there.n_genuine:,} pairs that belong together" in seen
    store.put(child.folder)
    with pytest.raises(GateFailed, match="pairs that belong together is found"):
        gates.promote(store, child.id, **WHO)
    gates.promote(store, child.id, **WHO, force=True)
    assert store.pointer("stable") == child.id


def test_errors_in_force_are_compared_with_those_of_stable(
    release: Release, tmp_path: Path
) -> None:
    """The best F1 that its scores could reach says nothing of the threshold that decides."""
    there = release.evidence.eval
    few = rate(0.4, 0.35, 0.45)
    lax = msgspec.structs.replace(there, f1=few, precision=few)
    worse = msgspec.structs.replace(release.evidence, eval=lax)
    names = failed(gates.run(changed(release, tmp_path / "lax", worse), release))
    assert "errors not worse than stable" in names
    strict = msgspec.structs.replace(
        there, f1=few, recall=rate(0.3, 0.25, 0.35), precision=rate(0.999, 0.998, 1.0)
    )
    goals = Goals(verify=Target(kind="precision", value=0.99))
    traded = msgspec.structs.replace(release.evidence, eval=strict, goals=goals)
    report = gates.run(changed(release, tmp_path / "strict", traded), release)
    assert report.passed, "fewer pairs found is the price of the precision that was asked for"
    assert "recall 0.3 [0.25, 0.35], stable has" in detail(report, "errors not worse than stable")


def test_an_interval_that_says_nothing_is_no_evidence(release: Release, tmp_path: Path) -> None:
    """Two identities of eval: F1 .739, and anything from 0 to 1."""
    evidence = release.evidence
    vague = msgspec.structs.replace(evidence.eval, f1=rate(0.739, 0.0, 1.0))
    side = msgspec.structs.replace(evidence.data.sides["eval"], n_multiple=2)
    data = msgspec.structs.replace(evidence.data, sides={**evidence.data.sides, "eval": side})
    few = msgspec.structs.replace(evidence, eval=vague, data=data)
    report = gates.run(changed(release, tmp_path / "child", few))
    assert failed(report) == ["evidence"]
    said = detail(report, "evidence")
    assert said == (
        "F1 on eval 0.739 [0, 1] says nothing: only 2 of its identities have two records, about 30 "
        "are wanted"
    )
    with pytest.raises(GateFailed) as refused:
        report.check()
    assert refused.value.hint == (
        "more identities of two records, about 30 on eval instead of 2 (split.crossed = true makes "
        "more of them); or promote it all the same: --force --reason WHY"
    )


def test_training_that_did_not_help_fails_where_that_is_beyond_chance(
    release: Release, tmp_path: Path
) -> None:
    """The best epoch is none; characters compared without learning do as well, or better."""
    evidence, replace = release.evidence, msgspec.structs.replace
    untrained, *later = evidence.training.history
    best = replace(untrained, metric=0.9)
    idle = replace(evidence, training=replace(evidence.training, history=(best, *later)))
    ours, theirs = evidence.candidates[:2]
    assert ours.point.f1.value < theirs.point.f1.value, "letters at random are no better"
    for seen, passes in (("no difference shown", True), ("worse", False), ("better", True)):
        against = tuple(replace(d, seen=seen) if d.measure == "F1" else d for d in evidence.against)
        child = changed(release, tmp_path / seen, replace(idle, against=against))
        report, gate = gates.run(child), "no worse than without learning"
        assert failed(report) == ([] if passes else [gate]), seen
        assert "no epoch was better than the untrained" in detail(report, gate)
        assert "TF-IDF without any learning" in detail(report, gate)
        assert ("train --sweep" in report.repairs) != passes


def test_other_eval_records_are_not_compared(release: Release, tmp_path: Path) -> None:
    data = release.evidence.data
    sides = {**data.sides, "eval": msgspec.structs.replace(data.sides["eval"], digest="0" * 64)}
    few = rate(0.4, 0.35, 0.45)
    worse = msgspec.structs.replace(release.evidence.eval, f1=few, precision=few)
    for name, n_read in (("more rows", data.n_records + 5), ("other columns", data.n_records)):
        told = msgspec.structs.replace(data, sides=sides, n_records=n_read)
        evidence = msgspec.structs.replace(release.evidence, data=told, eval=worse)
        gate = gates.run(changed(release, tmp_path / name, evidence), release).gates[-1]
        assert gate.name == "errors not worse than stable"
        assert "0.4 [0.35, 0.45], stable has" in gate.detail
        assert (
            gate.is_open
            == gate.passed
            == (n_read != data.n_records)
            == ("not comparable" in gate.detail)
        ), "as many records of as many identities by the same split are the same, read otherwise"


def test_a_candidate_takes_what_clients_send_to_stable(release: Release, tmp_path: Path) -> None:
    """Without a field that they send, each of their requests would be refused."""
    stable = small.release(tmp_path / "stable")
    fewer = small.dated_release(tmp_path / "fewer", {"name": "a", "born": "1980-01-02"}, [])
    gate = takes_gate(fewer, stable)
    assert not gate.passed
    assert gate.detail == ("no longer takes first, last; reads born as date, stable as number")
    assert "have clients send" in repair(
        gate.name, release.evidence, release.policy.verify.threshold
    )
    assert takes_gate(small.release(tmp_path / "like", seed=1), stable).passed
    picture = small.image_release(tmp_path / "image")
    assert takes_gate(picture, stable).detail.startswith("no longer takes first, last, born")
    assert "no longer takes image" in takes_gate(stable, picture).detail
    names = [gate.name for gate in gates.foreseen(stable, stable).gates]
    assert gates.TAKES not in names, "of one space they take the same"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (Field("a", "text"), Field("a", "category"), ""),
        (Field("a", "text"), Field("a", "number"), "reads a as number, stable as text"),
        (
            Field("a", "date", Reading(order="dmy")),
            Field("a", "date", Reading(order="mdy")),
            "as date with the month first, stable as date with the day first",
        ),
        (Field("a", "date", Reading()), Field("a", "date", Reading(order="mdy")), ""),
        (
            Field("a", "number", Reading(decimal=",")),
            Field("a", "number", Reading()),
            "as number, stable as number with a decimal comma",
        ),
    ],
)
def test_what_a_value_means_is_part_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, old: Field, new: Field, said: str
) -> None:
    more = Field("b", "text")
    both = [small.release(tmp_path / str(seed), seed=seed) for seed in (0, 1)]
    for one, fields in zip(both, ((new, more), (old, more)), strict=True):
        prepare = RowPrepare.fit([{"a": None}], fields)
        monkeypatch.setitem(one.__dict__, "prepare", prepare)
    gate = takes_gate(*both)
    assert gate.passed == (not said)
    assert said in gate.detail


def takes_gate(candidate: Release, stable: Release) -> gates.Gate:
    report = gates.run(candidate, stable)
    return next(gate for gate in report.gates if gate.name == gates.TAKES)


def test_promote_refuses_and_takes_force_with_a_reason(
    store: Store, release: Release, stricter: Release
) -> None:
    store.put(release.folder)
    store.put(stricter.folder)
    report, move = gates.promote(store, release.id[:12], **WHO)
    assert report.passed
    assert store.pointer("stable") == move.release_id == release.id
    with pytest.raises(GateFailed, match="evidence"):
        gates.promote(store, stricter.id, **WHO)
    with pytest.raises(GateFailed, match="needs a reason"):
        gates.promote(store, stricter.id, actor="ann", reason=" ", force=True)
    assert store.pointer("stable") == release.id
    report, move = gates.promote(store, stricter.id, actor="ann", reason="outage", force=True)
    assert not report.passed
    assert move.reason == "outage (forced; failed: evidence)"
    assert store.rollback("stable", **WHO).release_id == release.id


def test_a_policy_that_the_evidence_measured_passes(release: Release, tmp_path: Path) -> None:
    point = release.evidence.points[1]
    assert point.dev is not None
    assert point.eval is not None
    at = point.dev.threshold
    policy = msgspec.structs.replace(
        release.policy, verify=Band(threshold=at, review_low=at, review_high=at)
    )
    evidence = msgspec.structs.replace(release.evidence, dev=point.dev, eval=point.eval)
    child = release.child(policy=policy, evidence=evidence, into=tmp_path / "child")
    assert gates.run(child, release).passed
    assert np.isclose(child.policy.verify.threshold, at)


def test_a_broken_promise_in_one_category_fails(release: Release, tmp_path: Path) -> None:
    """As a whole FMR may be low while one category is far above what was promised for each."""
    evidence, replace = release.evidence, msgspec.structs.replace
    limit = evidence.eval.fmr.low / 2 + 0.01
    goals = Goals(verify=Target(kind="fmr", value=limit), categories="worst")
    for low, gates_failed in ((limit / 2, []), (limit * 1.1, ["target holds on eval"])):
        worst = Worst(category="b", value=limit * 2, low=low, high=1.0, n_judged=2)
        found = Breakdown(
            column="country", confidence=0.95, rows=(), between=None, worst_fmr=worst,
            worst_fnmr=None, matrix=(),
        )  # fmt: skip
        said = replace(evidence, goals=goals, categories=found)
        report = gates.run(changed(release, tmp_path / str(low), said))
        assert failed(report) == gates_failed
        assert not gates_failed or "category b" in detail(report, "target holds on eval")


def test_what_one_tenant_has_more_hides_nothing_of_what_another_lacks(
    release: Release, tmp_path: Path
) -> None:
    other = small.release(tmp_path / "other")
    theirs = {"": 10, "acme": 5, "bolt": 7}
    ours = {"": 90, "acme": 5, "bolt": 6}

    def seen(counts: dict[str, int]) -> gates.Gate:
        of = {
            release_id: {name: numbered(n) for name, n in counted.items()}
            for release_id, counted in ((release.id, theirs), (other.id, counts))
        }
        found = gates.run(other, release, enrolled=lambda r: of[r.id]).gates
        return next(gate for gate in found if gate.name == "gallery enrolled")

    assert seen(theirs).passed
    assert seen({**theirs, "new": 3}).passed
    assert not seen(ours).passed
    assert seen(ours).detail.startswith("1 of 7 records of tenant bolt ('r6') is not")
    both = seen({"": 9, "bolt": 7}).detail
    assert both.startswith("1 of 10 records ('r9'), 5 of 5 records of tenant acme ('r0', ")


def test_what_helps_besides_enrolling_is_not_left_out() -> None:
    enrolled = gates.Gate(gates.ENROLLED, False, "1 of 2 records")
    late = gates.Gate("in date", False, "until 2026-01-01", "gemel calibrate")
    with pytest.raises(GateFailed) as both:
        gates.GateReport("a" * 64, (enrolled, late)).check()
    assert "gemel gallery enroll FILE -r aaaaaaaaaaaa" in both.value.hint
    assert both.value.hint.endswith("; then: gemel calibrate; or " + gates.FORCE)
    with pytest.raises(GateFailed) as one:
        gates.GateReport("a" * 64, (enrolled,)).check()
    assert "then:" not in one.value.hint
