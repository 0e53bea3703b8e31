"""A model of sentence-transformers on the command line: a release as it is, then trained on."""

from __future__ import annotations

import contextlib
import csv
import io
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tests.flows.lives import lives

from gemel.arrays import unit_rows
from gemel.cli.main import run
from gemel.encode.encoder import Encoder
from gemel.release.store import Store
from gemel.testing import check_encoder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder in which the model was imported with texts of 60 identities."""
    folder = tmp_path_factory.mktemp("import")
    rng = np.random.default_rng(0)
    words = ["".join(pair) for pair in rng.choice(list("abcdefghijklmnop"), (500, 2))]
    rows = []
    for who in range(60):
        own = rng.choice(words, 5)
        rows += [(f"w{who}", " ".join([*rng.permutation(own), rng.choice(words)])) for _ in "ab"]
        rows.append((f"w{who}", " ".join(rng.choice(words, 40))))
    with (folder / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("of", "text"), *rows])
    told = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(told):
        patch.chdir(folder)
        said = ["--data", "texts.csv", "--identity", "of"]
        # Its weights are random: it is shelved, and its gates keep it from going live.
        assert run(["import", str(tiny_model), *said]) == 3
    (after,) = (line for line in told.getvalue().splitlines() if line.startswith("next: "))
    assert "promote" not in after  # it did so itself
    return folder


def test_a_model_becomes_a_release_that_its_gates_judge(project: Path) -> None:
    store = Store(project / ".gemel")
    assert store.pointer("stable") is None
    release = store.get(store.list()[0].id)
    training = release.evidence.training
    assert release.modality == "text"
    assert release.manifest.licence == "mit"
    assert training.settings.tune == "none"
    assert [epoch.epoch for epoch in training.history] == [0]
    assert "more than 16 tokens" in training.notes[0]


def test_it_is_served_explained_and_reported(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    with (project / "texts.csv").open(encoding="utf-8") as file:
        _, (_, one), (_, other), *_ = csv.reader(file)
    assert "TF-IDF" in lives(capsys, one, other)


def test_a_layer_learns_on_kept_embeddings_and_opens_elsewhere(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sentence_transformers import SentenceTransformer

    monkeypatch.chdir(project)
    runs = project / ".gemel" / "runs"
    kept, before = sorted((runs / "frozen").iterdir()), set(runs.iterdir())
    assert run(["train", "--set", "train.tune=head", "--set", "train.max_epochs=2"]) == 0
    assert sorted((runs / "frozen").iterdir()) == kept
    (made,) = set(runs.iterdir()) - before
    texts = ["ab cd ef", "gh", "a text of more than a few words " * 5]
    theirs = SentenceTransformer(str(made / "sentence-transformers"), device="cpu")
    rows = unit_rows(theirs.encode(texts, show_progress_bar=False))
    assert_allclose(Encoder.open(made / "encoder").encode(texts), rows, atol=1e-4)


def test_what_is_no_model_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    words = ["import", "./nowhere", "--data", "texts.csv", "--identity", "of", "-o", "other.toml"]
    assert run(words) == 1
    assert "no folder './nowhere'" in capsys.readouterr().err


def test_a_model_is_made_smaller_by_what_learns_from_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    store = Store(project / ".gemel")
    parent = store.get(store.list()[0].id)
    payloads, rows = parent.probe_payloads()
    assert run(["shrink", parent.id, "--take", "int8", "--student"]) == 0
    child = next(store.get(m.id) for m in store.list() if m.parent == parent.id)
    found = child.evidence.shrunk
    assert found is not None
    assert {t.name for t in found.tried} >= {"int8", "pca-16", "pca-16+int8", "student"}
    # Nothing that is encoded beside a text changes its embedding, and few bits change it little.
    check_encoder(child.encoder, payloads)
    assert np.einsum("ij,ij->i", child.encoder.encode(payloads), rows).min() > 0.95
    assert "int8 costs" in capsys.readouterr().err
