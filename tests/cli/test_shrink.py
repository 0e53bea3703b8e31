"""`gemel shrink` on rows: a smaller release that lives as any other, and what is refused."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from gemel.arrays import unit_rows
from gemel.cli.project import Project
from gemel.encode.encoder import Encoder
from gemel.release.evidence.shrunk import Shrunk
from gemel.release.release import Release
from gemel.release.store import Store
from gemel.testing import check_encoder
from gemel.train.shrink.candidates import Candidate
from gemel.train.shrink.source import Source

Gemel = Callable[..., Any]
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "make-it-smaller.md"
TOLERANCE = (1e-4, 2e-2)
"""A pixel that is rounded otherwise moves an embedding in 8 bits by a step."""
ENOUGH = ("--keep-recall", "0.8")
"""Few identities prove little: those of the test project no more than this."""


def test_a_smaller_release_lives_as_any_other(project: Path, gemel: Gemel) -> None:
    store = Store(".gemel")
    parent = store.get("stable")
    said = gemel("shrink", *ENOUGH)
    assert said.code == 0, said.err
    child = store.get(next(m.id for m in store.list() if m.parent == parent.id))
    table = _table(child)

    # What the table says is what the release is.
    chosen = next(t for t in table.tried if t.name == table.chosen)
    assert chosen == min((t for t in table.tried if t.kept), key=lambda t: t.share)
    assert chosen.cost.encoder_bytes == (child.folder / "encoder" / "encoder.onnx").stat().st_size
    assert chosen.cost.vector_bytes == 4 * child.encoder.dim < 4 * parent.encoder.dim
    assert chosen.quality is not None
    assert chosen.quality.after == child.evidence.eval.f1.value
    assert chosen.quality.before == parent.evidence.eval.f1.value
    assert child.space_id != parent.space_id
    assert child.evidence.goals == parent.evidence.goals
    payloads, _ = child.probe_payloads()
    check_encoder(child.encoder, payloads[:12])
    child.check_parity()

    # Its table is in the terminal and in its report.
    assert table.chosen in said.out and table.chosen in said.err
    assert gemel("report", child.id, "-o", "report.html").code == 0
    report = Path("report.html").read_text()
    assert "Made smaller" in report and all(t.name in report for t in table.tried)

    # It is promoted, and has a gallery of its own.
    assert gemel("release", "promote", child.id, "--force", "--reason", "cheaper").code == 0
    assert gemel("gallery", "enroll").code == 0
    found = gemel("gallery", "search", "first=anna", "last=muellerschmidt", "--json")
    assert found.code == 0, found.err
    again = gemel("shrink")
    assert again.code == 1
    assert "smaller one already" in again.err and parent.short_id in again.err


def test_none_keeps_enough_for_sure(project: Path, gemel: Gemel) -> None:
    said = gemel("shrink", "--dry-run", "--json")
    assert said.code == 3
    body = json.loads(said.out)
    assert f"how much of {body['shrunk']['measure']} is enough" in said.err
    assert body["release"] is None and body["shrunk"]["chosen"] == ""
    assert not any(t["kept"] for t in body["shrunk"]["tried"])
    assert len(Store(".gemel").list()) == 1


def test_the_python_of_the_page_takes_what_keeps_half(project: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)
    found: dict[str, Any] = {}
    exec(compile(code, PAGE.name, "exec"), found)
    shrinking = found["found"]
    assert shrinking.shrunk.chosen == shrinking.shrunk.tried[0].name
    assert Release.open("smaller/release").evidence.shrunk == shrinking.shrunk


def test_what_cannot_be_shrunk_says_so(project: Path, gemel: Gemel) -> None:
    said = gemel("shrink", "--take", "pca-7")
    assert said.code == 1
    assert "no candidate is named 'pca-7'" in said.err and "int8" in said.err
    Path("people.csv").write_text("id,person,first,last,town,born\nr,p,anna,koch,x,1980-01-01\n")
    said = gemel("shrink")
    assert said.code == 1
    assert "the records of this project are not those" in said.err


@pytest.fixture
def pictures(empty: Path, gemel: Gemel) -> Release:
    """A release of 24 patterns, four pictures of each, in a project that is the working folder."""
    for i in range(96):
        pattern = (
            np.random.default_rng(i // 4).integers(0, 255, (5, 7, 3)).repeat(6, 0).repeat(5, 1)
        )
        noise = np.random.default_rng(i).normal(0, 12, pattern.shape)
        path = Path("photos") / f"c{i // 4:02}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(pattern + noise, 0, 255).astype(np.uint8)).save(path)
    assert gemel("init", "photos", "--set", "split.crossed=false").code == 0
    few = ("--set", "train.max_epochs=1", "--set", "train.image_size=24")
    few += ("--set", "train.matryoshka=true")
    assert gemel("train", *few).code == 0
    assert gemel("calibrate", *few).code == 0
    return Store(".gemel").get(Store(".gemel").list()[0].id)


def test_pictures_in_8_bits_and_as_one_file(pictures: Release, gemel: Gemel) -> None:
    said = gemel("shrink", pictures.id, "--take", "pca-32+int8")
    assert said.code == 0, said.err
    child = Store(".gemel").get(next(m.id for m in Store(".gemel").list() if m.parent))
    chosen = next(t for t in _table(child).tried if t.name == "pca-32+int8")
    assert chosen.cost.encoder_bytes < 0.4 * _table(child).before.encoder_bytes
    payloads, _ = child.probe_payloads()
    check_encoder(child.encoder, payloads)
    assert {"first-32", "first-32+int8"} <= {t.name for t in _table(child).tried}
    _cut(pictures, payloads)

    # On a device the same pixels give the same embeddings, of either release.
    for release in (pictures, child):
        assert gemel("export", release.id, "-o", "device.onnx").code == 0
        session = onnxruntime.InferenceSession("device.onnx")
        for payload, row in zip(*release.probe_payloads(), strict=True):
            pixels = np.asarray(Image.open(io.BytesIO(payload)).convert("RGB"))
            (found,) = session.run(None, {"pixels": pixels})
            np.testing.assert_allclose(found, row[None], atol=TOLERANCE[release is child])


def _cut(parent: Release, payloads: Sequence[Any]) -> None:
    """The first dimensions, of length one, in a space of their own."""
    project = Project.open()
    dataset = project.dataset()
    source = Source(parent, dataset, project.splits(dataset))
    made = Encoder.open(Candidate(4, cut=True).make(source, Path("cut")).encoder)
    whole = parent.encoder.encode(payloads)
    np.testing.assert_allclose(
        made.encode(payloads), unit_rows(whole[:, : parent.encoder.dim // 4]), atol=1e-5
    )
    assert made.space_id != parent.space_id


def test_rows_have_no_file_for_devices(project: Path, gemel: Gemel) -> None:
    said = gemel("export", "-o", "device.onnx")
    assert said.code == 1
    assert "the preprocessing of records has no form in ONNX" in said.err
    assert not Path("device.onnx").exists()


def _table(release: Release) -> Shrunk:
    found = release.evidence.shrunk
    assert found is not None
    return found
