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

    It runs in any ONNX Runtime, also in a browser. Images: `pixels`, (height, width, 3) bytes of
    RGB, upright and opaque. Recordings: `sound`, (samples,) floats of one channel, at the rate that
    is said. Either gives `unit_rows`, (1, d).
    """
    check_installed()
    from gemel.encode.encoder import NETWORK
    from gemel.release.run import ENCODER
    from gemel.train.device.one_file import one_file

    project = Project.open(config, sets)
    opened = project.release(release)
    path = output or Path(f"encoder-{opened.short_id}.onnx")
    files.check(path, ".onnx", project.reads)
    network = (opened.folder / ENCODER / NETWORK).read_bytes()
    found = one_file(opened.encoder.prepare, network)
    if dry_run:
        show.say(f"would write the encoder of {opened.short_id} to {path}")
        return
    files.write(path, found.model)
    show.say(f"wrote {path}: {found.takes} in, unit rows of {opened.encoder.dim} dimensions out")
    show.say(f"threshold of release {opened.short_id}: {opened.policy.verify.threshold:.4g}")
