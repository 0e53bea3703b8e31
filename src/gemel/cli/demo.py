"""`gemel demo`: the whole life on real records, from the file to a served decision.

It leaves an ordinary project behind (settings, releases, gallery), so everything it shows can be
repeated and changed with the other commands. What was done before is found again, not done again.
"""

from __future__ import annotations

import io
import json
import statistics
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import numpy as np
import typer

from gemel.arrays import Int64
from gemel.cli import demo_records, demo_summary, example, show
from gemel.cli.calibrate import build_release, find_release
from gemel.cli.data import show_dataset
from gemel.cli.gallery import enroll_dataset
from gemel.cli.project import Project
from gemel.cli.release import note_move, show_gates, write_report
from gemel.cli.serve import application
from gemel.cli.train import check_installed, train_run
from gemel.data.schema import as_text
from gemel.encode import modality

if TYPE_CHECKING:
    from gemel.data.records import Dataset
    from gemel.release.release import Release

ALL_ROWS = 10_000
LEAST_ROWS = 60
ASKED = 20
SHOWN = 100
"""Characters of a record that are shown."""

T = TypeVar("T")


@dataclass
class Stages:
    """The stages so far, and the seconds each took."""

    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, title: str, work: Callable[[], T]) -> T:
        """Announce a stage, run it and keep its time."""
        show.say(f"\n{len(self.seconds) + 1}. {title}")
        start = time.perf_counter()
        result = work()
        self.seconds[title] = time.perf_counter() - start
        return result


def demo(
    name: Annotated[
        str | None, typer.Argument(help="One of --list; people with typing errors if left out.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Name the examples, and stop.")] = False,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where the project goes; gemel-demo or gemel-demo-NAME if left out."),
    ] = None,
    rows: Annotated[
        int | None, typer.Option(min=LEAST_ROWS, max=ALL_ROWS, help="Use fewer records.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8080,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Stop at the end.")] = False,
) -> None:
    """Go through the whole life at once, on real records that are fetched.

    Without a name: the same person among 10,000 records with typing errors.
    """
    from gemel.data.sources.packages import SETS, rldata10000

    if list_:
        show.table(["example", "asks", "fetched by"], [*_listed()])
        show.say("next: gemel demo NAME")
        return
    chosen = example.named(name) if name is not None else None
    check_installed()
    if chosen is not None:
        show.say(f"{chosen.name}: {chosen.title}")
        example.tell(chosen.packages)
        project = chosen.prepare(
            folder or Path(f"gemel-demo-{name}"), rows or 0, {"serve.port": port}
        )
    else:
        declared = SETS["rldata10000"]
        show.say(f"{declared.name}: {declared.title}")
        show.say(f"from package {declared.package} {declared.version}; licence: {declared.licence}")
        where = folder or Path("gemel-demo")
        project = demo_records.prepare(where, rows or ALL_ROWS, port, rldata10000)
    run(project, stay=sys.stdin.isatty() and sys.stderr.isatty() and not no_serve)


def _listed() -> Iterator[list[str]]:
    for one in example.examples():
        yield [one.name, one.title, ", ".join(one.registries)]


def run(project: Project, *, stay: bool) -> None:
    """Go through the whole life of a project.

    Args:
        project: with records and settings.
        stay: serve until Ctrl-C at the end.
    """
    stages, report = Stages(), project.config.root / "report.html"
    dataset = stages.run("Read, check and split the records", lambda: _check(project))
    stages.run("Train a Siamese encoder", lambda: train_run(project, dataset))
    release = stages.run("Calibrate a decision, build a release", lambda: _build(project, dataset))
    stages.run("Pass the gates and go live", lambda: _promote(project, release))
    stages.run("Enroll the gallery", lambda: _enroll(project, release, dataset))
    stages.run("Write the report", lambda: write_report(release, report))
    show.say(f"\n{len(stages.seconds) + 1}. Serve; verify two records and search for one")
    with _serving(project) as url:
        pair = _of_one(dataset, project.splits(dataset).eval)
        times_ms = _ask(url, release, dataset, pair)
        demo_summary.render(release, stages.seconds, times_ms)
        ids = [dataset.ids[i] for i in pair]
        for line in demo_summary.next_steps(project.config.root, report, ids):
            show.say(line)
        if stay:
            show.say(f"\nopen {url}/ in a browser; Ctrl-C stops it")
            _wait_for_ctrl_c()


def _check(project: Project) -> Dataset:
    from gemel.data import leakage

    dataset = project.dataset()
    splits = project.splits(dataset)
    project.judge(dataset, leakage.find(dataset, splits))
    show_dataset(dataset, splits, write=show.say)
    return dataset


def _build(project: Project, dataset: Dataset) -> Release:
    found = find_release(project, dataset)
    if found is not None:
        show.say(f"release {found.short_id} is on the shelf already")
        return found
    return build_release(project, dataset, name="demo")


def _promote(project: Project, release: Release) -> None:
    from gemel.release import gates

    store = project.store()
    if store.pointer("stable") == release.id:
        show.say(f"stable points at {release.short_id} already")
        return
    report, move = gates.promote(
        store, release.id, actor=project.actor, reason="a demo goes on", force=True
    )
    show_gates(report)
    if not report.passed:
        show.say("your own release would stop here, but by --force and a reason; a demo goes on")
    note_move(project, move)


def _enroll(project: Project, release: Release, dataset: Dataset) -> None:
    from gemel.serve.service import Service

    with project.gallery(release, write=True) as gallery, project.ledger() as ledger:
        if gallery.count() < len(dataset):
            service = Service(release, gallery, ledger, caller=project.caller)
            label, batch = project.label_of(release), project.config.gallery.batch
            enroll_dataset(service, dataset, batch=batch, label=label)
        show.say(f"{gallery.count():,} records are enrolled")


def _wait_for_ctrl_c() -> None:
    # A signal may be delivered to a thread of the service; only a wait that ends sees it then.
    never = threading.Event()
    try:
        while not never.wait(0.5):
            pass
    except KeyboardInterrupt:
        show.say("\nstopped; the same command serves it again at once")


@contextmanager
def _serving(project: Project) -> Iterator[str]:
    """The service and its page while the block runs; gives the address."""
    from gemel.serve.http import server
    from gemel.telemetry import log_to

    settings = project.config.serve
    log = log_to(io.StringIO())
    with (
        application(project, log) as app,
        server.running(app, host=settings.host, port=settings.port, log=log) as url,
    ):
        yield url


def _of_one(dataset: Dataset, idx: Int64) -> Int64:
    """Two records of one identity, the first that has two."""
    codes = dataset.identities[idx]
    twice = next(c for c in codes if (codes == c).sum() > 1)
    return idx[np.flatnonzero(codes == twice)[:2]]


def _ask(url: str, release: Release, dataset: Dataset, pair: Int64) -> dict[str, float]:
    """Verify two records and search for the second over HTTP; milliseconds of each."""
    kind = modality.named(release.modality)
    payloads = dataset.payloads(pair)
    one, other = (kind.item(payload) for payload in payloads)
    seen, verify_ms = _post(f"{url}/v1/verify", {"left": one, "right": other})
    found, search_ms = _post(f"{url}/v1/search", {"query": other, "k": 3})
    for i, payload in zip(pair, payloads, strict=True):
        show.say(f"   {_line(kind.values(payload)) or dataset.ids[i]}")
    show.say(f"   verify: {seen['outcome']}, score {seen['score']:.4f} at {seen['threshold']:.4f}")
    for hit in found["hits"]:
        words = f"{hit['score']:.4f} {hit['decision']:8} record {hit['id']:>5}"
        show.say(f"   search: {words}  {_line(hit['attributes'])}")
    show.say("")
    return {"verify": verify_ms, "search": search_ms}


def _post(url: str, body: dict[str, Any]) -> tuple[Any, float]:
    """The reply to a request, and the median of a few, in milliseconds."""
    data, head = json.dumps(body).encode(), {"content-type": "application/json"}
    reply, times = None, []
    for _ in range(ASKED):
        start = time.perf_counter()
        with urllib.request.urlopen(urllib.request.Request(url, data, head), timeout=30) as answer:
            reply = json.load(answer)
        times.append(1000 * (time.perf_counter() - start))
    return reply, statistics.median(times)


def _line(row: dict[str, Any]) -> str:
    text = " ".join(text for v in row.values() if (text := as_text(v)) is not None)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
