"""Pages to try the live release: verify two records, search with one, look at the routes.

They are plain HTML, CSS and JavaScript shipped with the package; they ask the same routes as every
other client and write whatever they answer as text, never as markup. Their policy allows
nothing from anywhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from importlib import resources
from typing import Any

import msgspec
import numpy as np

from gemel.arrays import Float32
from gemel.encode.comparators import Comparator, score_pairs
from gemel.errors import NotFound
from gemel.release.release import Release
from gemel.serve.http.front import Page
from gemel.serve.http.problems import Header
from gemel.serve.service import Service

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
FILES = (
    ("/", "page.html", "text/html"),
    ("/console/key.js", "key.js", "text/javascript"),
    ("/console/file.js", "file.js", "text/javascript"),
    ("/console/page.css", "page.css", "text/css"),
    ("/console/page.js", "page.js", "text/javascript"),
    ("/console/api.html", "api.html", "text/html"),
    ("/console/api.js", "api.js", "text/javascript"),
    ("/console/icon.svg", "icon.svg", "image/svg+xml"),
)
SAFE: tuple[Header, ...] = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


def handlers(service: Service) -> dict[str, Page]:
    """The pages by path, for `create_app`.

    Args:
        service: whose live release gives the examples.
    """
    examples = Page("application/json", partial(_examples, service), SAFE)
    return {path: static(*of) for path, *of in FILES} | {"/console/examples": examples}


def _examples(service: Service) -> bytes:
    """Records that the live release was checked with, and from where to where scores go.

    `alike` are positions of the two that are most alike: what to begin with.
    """
    live = service.pick()
    payloads, rows = live.release.probe_payloads()
    return msgspec.json.encode(
        {
            "examples": [live.items.modality.item(payload) for payload in payloads],
            "alike": _alike(live.comparator, rows, payloads),
            "range": _range(live.release),
        }
    )


def _alike(comparator: Comparator, rows: Float32, payloads: Sequence[Any]) -> list[int]:
    """Positions of the two most alike of n records that are not equal; empty if there are none."""
    left, right = np.triu_indices(len(rows), 1)
    apart = (rows[left] != rows[right]).any(1)
    pairs = np.stack([left, right], 1)[apart]
    if not len(pairs):
        return []
    scores = score_pairs(comparator, rows, payloads, *pairs.T.tolist())
    best: list[int] = pairs[scores.argmax()].tolist()
    return best


def _range(release: Release) -> tuple[float, float]:
    """The lowest and the highest score on eval; of a release without evidence, those of cosines."""
    try:
        edges = release.evidence.eval_curve.bin_edge
    except NotFound:
        return -1.0, 1.0
    return edges[0], edges[-1]


def static(name: str, media_type: str) -> Page:
    """A file of this package, which needs no key."""
    content = resources.files(__package__).joinpath(name).read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'.encode()
    kind = f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
    headers = (*SAFE, (b"etag", tag), (b"cache-control", b"no-cache"))
    return Page(kind, content, headers, tag, is_free=True)
