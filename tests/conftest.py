"""Comparisons whose numbers are known; ids that are; packages that are installed for one test."""

import json
import os
import random
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from gemel.calibrate.scores.scores import Scores, labelled

TOY_GENUINE = [3, 2, 1.5, 0.2]
TOY_IMPOSTOR = [1, 0.5, 0.2, -0.5, -1, -2]


@pytest.fixture
def toy() -> Scores:
    """Four genuine and six impostor comparisons, with one tie between the classes."""
    return labelled(np.array(TOY_GENUINE + TOY_IMPOSTOR), np.array([True] * 4 + [False] * 6))


@pytest.fixture
def seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids are drawn with a seed: they decide who is asked, and whom a rollout tries."""
    rng = random.Random(0)
    monkeypatch.setattr(os, "urandom", rng.randbytes)
    monkeypatch.setattr(secrets, "token_hex", lambda n=32: rng.randbytes(n).hex())


@pytest.fixture
def install(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Path]]:
    """Puts a package with entry points where Python finds it, as pip does, for one test.

    Called with the name of its module, its source, the group, and an attribute for each name.
    """
    added: list[str] = []

    def put(module: str, source: str, group: str, **points: str) -> Path:
        site = tmp_path_factory.mktemp("site")
        info = site / f"{module}-1.dist-info"
        info.mkdir()
        (site / f"{module}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
        lines = [f"{name.replace('_', '-')} = {module}:{at}" for name, at in points.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
        monkeypatch.syspath_prepend(site)
        added.append(module)
        return site

    yield put
    for module in added:
        sys.modules.pop(module, None)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sentence-transformers with random weights, for texts of up to 16 tokens."""
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, logging

    logging.disable_progress_bar()
    folder = tmp_path_factory.mktemp("model")
    letters = "abcdefghijklmnopqrstuvwxyz"
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    # Not trained: a trainer breaks ties by chance, and its words differ from run to run.
    pairs = [f"{a}{b}" for a in letters for b in letters][::10]
    known = [*special, *letters, *(f"##{a}" for a in letters), *pairs]
    words = Tokenizer(models.WordPiece({k: i for i, k in enumerate(known)}, unk_token="[UNK]"))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=ends
    )
    words.save(str(folder / "tokenizer.json"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=words.get_vocab_size(),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=16,
            initializer_range=0.3,
        )
        BertModel(config).save_pretrained(folder)
    names = {"tokenizer_class": "BertTokenizer", "model_max_length": 16, "pad_token": "[PAD]"}
    names |= {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds.items())
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 16}')
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (folder / "2_Normalize").mkdir()
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Tiny\n")
    return folder
