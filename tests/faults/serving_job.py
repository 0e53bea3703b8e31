"""Serves a small release again and again: a child for each line of stdin, to be killed.

Everything is imported once; a child begins with that, so that a hundred of them take no longer
than their work. Arguments: the folder of the release, that of the gallery, the ledger.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from gemel.gallery.gallery import Gallery
from gemel.ledger.ledger import Ledger
from gemel.release.release import Release
from gemel.serve.http import server
from gemel.serve.http.app import create_app
from gemel.serve.service import Service
from gemel.settings import ServeSettings
from gemel.telemetry import log_to


def serve(release: Path, gallery_folder: Path, ledger_file: Path) -> None:
    """Serve until killed; says process and address once it answers."""
    opened = Release.open(release)
    log = log_to(io.StringIO())
    with (
        Gallery.open(gallery_folder, space_id=opened.space_id, dim=opened.encoder.dim) as gallery,
        Ledger.open(ledger_file) as ledger,
    ):
        app = create_app(Service(opened, gallery, ledger), log=log)
        server.run(
            app,
            ServeSettings(port=0),
            log=log,
            on_ready=lambda url: print(os.getpid(), url, flush=True),
        )


if __name__ == "__main__":
    places = [Path(word) for word in sys.argv[1:]]
    print("ready", flush=True)
    while sys.stdin.readline():
        child = os.fork()
        if not child:
            serve(*places)
            os._exit(0)
        os.waitpid(child, 0)
        print("gone", flush=True)
