"""Requests of a second are counted by name, and names are forgotten when all came back."""

from __future__ import annotations

import pytest

from gemel.errors import RateLimited
from gemel.serve.access import rates
from gemel.serve.access.rates import Rates


def test_requests_come_back_as_time_goes() -> None:
    now = [0.0]
    counted = Rates(lambda: now[0])

    def n_taken(name: str) -> int:
        for n in range(10):
            try:
                counted.take(name, 4, name)
            except RateLimited as error:
                assert error.what == f"{name} may ask 4 times a second"
                return n
        raise AssertionError("no limit")

    assert n_taken("ann") == 4 and n_taken("bert") == 4
    now[0] += 0.5
    assert n_taken("ann") == 2
    now[0] += 100
    assert n_taken("ann") == 4
    for _ in range(10):
        counted.take("free", 0, "free")


def test_many_names_are_not_kept_for_ever_and_none_is_forgiven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rates, "MAX_KEPT", 8)
    now = [0.0]
    counted = Rates(lambda: now[0])
    for i in range(1000):
        now[0] += 0.1
        counted.take(f"name {i}", 1, "it")
    assert len(counted._left) <= 32
    counted = Rates(lambda: now[0])
    for i in range(100):
        counted.take(f"name {i}", 1, "it")
    for i in range(100):
        with pytest.raises(RateLimited):
            counted.take(f"name {i}", 1, "it")
