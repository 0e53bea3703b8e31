"""A decision in one line: what limits its probability stands beside it."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gemel.cli.decided import in_a_line
from gemel.decide.outcomes import Outcome
from gemel.decide.ratio import Pav
from gemel.release.release import Release
from gemel.release.store import Store
from gemel.serve.wire.pairs import VerifyReply


@pytest.fixture
def release(project: Path, tmp_path: Path) -> Release:
    """Its comparisons show no more than a ratio of e."""
    found = Store(project / ".gemel").get("stable")
    likelihood = Pav((0.0, 0.5), (-1.0, 1.0))
    policy = replace(found.policy, likelihood=likelihood, prior=0.5)
    return found.child(policy=policy, into=tmp_path / "few")


@pytest.mark.parametrize(
    ("outcome", "chance", "rule", "end"),
    [
        ("match", 0.3312, None, "0.3312, below one half: the goal sets the threshold"),
        ("no_match", 0.62, None, "0.62, above one half: the goal sets the threshold"),
        ("match", 0.62, None, "0.62"),
        ("no_match", 0.3312, None, "0.3312"),
        ("review", 0.3312, None, "0.3312"),
        ("no_match", 0.62, "born differs", "0.62"),
        ("match", 0.7310585786, None, "at least 0.7311, the most that so few comparisons can show"),
    ],
)
def test_a_probability_says_why_it_is_no_higher_or_on_the_other_side(
    release: Release, outcome: Outcome, chance: float, rule: str | None, end: str
) -> None:
    reply = VerifyReply(
        outcome=outcome,
        score=0.4,
        threshold=0.3,
        probability=chance,
        release="",
        space="",
        decision_id=None,
        rule=rule,
    )
    said = in_a_line(reply, release)
    assert said.startswith(outcome.replace("_", " "))
    assert said.endswith(f"probability {end}")
