from __future__ import annotations

import io
import json
import logging
import re
from pathlib import Path

import gemel
from gemel.telemetry import EVENTS, METRICS, Metrics, log_to

SOURCE = Path(gemel.__file__).parent
UNITS = ("_total", "_seconds", "_bytes", "_ratio", "_payloads", "_ready", "_entries")


def test_every_metric_has_a_prefix_a_unit_and_exists_from_the_start() -> None:
    metrics = Metrics()
    for row in METRICS:
        assert row.name.startswith("gemel_")
        assert row.name.endswith(UNITS)
        assert row.help.endswith(".")
        labels = {name: values[0] for name, values in row.labels}
        suffix = "_count" if row.kind == "histogram" else ""
        assert metrics.registry.get_sample_value(row.name + suffix, labels) == 0


def test_every_event_that_is_logged_is_declared_and_the_other_way_round() -> None:
    call = re.compile(r"log\.(?:debug|info|warning|error|log)\(\s*(?:[\w.]+,\s*)?\"([^\"]+)\"")
    used = {
        event
        for file in SOURCE.rglob("*.py")
        for event in call.findall(file.read_text(encoding="utf-8"))
    }
    assert used == set(EVENTS)


def test_a_log_line_is_json_with_event_level_and_time() -> None:
    stream = io.StringIO()
    log = log_to(stream)
    log.log(logging.DEBUG, "hidden")
    log.info("service_started", url="http://x")
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {"event": "service_started", "level": "info", "url": "http://x"}


class Full(io.StringIO):
    """A stream that takes nothing."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_what_cannot_be_written_stops_nobody() -> None:
    log_to(Full()).info("service_started", url="http://x")
    closed = io.StringIO()
    closed.close()
    log_to(closed).info("service_started", url="http://x")
