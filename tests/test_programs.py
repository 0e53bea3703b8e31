"""What is left out where it is tried at home is not left out in CI."""

import pytest
from tests.programs import require


def test_a_program_that_is_not_there_skips_at_home_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CI", "1")
    require(chromium="/usr/bin/chromium")
    with pytest.raises(AssertionError, match="CI lacks redis server"):
        require(chromium="/usr/bin/chromium", redis_server=None)
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="needs redis server"):
        require(redis_server=None)
