"""`gemel export`: an encoder for devices, as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gemel.cli import files, show
from gemel.cli.options import ConfigFile, DryRun, Sets
from gemel.cli.project import Project
from gemel.cli.train import check_installed


def export(
    release: Annotated[
        str | None, typer.Argument(help="Release id or pointer; stable if left out.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write; encoder-ID.onnx if left out."),
    ] = None,
    config: ConfigFile = None,
    sets: Sets = None,
    dry_run: DryRun = False,
) -> None:
    """Write the encoder of a release with its preprocessing as one ONNX file, for a device.

    It runs in any ONNX Runtime, also in a browser: `pixels`, (height, width, 3) bytes of RGB,
    upright and opaque, give `unit_rows`, (1, d). Images only.
    """
    check_installed()
    from gemel.train.shrink.device import one_file

    project = Project.open(config, sets)
    opened = project.release(release)
    path = output or Path(f"encoder-{opened.short_id}.onnx")
    files.check(path, ".onnx", project.reads)
    model = one_file(opened)
    if dry_run:
        show.say(f"would write the encoder of {opened.short_id} to {path}")
        return
    files.write(path, model)
    show.say(f"wrote {path}: pixels in, unit rows of {opened.encoder.dim} dimensions out")
    show.say(f"threshold of release {opened.short_id}: {opened.policy.verify.threshold:.4g}")
