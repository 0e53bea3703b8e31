"""What is left out where it is tried at home is not left out in CI."""

import pytest
from tests.programs import fetching, require

from gemel.errors import DataError


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


def test_only_what_cannot_be_reached_is_left_out() -> None:
    with pytest.raises(pytest.skip.Exception, match="no network"), fetching():
        raise DataError("pip cannot fetch it: no network", where="x 1.0")
    with pytest.raises(DataError, match="SHA-256"), fetching():
        raise DataError("the file has SHA-256 0, expected 1", where="x 1.0")
