"""The modalities of gemel, and one that a package adds, pass the suite of a modality."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.conformance.toy_series import SERIES, SeriesPrepare
from tests.encode import voices
from tests.serve import small

from gemel.data.schema import Field
from gemel.encode.audio.modality import AUDIO
from gemel.encode.audio.prepare import AudioPrepare
from gemel.encode.image.modality import IMAGE
from gemel.encode.image.prepare import ImagePrepare
from gemel.encode.image_text.modality import IMAGE_TEXT
from gemel.encode.image_text.prepare import ImageTextPrepare
from gemel.encode.modality import Modality, Payload, Prepare
from gemel.encode.row.modality import ROW, RowModality
from gemel.encode.row.prepare import RowPrepare
from gemel.encode.text.modality import TEXT
from gemel.encode.text.prepare import TextPrepare
from gemel.testing import check_modality

FIELDS = (Field("name", "text"), Field("born", "date"), Field("height", "number"))
ROWS = [
    {"name": "anna maria", "born": "1961-01-02", "height": 1.7},
    {"name": "berta", "born": None, "height": 180.0},
    {"name": "carla", "born": "1970-12-31", "height": None},
]


def rows(folder: Path) -> tuple[Modality, Prepare, list[Payload], Path]:
    lines = ["name,born,height,who", "anna,1961-01-02,1.7,a", "anne,1961-01-02,1.7,a"]
    (folder / "rows.csv").write_text("\n".join([*lines, "carla,1970-12-31,1.6,b", ""]))
    return ROW, RowPrepare.fit(ROWS, FIELDS), [*ROWS], folder / "rows.csv"


def images(folder: Path) -> tuple[Modality, Prepare, list[Payload], Path]:
    files = [small.picture(seed) for seed in range(3)]
    for i, file in enumerate(files):
        (folder / str(i % 2)).mkdir(exist_ok=True)
        (folder / str(i % 2) / f"{i}.png").write_bytes(file)
    return IMAGE, ImagePrepare.fit(files), [*files], folder


def series(folder: Path) -> tuple[Modality, Prepare, list[Payload], Path]:
    drawn = np.random.default_rng(0).normal(size=(4, 12)).round(3).tolist()
    lines = [{"id": str(i), "who": "ab"[i % 2], "series": s} for i, s in enumerate(drawn)]
    (folder / "series.json").write_text(json.dumps(lines))
    return SERIES, SeriesPrepare(10), drawn, folder / "series.json"


def texts(folder: Path) -> tuple[Modality, Prepare, list[Payload], Path]:
    said = ["The printer does not print.", "Il pleut \u00e0 verse", "\u6771\u4eac", "x" * 5000]
    lines = ["body,who", "the printer is broken,a", "no printer works,a", "my mail is gone,b"]
    (folder / "texts.csv").write_text("\n".join([*lines, ""]))
    return TEXT, TextPrepare.fit(said[:2]), [*said], folder / "texts.csv"


def recordings(folder: Path) -> tuple[Modality, Prepare, list[Payload], Path]:
    files = [voices.said(voice, seed) for seed, voice in enumerate((110.0, 180.0, 240.0))]
    for i, file in enumerate(files):
        (folder / str(i % 2)).mkdir(exist_ok=True)
        (folder / str(i % 2) / f"{i}.wav").write_bytes(file)
    return AUDIO, AudioPrepare.fit(files), [*files], folder


def captions(folder: Path) -> tuple[Modality, Prepare, list[Payload], Path]:
    files = [small.picture(seed) for seed in range(3)]
    for i, file in enumerate(files):
        (folder / f"{i}.png").write_bytes(file)
    (folder / "captions.csv").write_text("file,text\n0.png,a circle\n1.png,a square\n")
    payloads = [*files, "a round thing", "a square"]
    return IMAGE_TEXT, ImageTextPrepare.fit(payloads), payloads, folder


@pytest.mark.parametrize("make", [rows, images, texts, recordings, captions, series])
def test_it_is_whole(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    kind, prepare, payloads, path = make(tmp_path)
    identity = None if kind in (IMAGE, AUDIO, IMAGE_TEXT) else "who"
    check_modality(kind, prepare, payloads, path=path, identity=identity)


class Forgetful(RowModality):
    """Rows that lose a field on their way into a file."""

    def pack(self, payload: Payload) -> Payload:
        return {k: v for k, v in payload.items() if k != "name"}


class Credulous(RowModality):
    """Rows that nobody looks at."""

    def payload(self, prepare: Prepare, item: Payload) -> Payload:
        return item


@pytest.mark.parametrize(
    ("kind", "says"), [(Forgetful(), "does not come back"), (Credulous(), "was not refused")]
)
def test_the_suite_notices(kind: Modality, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        check_modality(kind, RowPrepare.fit(ROWS, FIELDS), ROWS)
