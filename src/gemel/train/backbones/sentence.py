"""Folders of sentence-transformers: a transformer, pooling, dense layers, unit rows; both ways.

What such a folder says is read here, not run: no code of a folder is executed, and no package but
`transformers` is needed. A module that is not known is refused, for a release must not encode
otherwise than the model did.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gemel.arrays import canonical_json
from gemel.encode.ragged import THERE
from gemel.encode.text.tokens import TOKENS, Tokens
from gemel.errors import ConfigError
from gemel.files import write_whole
from gemel.settings import LongTexts
from gemel.train.backbones import lora
from gemel.train.backbones.frozen import Backbone, Head, mean_of_windows
from gemel.train.backbones.library import opening, transformers

MODULES = "modules.json"
POOLINGS = {
    "mean": "pooling_mode_mean_tokens",
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
ACTIVATIONS = {"Identity": nn.Identity, "Tanh": nn.Tanh}
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "sentencepiece.bpe.model")
OF_TOKENIZER = (*VOCABULARIES, "tokenizer_config.json", "special_tokens_map.json", "merges.txt")
LONGEST = 512
"""Tokens of a text where a folder does not say."""


@dataclass(frozen=True)
class Recipe:
    """What a folder says, before any weight is read.

    Args:
        transformer: folder of the transformer itself.
        pooling: one of `POOLINGS`.
        dense: folders of dense layers, in order.
        tokens: how a text becomes tokens.
    """

    transformer: Path
    pooling: str
    dense: tuple[Path, ...]
    tokens: Tokens


class SentenceTower(Backbone):
    """`token` and `there`, (b, t) or (b, w, t), to unit rows: of the mean of their windows.

    Args:
        transformer: of the library `transformers`.
        recipe: pooling and dense layers.
    """

    transformer: Any

    def __init__(self, transformer: Any, recipe: Recipe) -> None:
        super().__init__()
        self.transformer = transformer
        self.recipe = recipe
        self.dense = nn.Sequential(*(part for at in recipe.dense for part in _dense(at)))

    @property
    def axes(self) -> dict[str, tuple[int, ...]]:
        """Axes whose length differs from call to call, besides the first."""
        stretch = (1, 2) if self.recipe.tokens.long_texts == "windows" else (1,)
        return {TOKENS: stretch, THERE: stretch}

    @property
    def dim(self) -> int:
        """Length of the rows."""
        layers = [m for m in self.dense if isinstance(m, nn.Linear)]
        return layers[-1].out_features if layers else int(self.transformer.config.hidden_size)

    def whole(self) -> SentenceTower:
        """The network with what was added to its layers added in."""
        self.transformer = lora.merged(self.transformer)
        return self

    def forward(self, token: Tensor, there: Tensor) -> Tensor:
        """Unit rows, (b, d) float32."""
        windowed = token.ndim == 3
        if not torch.compiler.is_exporting():
            width = int(there.sum(dim=-1).max())
            token, there = token[..., :width], there[..., :width]
        ids, mask = (a.flatten(0, -2).to(torch.int64) for a in (token, there))
        # A window that is not there has one token, so that nothing is divided by zero.
        mask = torch.cat([torch.ones_like(mask[:, :1]), mask[:, 1:]], dim=1)
        hidden = self.transformer(input_ids=ids, attention_mask=mask).last_hidden_state
        rows = F.normalize(self.dense(_pooled(hidden, mask, self.recipe.pooling)), dim=1)
        if windowed:
            rows = mean_of_windows(rows, there[:, :, 0])
        out: Tensor = self.head(rows)
        return out


def _pooled(hidden: Tensor, mask: Tensor, how: str) -> Tensor:
    """One row of each text, (b, d), of its tokens (b, t, d)."""
    if how == "cls":
        return hidden[:, 0]
    if how == "lasttoken":
        last = mask.sum(dim=1) - 1
        return torch.gather(hidden, 1, last[:, None, None].expand(-1, 1, hidden.shape[2]))[:, 0]
    weight = mask[..., None].to(hidden.dtype)
    if how == "max":
        return (hidden + (weight - 1) * 1e9).amax(dim=1)
    return (hidden * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1e-9)


def _dense(folder: Path) -> tuple[nn.Module, nn.Module]:
    said = _json(folder / "config.json")
    layer = nn.Linear(said["in_features"], said["out_features"], bias=said.get("bias", True))
    weights = load_file(folder / "model.safetensors")
    layer.load_state_dict({k.removeprefix("linear."): v for k, v in weights.items()})
    name = str(said.get("activation_function", "Identity")).rpartition(".")[2]
    if name not in ACTIVATIONS:
        raise ConfigError(
            f"a dense layer with {name}", where=str(folder), hint=f"known: {', '.join(ACTIVATIONS)}"
        )
    return layer, ACTIVATIONS[name]()


def read(folder: Path, long_texts: LongTexts) -> Recipe:
    """What a folder of sentence-transformers, or of a plain transformer, says.

    Args:
        folder: with `modules.json`; without, the mean of the tokens is the row of a text.
        long_texts: what becomes of texts that are too long.
    Raises:
        ConfigError: something in it is missing or not known.
    """
    modules = _json(folder / MODULES) if (folder / MODULES).is_file() else []
    transformer, pooling, dense = folder, "mean", []
    for module in modules:
        kind, at = str(module["type"]).rpartition(".")[2], folder / module["path"]
        if kind == "Transformer":
            transformer = at
        elif kind == "Pooling":
            pooling = _pooling(at)
        elif kind == "Dense":
            dense.append(at)
        elif kind != "Normalize":
            raise ConfigError(
                f"a module {kind} is not known",
                where=str(folder / MODULES),
                hint="known: Transformer, Pooling, Dense, Normalize",
            )
    tokens = _tokens(transformer, _json_or_none(folder / "config_sentence_transformers.json"))
    tokens = msgspec.structs.replace(tokens, long_texts=long_texts)
    return Recipe(transformer, pooling, tuple(dense), tokens)


def _pooling(folder: Path) -> str:
    said = _json(folder / "config.json")
    named = said.get("pooling_mode")
    found = [named] if named else [n for n, key in POOLINGS.items() if said.get(key)]
    others = [k for k, v in said.items() if k.startswith("pooling_mode_") and v is True]
    if len(found) != 1 or found[0] not in POOLINGS or len(others) > 1:
        raise ConfigError(
            f"the pooling {named or ', '.join(others) or 'none'} is not known",
            where=str(folder / "config.json"),
            hint=f"one of: {', '.join(POOLINGS)}",
        )
    return str(found[0])


def _tokens(folder: Path, said: dict[str, Any]) -> Tokens:
    """How texts become tokens: as `transformers` reads the files beside the transformer.

    Its classes set more than `tokenizer.json` says, such as whether accents are taken off.
    """
    if not any((folder / name).is_file() for name in VOCABULARIES):
        raise ConfigError(
            f"no tokenizer: none of {', '.join(VOCABULARIES)}",
            where=str(folder),
            hint="save the tokenizer of the model there: tokenizer.save_pretrained(FOLDER)",
        )
    with opening():
        tokenizer = transformers().AutoTokenizer.from_pretrained(folder, local_files_only=True)
        backend = tokenizer.backend_tokenizer.to_str()
    config, old = _json(folder / "config.json"), _json_or_none(folder / "sentence_bert_config.json")
    places = config.get("max_position_embeddings")
    lengths = [n for n in (tokenizer.model_max_length, places) if isinstance(n, int)]
    prompt = said.get("prompts", {}).get(said.get("default_prompt_name") or "", "")
    return Tokens(
        tokenizer=backend,
        max_length=old.get("max_seq_length") or min([*lengths, LONGEST]),
        pad=config.get("pad_token_id") or 0,
        lower=bool(old.get("do_lower_case", False)),
        prefix=prompt,
    )


def load(recipe: Recipe) -> SentenceTower:
    """The network of a recipe, with its weights.

    Raises:
        ConfigError: `transformers` is not installed, or does not open it.
    """
    with opening():
        network = transformers().AutoModel.from_pretrained(
            recipe.transformer, attn_implementation="eager", local_files_only=True
        )
    return SentenceTower(network.float().eval(), recipe)


def write(folder: Path, tower: SentenceTower) -> None:
    """Write a tower as a folder that sentence-transformers opens.

    Args:
        folder: is made, and filled.
        tower: as trained, with what it has learned in its head.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tower.transformer.save_pretrained(folder)
    recipe = tower.recipe
    for name in OF_TOKENIZER:
        if (recipe.transformer / name).is_file():
            shutil.copyfile(recipe.transformer / name, folder / name)
    modules = ["Transformer", "Pooling"]
    layers = [m for m in tower.dense if isinstance(m, nn.Linear)]
    activations = [m for m in tower.dense if not isinstance(m, nn.Linear)]
    if isinstance(tower.head, Head):
        # It has no bias: before the rows are brought to length one it does the same.
        layers, activations = [*layers, tower.head.linear], [*activations, nn.Identity()]
    modules += ["Dense"] * len(layers) + ["Normalize"]
    places = ["" if i == 0 else f"{i}_{name}" for i, name in enumerate(modules)]
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
        for i, (path, name) in enumerate(zip(places, modules, strict=True))
    ]
    write_whole(folder / MODULES, canonical_json(listed))
    tokens = recipe.tokens
    lengths = {"max_seq_length": tokens.max_length, "do_lower_case": tokens.lower}
    write_whole(folder / "sentence_bert_config.json", canonical_json(lengths))
    prompts = {"prompts": {"": tokens.prefix}, "default_prompt_name": "" if tokens.prefix else None}
    write_whole(folder / "config_sentence_transformers.json", canonical_json(prompts))
    pooling = {"word_embedding_dimension": int(tower.transformer.config.hidden_size)}
    pooling |= {key: name == recipe.pooling for name, key in POOLINGS.items()}
    _write_config(folder / places[1], pooling)
    for path, layer, activation in zip(places[2:-1], layers, activations, strict=True):
        kind = type(activation)
        _write_config(
            folder / path,
            {
                "in_features": layer.in_features,
                "out_features": layer.out_features,
                "bias": layer.bias is not None,
                "activation_function": f"{kind.__module__}.{kind.__name__}",
            },
        )
        weights = {f"linear.{k}": v.contiguous() for k, v in layer.state_dict().items()}
        save_file(weights, folder / path / "model.safetensors")
    (folder / places[-1]).mkdir(exist_ok=True)


def _write_config(folder: Path, said: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    write_whole(folder / "config.json", canonical_json(said))


def _json_or_none(path: Path) -> dict[str, Any]:
    return _json(path) if path.is_file() else {}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as e:
        raise ConfigError(f"unreadable: {e}", where=str(path)) from e
