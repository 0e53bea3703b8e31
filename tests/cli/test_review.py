"""`gemel review`: what waits, an answer, what it means; and rules by settings."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemel.ledger.ledger import Ledger

Gemel = Callable[..., Any]


@pytest.fixture
def decision(project: Path) -> str:
    """A decision for review, in the ledger of the project."""
    release = json.loads(
        (next((project / ".gemel/releases").iterdir()) / "manifest.json").read_text()
    )
    with Ledger.open(project / ".gemel/ledger.db") as ledger:
        return ledger.append(
            "verify",
            {
                "outcome": "review",
                "score": 0.5,
                "release": release.get("id", ""),
                "review_probability": 1.0,
            },
        )


def test_a_decision_waits_until_it_is_answered(project: Path, gemel: Gemel, decision: str) -> None:
    waiting = json.loads(gemel("review", "list", "--json").out)
    assert [w["decision_id"] for w in waiting] == [decision]
    said = gemel("review", "answer", decision[:31], "--genuine", "--reviewer", "ann")
    assert (said.code, said.err) == (0, "noted\n")
    with Ledger.open(project / ".gemel/ledger.db") as ledger:
        (verdict,) = ledger.entries(kind="verdict")
    assert (verdict.body["decision"], verdict.body["reviewer"]) == (decision, "ann")
    several = gemel("review", "answer", "", "--genuine")
    assert several.code == 1 and "several ids start with" in several.err
    assert json.loads(gemel("review", "list", "--json").out) == []
    assert "nothing waits" in gemel("review", "list").err
    assert gemel("ledger", "verify").code == 0


def test_an_answer_that_nobody_asked_for_is_said_not_to_count(project: Path, gemel: Gemel) -> None:
    body = {"outcome": "match", "score": 0.9, "release": "r", "review_probability": 0.0}
    with Ledger.open(project / ".gemel/ledger.db") as ledger:
        unasked = ledger.append("verify", body)
    said = gemel("review", "answer", unasked, "--genuine")
    assert said.code == 0 and "it does not count for a proposal" in said.err


def test_a_proposal_says_what_is_missing_and_accepts_nothing(project: Path, gemel: Gemel) -> None:
    said = gemel("review", "proposal")
    assert said.code == 0, said.err
    assert "wait: 0 effective genuine answers, 30 are needed" in said.out
    assert json.loads(gemel("review", "proposal", "--json").out)["proposal"]["verdict"] == "wait"
    refused = gemel("review", "accept")
    assert refused.code == 1
    assert "nothing to accept" in refused.err
    as_json = gemel("review", "accept", "--json")
    assert (as_json.code, as_json.err) == (1, refused.err)
    assert json.loads(as_json.out)["proposal"]["verdict"] == "wait"
    dry = gemel("review", "accept", "--dry-run")
    assert (dry.code, dry.err) == (1, refused.err)


def test_a_proposal_of_a_server_is_accepted_where_the_release_was_trained(
    project: Path, gemel: Gemel, tmp_path: Path
) -> None:
    said, file = json.loads(gemel("review", "proposal", "--json").out), tmp_path / "said.json"
    known = {path.name for path in (project / ".gemel/releases").iterdir()}
    band = {"threshold": 0.4, "review_low": 0.3, "review_high": 0.5}
    said["proposal"] |= {"verdict": "move", "reason": "it is better", "band": band}
    file.write_text(json.dumps(said))
    settings = (project / "gemel.toml").read_text()
    (project / "gemel.toml").write_text("")
    on_server = gemel("review", "accept", "--proposal", str(file))
    assert on_server.code == 1 and "data.path" in on_server.err
    assert "gemel review proposal --json > FILE here" in on_server.err
    (project / "gemel.toml").write_text(settings)
    accepted = gemel("review", "accept", "--proposal", str(file), "--json")
    assert accepted.code == 0, accepted.err
    assert json.loads(accepted.out)["policy"]["verify"] == band
    assert len({path.name for path in (project / ".gemel/releases").iterdir()} - known) == 1
    file.write_text("{}")
    other = gemel("review", "accept", "--proposal", str(file))
    assert other.code == 1 and "this is no proposal" in other.err


def test_mistakes_are_explained(project: Path, gemel: Gemel) -> None:
    nobody = gemel("review", "answer", "0" * 32, "--genuine")
    assert nobody.code == 1
    assert "no decision" in nobody.err
    assert gemel("review", "answer", "0" * 32).code == 2
    rule = gemel("calibrate", "--set", 'calibrate.rules=["born after 2: no_match"]')
    assert rule.code == 1
    assert "is no rule" in rule.err
    assert "hint:" in rule.err


def test_rules_by_settings_become_a_child(project: Path, gemel: Gemel) -> None:
    said = gemel(
        "calibrate", "--set", 'calibrate.rules=["town differs: review"]', "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    got = json.loads(said.out)
    assert got["policy"]["rules"] == [
        {"field": "town", "apart": None, "then": "review", "kind": "text"}
    ]
    shown = json.loads(gemel("release", "show", got["manifest"]["id"], "--json").out)["evidence"]
    assert shown["rules"][0]["lost"]["value"] == 0
