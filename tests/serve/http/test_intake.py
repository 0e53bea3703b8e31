from __future__ import annotations

import gc
import weakref

import pytest

from gemel.errors import InvalidInput
from gemel.serve.http.endpoint import explained
from gemel.serve.http.intake import PACE, Intake
from gemel.serve.http.routes.call import Call
from gemel.serve.http.routes.table import TABLE
from gemel.serve.reader.reader import Reader
from gemel.telemetry import Metrics, log_to


def test_large_bodies_come_no_faster_than_all_of_them_may() -> None:
    intake = Intake(1 << 20, Metrics(), Reader())
    waits = [intake.wait_s(PACE // 10) for _ in range(20)]
    intake.close()
    assert waits[0] == pytest.approx(0.1, abs=0.01)
    assert waits[-1] == pytest.approx(2.0, abs=0.2)
    assert waits == sorted(waits)


class Held:
    """What a request holds."""


def test_what_a_refused_request_holds_goes_at_once() -> None:
    seen: list[weakref.ref[Held]] = []

    def fail() -> None:
        held = Held()
        seen.append(weakref.ref(held))
        try:
            raise ValueError("within")
        except ValueError as e:
            error = InvalidInput("no")
            raise error from e

    call = Call({}, "")  # type: ignore[typeddict-item]
    gc.disable()
    try:
        try:
            fail()
        except InvalidInput as e:
            told = explained(e, TABLE[0], call, log_to(level="critical"))
        assert told.what == "no"
        assert seen[0]() is None
    finally:
        gc.enable()
