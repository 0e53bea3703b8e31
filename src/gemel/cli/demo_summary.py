"""What the demo shows at the end: figures beside a baseline, where things are, what to try."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gemel.release.release import Release


def render(release: Release, seconds: Mapping[str, float], times_ms: Mapping[str, float]) -> None:
    """Write the figures to stdout as tables.

    Args:
        release: with its evidence.
        seconds: how long each stage took.
        times_ms: what was measured over HTTP.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, width=max(Console().width, 100))
    evidence = release.evidence
    compared = Table(title="On identities that were never trained on (eval)", title_justify="left")
    for head in ("", "F1 [95 %]", "recall_at_1"):
        compared.add_column(head, justify="left" if not head else "right")
    for candidate in evidence.candidates:
        first = candidate.retrieval.recall_at_k[1]
        compared.add_row(candidate.name, candidate.point.f1.span(4), f"{first:.4f}")
    console.print(compared)

    seen = evidence.eval
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_row("release", release.short_id)
    facts.add_row("threshold", f"{seen.threshold:.4f}, chosen on dev for {evidence.target.kind}")
    facts.add_row("false matches (FMR)", seen.fmr.span(4))
    facts.add_row("false non-matches (FNMR)", seen.fnmr.span(4))
    facts.add_row("precision", seen.precision.span(4))
    facts.add_row(
        "comparisons on eval", f"{seen.n_genuine:,} genuine, {seen.n_impostor:,} impostor"
    )
    facts.add_row(
        "encoding one record",
        f"p50 {evidence.timing.single_p50_ms:.2f} ms, p99 {evidence.timing.single_p99_ms:.2f} ms",
    )
    for what, took in times_ms.items():
        facts.add_row(f"{what} over HTTP", f"median {took:.1f} ms")
    facts.add_row("all stages", f"{sum(seconds.values()):.0f} s")
    console.print(facts)


def next_steps(folder: Path, report: Path, ids: Sequence[str]) -> list[str]:
    """What to look at and to try, a line each.

    Args:
        folder: of the project.
        report: that was written.
        ids: of two records.
    """
    config, gemel = f"-c {folder / 'gemel.toml'}", _program()
    one, other = (shlex.quote(record) for record in ids)
    return [
        f"the report: {report}",
        f"the settings: {folder / 'gemel.toml'}",
        "try next:",
        f"  {gemel} release show {config}",
        f"  {gemel} explain {one} {other} {config}",
        f"  {gemel} calibrate --precision 0.9 {config}",
        f"  {gemel} serve {config}",
        f"  {gemel} init YOUR_RECORDS.csv",
    ]


def _program() -> str:
    """How this program can be called from here."""
    if shutil.which("gemel") is not None:
        return "gemel"
    here = Path(sys.argv[0])
    return os.path.relpath(here) if here.name == "gemel" else f"{sys.executable} -m gemel"
