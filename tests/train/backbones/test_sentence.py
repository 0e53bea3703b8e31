"""A folder of sentence-transformers, read and written: the same embeddings as over there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from tokenizers import Tokenizer

from gemel.arrays import unit_rows
from gemel.data import records
from gemel.data.splits import Splits
from gemel.encode.encoder import Encoder
from gemel.encode.text.modality import TEXT
from gemel.encode.text.tokens import TokenPrepare
from gemel.errors import ConfigError
from gemel.release.run import MODEL
from gemel.settings import LongTexts, TrainSettings
from gemel.testing import check_encoder
from gemel.train import export, fit
from gemel.train.arrays import embed
from gemel.train.backbones import lora, sentence, source
from gemel.train.backbones.frozen import Frozen, Head

SHORT = ["a cat", "some words of a text", "x", "another of those"]
LONG = " ".join(f"{a}{b}" for a in "abcdefgh" for b in "aeiou")
TEXTS = [*SHORT, LONG, f"{LONG} {LONG[::-1]}", "Capital Letters", "ünïcode"]
NETWORKS: dict[LongTexts, bytes] = {}


def theirs(folder: Path, texts: list[str]) -> Any:
    """What sentence-transformers makes of texts."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    return unit_rows(model.encode(texts, show_progress_bar=False))


def exported(folder: Path, long_texts: LongTexts = "truncate") -> Encoder:
    """The encoder of a folder, as training would export it."""
    recipe = sentence.read(folder, long_texts)
    prepare = TokenPrepare(recipe.tokens)
    network, _ = export.export(sentence.load(recipe), prepare(TEXTS))
    NETWORKS[long_texts] = network
    return Encoder(prepare, network)


@pytest.fixture(scope="module")
def encoder(tiny_model: Path) -> Encoder:
    return exported(tiny_model)


@pytest.fixture(scope="module")
def windowed(tiny_model: Path) -> Encoder:
    return exported(tiny_model, "windows")


def test_embeddings_are_those_of_sentence_transformers(tiny_model: Path, encoder: Encoder) -> None:
    assert_allclose(encoder.encode(TEXTS), theirs(tiny_model, TEXTS), atol=1e-5)


@pytest.mark.parametrize("long_texts", ["truncate", "windows"])
def test_tokens_of_a_long_text_are_found_once_and_travel(
    tiny_model: Path, long_texts: LongTexts
) -> None:
    said = sentence.read(tiny_model, long_texts).tokens
    prepare, other = TokenPrepare(said), TokenPrepare(msgspec.structs.replace(said, max_length=9))
    text = f"{LONG} {LONG} {'qx' * 9000}"
    checked = TEXT.checked(prepare, text)
    sent = msgspec.msgpack.decode(msgspec.msgpack.encode(TEXT.travelling(checked)))
    arrived = TEXT.arrived(prepare, sent)
    assert arrived == text and TEXT.checked(prepare, arrived) is arrived
    for one in (prepare, other):
        found, plain = one([arrived, "x"]), one([text, "x"])
        assert all(np.array_equal(found[name], plain[name]) for name in plain)
    arrived.found = arrived.found[0] + 1, arrived.found[1]  # what the network will see is this
    assert (prepare([arrived])["token"] != prepare([text])["token"]).any()


def test_what_is_cut_off_is_not_looked_at_and_changes_nothing(tiny_model: Path) -> None:
    prepare = TokenPrepare(sentence.read(tiny_model, "truncate").tokens)
    tokenizer = Tokenizer.from_str(prepare.said.tokenizer)
    tokenizer.enable_truncation(prepare.said.max_length)
    rng = np.random.default_rng(0)
    for length in (3, 40, 300, 2000, 6000):
        # Words of one letter up to such that are longer than what is looked at first.
        words = ["".join(rng.choice(list("abcxyz .,"), int(rng.pareto(0.7)) % 900 + 1))]
        words += ["".join(rng.choice(list("abcxyz"), n)) for n in rng.integers(1, 9, length)]
        text = " ".join(rng.permutation(words))
        (expected,) = tokenizer.encode_batch([text])
        (token,), (there,) = prepare([text])["token"], prepare([text])["there"]
        assert token[there > 0].tolist() == expected.ids
        assert prepare.n_cut([text]) == bool(expected.overflowing)


def test_padding_does_not_change_an_embedding(encoder: Encoder, windowed: Encoder) -> None:
    for one in (encoder, windowed):
        check_encoder(one, TEXTS, bad=["", " ", 3, "\ud800"])


def test_what_is_behind_the_longest_text_is_cut_or_counts_as_said(
    encoder: Encoder, windowed: Encoder
) -> None:
    more = f"{LONG} zz zy zx"
    cut, whole = (one.encode([LONG, more]) for one in (encoder, windowed))
    assert_allclose(cut[0], cut[1], atol=1e-6)
    assert abs(whole[0] - whole[1]).max() > 1e-3
    assert encoder.space_id != windowed.space_id


def test_windows_give_the_mean_of_what_they_give_alone(windowed: Encoder) -> None:
    prepare = windowed.prepare
    assert isinstance(prepare, TokenPrepare)
    arrays = prepare([LONG])
    n = arrays["there"].shape[1]
    assert n > 2
    alone = [
        windowed._session.run(None, {name: a[:, i : i + 1] for name, a in arrays.items()})[0]
        for i in range(n)
    ]
    assert_allclose(windowed.encode([LONG]), unit_rows(np.sum(alone, axis=0)), atol=1e-5)


def test_another_tokenizer_is_another_space(encoder: Encoder, tmp_path: Path) -> None:
    spec = encoder.prepare.spec()
    said = spec["tokenizer"]
    other = {**spec, "tokenizer": said.replace('"lowercase":true', '"lowercase":false')}
    assert other != spec
    (tmp_path / "encoder.onnx").write_bytes(NETWORKS["truncate"])
    spaces = []
    for one in (spec, other):
        (tmp_path / "prepare.json").write_text(json.dumps(one))
        spaces.append(Encoder.open(tmp_path).space_id)
    assert spaces[0] != spaces[1]


@pytest.mark.parametrize("pooling", ["cls", "max"])
def test_pooling_is_as_the_folder_says(tiny_model: Path, tmp_path: Path, pooling: str) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    said = {"word_embedding_dimension": 32, sentence.POOLINGS[pooling]: True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(said))
    recipe = sentence.read(folder, "truncate")
    rows = embed(sentence.load(recipe), TokenPrepare(recipe.tokens)(TEXTS))
    assert_allclose(rows, theirs(folder, TEXTS), atol=1e-5)


def test_a_trained_layer_opens_in_sentence_transformers(tiny_model: Path, tmp_path: Path) -> None:
    recipe = sentence.read(tiny_model, "truncate")
    arrays = TokenPrepare(recipe.tokens)(TEXTS)
    head = Head(32)
    with torch.no_grad():
        head.linear.weight += 0.3 * torch.randn(32, 32, generator=torch.manual_seed(1))
    tower = Frozen(sentence.load(recipe), head, "").whole()
    assert isinstance(tower, sentence.SentenceTower)
    sentence.write(tmp_path / "out", tower)
    ours = embed(tower, arrays)
    assert abs(ours - embed(sentence.load(recipe), arrays)).max() > 0.05
    assert_allclose(theirs(tmp_path / "out", TEXTS), ours, atol=1e-5)
    # What was written can be read again.
    again = sentence.load(sentence.read(tmp_path / "out", "truncate"))
    assert_allclose(embed(again, arrays), ours, atol=1e-5)


def test_what_is_not_known_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    modules = json.loads((folder / "modules.json").read_text())
    modules[2]["type"] = "sentence_transformers.models.Weird"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ConfigError, match="Weird"):
        sentence.read(folder, "truncate")
    (folder / "modules.json").unlink()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ConfigError, match="no tokenizer"):
        sentence.read(folder, "truncate")


@pytest.mark.slow
def test_minilm_encodes_as_sentence_transformers_does() -> None:
    folder = source.find(TrainSettings(backbone="all-MiniLM-L6-v2"), Path("/nowhere")).folder
    encoder = exported(folder)
    assert_allclose(encoder.encode(TEXTS), theirs(folder, TEXTS), atol=1e-4)


def test_additions_are_trained_and_stand_in_the_weights_of_what_is_exported(
    tiny_model: Path, tmp_path: Path
) -> None:
    said = [f"{word} {other} thing" for word in ("cat", "dog", "sun", "sea") for other in "abcde"]
    lines = ["of,text", *(f"{text.split()[0]},{text}" for text in said)]
    (tmp_path / "texts.csv").write_text("\n".join(lines))
    data = records.read(tmp_path / "texts.csv", kind="text", identity="of")
    who = data.identities
    splits = Splits(*(np.flatnonzero(np.isin(who, part)) for part in ((0, 1), (2, 3), ())))
    settings = TrainSettings(backbone=str(tiny_model), tune="lora", max_epochs=1)
    run = fit.train(data, splits, settings, tmp_path / "run")
    texts, encoder = data.payloads(), Encoder.open(run.encoder)
    assert b"lora" not in (run.encoder / "encoder.onnx").read_bytes()
    assert_allclose(theirs(run.folder / MODEL, texts), encoder.encode(texts), atol=1e-5)


def test_additions_start_at_nothing_and_are_all_that_learns(tiny_model: Path) -> None:
    recipe = sentence.read(tiny_model, "truncate")
    arrays, before = TokenPrepare(recipe.tokens)(TEXTS), sentence.load(recipe)
    tower = sentence.load(recipe)
    tower.transformer = lora.adapted(tower.transformer)
    assert_allclose(embed(tower, arrays), embed(before, arrays), atol=1e-6)
    learns = [name for name, p in tower.named_parameters() if p.requires_grad]
    assert learns and all("lora_" in name for name in learns)
    with torch.no_grad():
        for name, p in tower.named_parameters():
            if "lora_B" in name:
                p.normal_(0, 0.2, generator=torch.manual_seed(0))
    moved = embed(tower, arrays)
    assert abs(moved - embed(before, arrays)).max() > 1e-2
    whole = tower.whole()
    assert_allclose(embed(whole, arrays), moved, atol=1e-5)
    assert not any("lora_" in name for name, _ in whole.named_parameters())
