"""What a service in this process does during a rollout, request by request."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest
from tests.serve.rollout.kept import PEOPLE, Project, opened_project

from gemel.cli.main import run
from gemel.client import Client
from gemel.errors import GateFailed, GemelError, InvalidInput, NotFound, RolloutConflict
from gemel.gallery.gallery import Gallery
from gemel.ledger.ledger import Ledger
from gemel.ledger.verdicts import answer
from gemel.release import gates
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.rollout.desk import Desk, Wish
from gemel.serve.rollout.follower import Follower
from gemel.serve.service import Service
from gemel.serve.wire.rollouts import RolloutBody
from gemel.settings import AdaptSettings
from gemel.telemetry import log_to

project = pytest.fixture(opened_project)
pytestmark = pytest.mark.usefixtures("seeded")


@dataclass
class House:
    """A service that takes part, looked at by hand, and a client of it."""

    project: Project
    service: Service
    follower: Follower
    client: httpx.Client

    def look(self) -> None:
        """What the service's thread does five times a second."""
        self.follower.check()
        pilot = self.follower.pilot
        assert pilot is not None
        pilot.check()

    def verify(self, i: int, subject: str = "") -> httpx.Response:
        headers = {"x-gemel-subject": subject} if subject else {}
        body = {"left": PEOPLE[i], "right": PEOPLE[i + 1]}
        return self.client.post("/v1/verify", json=body, headers=headers)

    def told(self) -> Any:
        """The rollout once more of it was said, which is done once a second."""
        before, waited = self.client.get("/v1/rollout").json()["readings"], threading.Event()
        for _ in range(600):
            self.look()
            reply = self.client.get("/v1/rollout").json()
            if reply["readings"] != before:
                return reply
            waited.wait(0.05)
        raise AssertionError("no more was said")

    def compared(self, n: int) -> None:
        """Wait until so many requests were asked again."""
        value = self.service.metrics.registry.get_sample_value
        waited = threading.Event()
        for _ in range(600):
            done = sum(
                value("gemel_shadow_total", {"result": r}) or 0
                for r in ("compared", "failed", "dropped")
            )
            if done >= n:
                return
            waited.wait(0.05)
        raise AssertionError(f"{done} of {n} compared")


@contextmanager
def house(project: Project, stable: Release | None = None, log: Any = None) -> Iterator[House]:
    live = stable or project.stable

    def open_gallery(release: Release) -> Gallery:
        return Gallery.open(
            project.at(release), space_id=release.space_id, dim=release.encoder.dim,
            comparator=release.comparator,
        )  # fmt: skip

    with open_gallery(live) as gallery, Ledger.open(project.folder / "state/ledger.db") as ledger:
        adapt = AdaptSettings(audit_ratio=1.0)
        service = Service(live, gallery, ledger, desk=project.desk, adapt=adapt)
        follower = Follower(
            service,
            project.store,
            open_gallery=open_gallery,
            desk=project.desk,
            clock=lambda: 0.0,
            **({} if log is None else {"log": log}),
        )
        with (
            running(create_app(service)) as url,
            httpx.Client(base_url=url, timeout=30) as client,
        ):
            yield House(project, service, follower, client)
        follower.stop()


def start(project: Project, release: Release, **how: Any) -> None:
    project.desk.start(Wish(release=release.id, slow_ms=5000, **how), actor="test")


def test_a_subject_keeps_its_release_and_a_rising_share_only_adds_subjects(
    project: Project,
) -> None:
    good = project.put(1e-5)
    with house(project) as at:
        start(project, good, steps=(20.0, 70.0))
        at.look()
        names = [f"account {i}" for i in range(60)]

        def taken() -> set[str]:
            found = {name: at.verify(0, name).headers["x-gemel-release"] for name in names}
            return {name for name, release in found.items() if release == good.id}

        few = taken()
        assert few == taken() and 4 <= len(few) <= 24
        project.desk.move("step", {"step": 1}, actor="test")
        at.look()
        many = taken()
        assert few < many and 30 <= len(many) <= 54
        same = {at.verify(i).headers["x-gemel-release"] for i in (0, 0, 0, 0)}
        assert len(same) == 1, "without a name, what is asked is the subject"
        rows = at.client.post("/v1/embeddings", json={"input": PEOPLE[:20]})
        assert rows.json()["model"] == project.stable.id, "vectors that are kept are of one space"
        project.desk.abort(actor="test", reason="enough")
        at.look()
        assert taken() == set()
        assert project.store.pointer("canary") is None
        start(project, good, steps=(20.0, 70.0))
        at.look()
        assert not taken() <= many, "another rollout tries others"


def test_a_shadow_answers_nobody_and_tells_what_would_differ(project: Project) -> None:
    bad = project.put(1.0)
    with house(project) as at:
        start(project, bad, steps=())
        at.look()
        assert project.store.pointer("shadow") == bad.id
        for i in range(0, 40, 2):
            assert at.verify(i, f"s{i}").json()["release"] == project.stable.id
        at.client.post("/v1/search", json={"query": PEOPLE[0], "k": 5})
        at.compared(21)
        at.look()
        reply = at.client.get("/v1/rollout").json()
        assert (reply["mode"], reply["share"]) == ("shadow", 0)
        flips = reply["readings"][0]
        assert flips["question"] == "flips" and flips["share"] > flips["limit"]
        assert reply["seen"]["overlap"] < 1 and reply["seen"]["shift"] is not None
        assert at.service.metrics.registry.get_sample_value(
            "gemel_decisions_total", {"operation": "verify", "outcome": "match"}
        ) == sum(at.verify(i).json()["outcome"] == "match" for i in range(0, 40, 2))


@pytest.mark.parametrize("error", [RuntimeError("no memory"), InvalidInput("no such field")])
def test_what_the_candidate_cannot_answer_stable_does_and_the_failure_counts(
    project: Project, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    good = project.put(1e-5)
    with house(project) as at:
        start(project, good, steps=(50.0,), least=5)
        at.look()
        trial = at.service.arms.trial
        assert trial is not None

        def broken(_: Any) -> Any:
            raise error

        monkeypatch.setattr(trial.live.encoder, "encode", broken)
        wrong = {"left": {"frist": "x"}, "right": PEOPLE[0]}
        for i in range(20):  # what nobody can answer is no failure of one of them
            named = {"x-gemel-subject": f"wrong {i}"}
            reply = at.client.post("/v1/verify", json=wrong, headers=named)
            assert reply.json()["where"] == "left.frist"
        assert trial.watch.tally().errors.n == 0
        for i in range(60):
            reply = at.verify(0, f"account {i}")
            assert (reply.status_code, reply.json()["release"]) == (200, project.stable.id)
        at.look()
        ended = project.desk.state()
        assert ended is not None and ended.status == "rolled_back"
        assert "errors of the service" in ended.reason
        assert at.service.arms.trial is None


def test_a_paused_rollout_takes_no_step_but_is_still_judged(project: Project) -> None:
    good, bad = project.put(1e-5), project.put(1.0)
    with house(project) as at:
        start(project, good, steps=(50.0,), least=1)
        project.desk.pause(actor="test", reason="lunch")
        at.look()
        assert project.desk.move("pause", {}, actor="test").share == 0.5
        project.desk.resume(actor="test")
        with pytest.raises(RolloutConflict, match="running"):
            start(project, bad)
        project.desk.abort(actor="test")
        start(project, bad, steps=(50.0,))
        project.desk.pause(actor="test")
        at.look()
        for i in range(0, 60, 2):
            at.verify(i, f"account {i}")
        at.compared(30)
        at.look()
        ended = project.desk.state()
        assert ended is not None and ended.status == "rolled_back", ended


def test_decisions_that_people_call_wrong_count_for_whom_made_them(project: Project) -> None:
    good = project.put(1e-5)
    with house(project) as at:
        start(project, good, steps=(30.0,))
        at.look()
        wrong = 0
        for i in range(80):
            said = at.verify(0, f"account {i}").json()
            if said["release"] == good.id and said["outcome"] == "match":
                assert at.service.ledger is not None
                answer(at.service.ledger, said["decision_id"], False, reviewer="ann")
                wrong += 1
        at.look()
        ended = project.desk.state()
        assert wrong > 5
        assert ended is not None and ended.status == "rolled_back", ended
        assert "people called wrong" in ended.reason


def test_changes_go_to_both_galleries_so_that_going_back_loses_nothing(project: Project) -> None:
    good = project.put(1e-5)
    new = {**PEOPLE[0], "first": "newcomer"}
    with house(project) as at:

        def enroll(name: str) -> None:
            body = {"records": [{"id": name, "payload": {**new, "last": name}}]}
            assert at.client.post("/v1/records", json=body).json()["added"] == 1

        def found(release: Release) -> set[str]:
            assert at.service.pick().release.id == release.id
            reply = at.client.post("/v1/search", json={"query": new, "k": 6}).json()
            assert reply["release"] == release.id
            return {hit["id"] for hit in reply["hits"]}

        start(project, good, steps=(50.0,))
        at.look()
        enroll("during")
        project.store.point("stable", good.id, actor="test", reason="by hand")
        at.look()
        ended = project.desk.state()
        assert ended is not None and ended.status == "promoted", "by somebody's hand"
        assert "during" in found(good)
        enroll("after")
        at.client.request("DELETE", "/v1/records", json={"ids": ["during"]})
        project.store.rollback(actor="test", reason="second thoughts")
        at.look()
        assert {"after"} <= found(project.stable) and "during" not in found(project.stable)
    with house(project) as at:  # after a restart too
        project.store.point("stable", good.id, actor="test", reason="again")
        at.look()
    with house(project, project.store.get("stable")) as at:
        body = {"records": [{"id": "late", "payload": {**new, "last": "late"}}]}
        assert at.client.post("/v1/records", json=body).json()["added"] == 1
        project.store.rollback(actor="test", reason="again")
        at.look()
        assert at.service.pick().release.id == project.stable.id
        reply = at.client.post("/v1/search", json={"query": new, "k": 6}).json()
        assert "late" in {hit["id"] for hit in reply["hits"]}


def test_a_candidate_that_takes_fewer_fields_says_so_and_why_it_ends(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No rollout of it outlives one record that is enrolled, and a promotion stops requests."""
    good = project.put(1e-5)
    short = "no longer takes born"
    monkeypatch.setattr(gates.taken, "takes", lambda *_: (False, short))
    with pytest.raises(GateFailed, match=short):
        start(project, good, steps=(50.0,))
    with house(project) as at:
        start(project, good, steps=())
        at.look()
        state = project.desk.state()
        assert state is not None and state.reason == f"started by test; {short}"
        trial = at.service.arms.trial
        assert trial is not None
        prepare = trial.live.items.prepare
        kept = [field for field in prepare.fields if field.name != "born"]
        monkeypatch.setattr(prepare, "_by_name", {field.name: field for field in kept})
        body = {"records": [{"id": "new", "payload": {**PEOPLE[0], "born": "1951-07-03"}}]}
        assert at.client.post("/v1/records", json=body).json()["added"] == 1
        at.look()
        ended = project.desk.state()
        assert ended is not None and ended.status == "rolled_back"
        assert ended.reason == "it does not take a record that was enrolled meanwhile: born"


def test_a_rollout_ends_when_stable_moves_elsewhere(project: Project) -> None:
    good, other = project.put(1e-5), project.put(2e-5)
    start(project, good, steps=(50.0,))
    project.store.point("stable", other.id, actor="test", reason="while nobody serves")
    with house(project, other) as at:
        at.look()
        ended = project.desk.state()
        assert ended is not None and ended.status == "aborted"
        assert other.short_id in ended.reason
        assert at.verify(0).json()["release"] == other.id


def test_the_log_says_each_share_and_how_it_ended(project: Project) -> None:
    good, log = project.put(1e-5), io.StringIO()
    with house(project, log=log_to(log)) as at:
        start(project, good, steps=(5.0, 50.0))
        at.look()
        project.desk.move("step", {"step": 1, "reason": "50%"}, actor="test")
        at.look()
        project.desk.abort(actor="ann", reason="a holiday")
        at.look()
        start(project, good, steps=(50.0,), least=5)
        at.look()
        project.store.point("stable", project.put(2e-5).id, actor="ann", reason="by hand")
        at.look()
    told = [json.loads(line) for line in log.getvalue().splitlines()]
    ended = [line for line in told if line["event"] == "rollout_ended"]
    assert (ended[0]["status"], ended[0]["reason"]) == ("aborted", "a holiday")
    assert ended[1]["status"] == "aborted" and "stable points at" in ended[1]["reason"]
    assert [line["share"] for line in told if line["event"] == "rollout_moved"] == [0.5]


def test_who_is_forestalled_says_how_the_other_ended_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where two services find a candidate worse in the same second."""
    good, log, end = project.put(1e-5), io.StringIO(), project.desk.end

    def forestalled(status: Any, **how: Any) -> Any:
        end("rolled_back", actor="other", reason="worse")
        return end(status, **how)

    with house(project, log=log_to(log)) as at:
        start(project, good)
        at.look()
        project.store.point("stable", project.put(2e-5).id, actor="ann", reason="by hand")
        monkeypatch.setattr(project.desk, "end", forestalled)
        at.look()
        at.look()
    told = [json.loads(line) for line in log.getvalue().splitlines()]
    ended = [line for line in told if line["event"] == "rollout_ended"]
    assert [(line["status"], line["reason"]) for line in ended] == [("rolled_back", "worse")]


def test_what_is_found_of_one_rollout_says_nothing_of_the_next(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where somebody ends the first and begins another between a look and what follows from it."""
    first, second = project.put(1e-5), project.put(2e-5)
    desk, other = project.desk, Desk(project.store)

    def replaced(do: Any) -> Any:
        def done(*asked: Any, **how: Any) -> Any:
            monkeypatch.undo()
            other.abort(actor="ann", reason="another one")
            start(project, second, steps=(30.0, 60.0))
            return do(*asked, **how)

        return done

    def refused(*_: Any, **__: Any) -> Any:
        raise GateFailed("it is worse")

    moments: list[tuple[str, Any, str, Any]] = [
        ("opens", project.store, "get", lambda *_: 1 / 0),
        ("ends", desk, "end", desk.end),
        ("steps", desk, "move", desk.move),
        ("promotes", desk, "promote", desk.promote),
        ("has promoted", gates, "promote", lambda *_, **__: None),
        ("pauses", gates, "promote", refused),
    ]
    with house(project) as at:
        pilot = at.follower.pilot
        assert pilot is not None
        for moment, of, name, do in moments:
            start(project, first, steps=(50.0, 80.0) if moment == "steps" else (50.0,))
            if moment != "opens":
                at.look()
            state = desk.state()
            assert state is not None and state.plan.release == first.id
            monkeypatch.setattr(of, name, replaced(do))
            if moment == "opens":
                at.look()
            elif moment == "ends":
                pilot._overtaken(state)
            else:
                pilot._go_on(state)
            now = desk.state()
            assert now is not None and now.plan.release == second.id, moment
            assert (now.status, now.step) == ("running", 0), moment
            pointers = {"stable": project.stable.id, "canary": second.id, "shadow": None}
            assert project.store.pointers() == pointers, moment
            at.look()
            trial = at.service.arms.trial
            assert trial is not None and trial.live.release.id == second.id, moment
            desk.abort(actor="ann")
            at.look()


def test_of_two_that_begin_at_once_the_second_moves_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, desk = project.put(1e-5), project.put(2e-5), Desk(project.store)
    check = desk._check

    def slow(*asked: Any) -> None:
        check(*asked)
        start(project, first)  # meanwhile, in another process

    monkeypatch.setattr(desk, "_check", slow)
    with pytest.raises(RolloutConflict, match="is running"):
        desk.start(Wish(release=second.id), actor="test")
    state = desk.state()
    assert state is not None and state.plan.release == first.id
    assert project.store.pointer("canary") == first.id


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/", "..", "", "a\0b", "\u202e", "*", "x" * 9999]
)
def test_a_candidate_is_none_by_a_path(project: Project, name: str) -> None:
    with house(project) as at:
        body = {"action": "start", "release": name}
        got = at.client.post("/v1/rollout", json=body)
        assert (got.status_code, got.json()["code"]) == (404, "not_found")
        assert project.desk.state() is None


def test_what_must_hold_before(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    bare, desk = project.put(1e-5, enrolled=False), project.desk
    with pytest.raises(NotFound):
        desk.start(Wish(release="ffff0000"), actor="test")
    with pytest.raises(InvalidInput, match="rising"):
        start(project, bare, steps=(50.0, 20.0))
    for risk in (0.0, 5e-324, 1.0):  # of the second one no logarithm of a part can be taken
        with pytest.raises(InvalidInput, match="between"):
            start(project, bare, alpha=risk)
    with pytest.raises(RolloutConflict, match="stable already"):
        start(project, project.stable)
    with pytest.raises(RolloutConflict, match="no rollout"):
        desk.abort(actor="test")
    counted = Desk(project.store, lambda release: {"": [] if release.id == bare.id else ["a"]})
    with pytest.raises(GateFailed, match="gallery enrolled") as caught:
        counted.start(Wish(release=bare.id, steps=()), actor="test")
    assert f"gemel gallery enroll FILE -r {bare.short_id}" in str(caught.value.hint)
    old = Desk(project.store, lambda release: {"": ["a"]})
    with monkeypatch.context() as patch:
        patch.setattr(gates, "_in_date", lambda *_: (False, "it was for use until 2020"))
        with pytest.raises(GateFailed, match="in date") as caught:
            old.start(Wish(release=bare.id), actor="test")
        assert "force" not in str(caught.value.hint), "a rollout takes none"
        assert "shadow" in str(caught.value.hint)
    with house(project) as at:
        Desk(project.store).start(Wish(release=bare.id, steps=()), actor="test")
        at.look()
        ended = desk.state()
        assert ended is not None and ended.status == "rolled_back"
        assert "gallery is empty" in ended.reason
        assert at.verify(0).status_code == 200


def test_evidence_outlives_a_restart_and_promotion_waits_for_the_gates(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = project.put(1e-5)
    with house(project) as at:
        start(project, good, steps=(50.0,), least=5)
        at.look()
        for i in range(0, 80, 2):
            at.verify(i % 40, f"account {i}")
        at.compared(40)
        at.look()
    with house(project) as at:
        at.look()
        assert at.client.get("/v1/rollout").json()["readings"][1]["n"] > 0
        (good.folder / "policy.json").chmod(0o644)
        policy = (good.folder / "policy.json").read_bytes()
        (good.folder / "policy.json").write_bytes(policy + b" ")
        with pytest.raises(GemelError, match="policy"):
            project.desk.promote(actor="test")
        state = project.desk.state()
        assert state is not None and state.is_active
        assert project.store.pointer("stable") == project.stable.id


def test_every_door_tells_and_does_the_same(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = project.put(1e-5)
    monkeypatch.chdir(project.folder)

    def cli(*words: str) -> Any:
        capsys.readouterr()
        code = run(["rollout", *words, "--json"])
        seen = capsys.readouterr()
        return json.loads(seen.out) if code == 0 else (code, seen.err)

    for steps in ("5,x", ""):
        assert cli("start", good.short_id, "--canary", steps)[0] == 2
    for words in (("--shadow", "--canary", "5"), ("--canary", "5", "--experiment", "50")):
        code, said = cli("start", good.short_id, *words)
        assert code == 2 and "a rollout is one of these" in said, "which of them was not said"
    assert cli("status") is None, "there was none yet"
    with house(project) as at, Client(str(at.client.base_url)) as typed:
        assert at.client.get("/v1/rollout").status_code == 404
        words = ("--canary", "5,25", "--slow-ms", "5000", "--reason", "less noise")
        by_cli = cli("start", good.short_id, *words)
        assert (by_cli["status"], by_cli["share"], by_cli["reason"]) == (
            *("running", 0.05, "less noise"),
        )
        at.look()
        by_http = at.client.get("/v1/rollout").json()
        assert by_http == cli("status") == msgspec.to_builtins(typed.rollout())
        assert run(["rollout", "status"]) == 0
        assert "need more" in capsys.readouterr().out
        paused = at.client.post("/v1/rollout", json={"action": "pause", "reason": "lunch"}).json()
        assert (paused["status"], paused["reason"]) == ("paused", "lunch")
        assert cli("resume")["status"] == "running"
        code, said = cli("start", good.short_id)
        assert code == 1 and "gemel rollout abort" in said
        assert typed.rollout(RolloutBody("abort", reason="enough")).status == "aborted"
        assert cli("status")["reason"] == "enough"
        assert at.client.post("/v1/rollout", json={"action": "pause"}).status_code == 409
        assert at.client.post("/v1/rollout", json={"action": "start"}).json()["where"] == "release"
        by_http = at.client.post(
            "/v1/rollout", json={"action": "start", "release": good.id, "shadow": True}
        ).json()
        assert by_http["mode"] == "shadow"
        assert cli("promote")["status"] == "promoted"
        at.look()
        assert at.service.pick().release.id == good.id
    assert run(["ledger", "verify"]) == 0
