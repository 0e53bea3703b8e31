"""A backbone that stays as it is, with a layer behind it that learns on its embeddings.

The embeddings are made once and kept in a file beside the runs, named by the weights and by the
records, so that the layer trains in seconds, and the next run with other settings starts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gemel.arrays import Float32, digest
from gemel.encode.modality import Prepare
from gemel.files import write_whole
from gemel.train.arrays import Arrays, Views, embed
from gemel.train.backbones.source import Source
from gemel.train.export import Stretching

ROWS = "rows"
AT_ONCE = 512
"""Records that are prepared at once."""


class Head(nn.Module):
    """Rows of a backbone to unit rows, by a linear layer that starts as the identity.

    Args:
        dim: of the rows.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim, bias=False)
        nn.init.eye_(self.linear.weight)

    def forward(self, rows: Tensor) -> Tensor:
        """Unit rows, (b, dim) float32."""
        return F.normalize(self.linear(rows), dim=1)


class Backbone(Stretching):
    """A pretrained network: arrays to unit rows, by way of `head`, which is empty at first."""

    def __init__(self) -> None:
        super().__init__()
        self.head: nn.Module = nn.Identity()

    @property
    def axes(self) -> dict[str, tuple[int, ...]]:
        """None: what is prepared is of one shape."""
        return {}

    def whole(self) -> Backbone:
        """The network as it is exported: with what was learned in its place."""
        return self


def mean_of_windows(rows: Tensor, there: Tensor) -> Tensor:
    """Unit rows of records, (b, d), of those of their windows (b * w, d), which are there or not.

    Args:
        rows: of all windows, record by record.
        there: (b, w), not zero where a record has that window.
    """
    windows = rows.unflatten(0, there.shape) * there.to(rows.dtype)[..., None]
    return F.normalize(windows.sum(dim=1), dim=1)


def tuned(backbone: Backbone, dim: int, source: Source) -> nn.Module:
    """What learns of a backbone of rows of `dim` numbers, as `train.tune` has it.

    All of it, if there are low-rank additions these alone, or only a layer behind it, or nothing.
    """
    if source.tune in ("lora", "all"):
        return backbone
    return Frozen(backbone, Head(dim) if source.tune == "head" else None, source.digest)


def unvaried(prepare: Prepare) -> Views:
    """No views: what a backbone takes is not varied while it learns."""
    return lambda arrays, rng: arrays


class Frozen(nn.Module):
    """A backbone and what learns behind it; only the latter has gradients.

    Args:
        backbone: gives unit rows; its own head is empty.
        head: of those rows; None: they are the result.
        start: digest of the backbone's weights.
    """

    def __init__(self, backbone: Backbone, head: Head | None, start: str) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False).eval()
        self.learner: nn.Module = _AsItIs() if head is None else head
        self.start = start

    @property
    def head(self) -> Head | None:
        """What learns, if anything does."""
        return self.learner if isinstance(self.learner, Head) else None

    def whole(self) -> Backbone:
        """The backbone with the layer in its place, to be exported."""
        self.backbone.head = self.learner
        return self.backbone

    def embedded(
        self, prepare: Prepare, payloads: Sequence[Any], kept: Path | None, device: str = "cpu"
    ) -> Arrays:
        """The backbone's rows of records, out of files if they were made before.

        Args:
            prepare: of the backbone.
            payloads: n records; a few hundred at a time are prepared.
            kept: folder of such files; None: nothing is kept.
            device: that the backbone runs on.
        """
        self.backbone.to(device)
        parts = [
            self._rows(prepare(payloads[i : i + AT_ONCE]), kept, device)
            for i in range(0, len(payloads), AT_ONCE)
        ]
        self.backbone.cpu()
        return {ROWS: np.concatenate(parts)}

    def _rows(self, arrays: Arrays, kept: Path | None, device: str) -> Float32:
        if kept is None:
            return embed(self.backbone, arrays, device=device)
        content = [part for name in sorted(arrays) for part in _bytes(name, arrays)]
        path = kept / f"{digest(self.start.encode(), *content)[:32]}.npy"
        try:
            found: Float32 = np.load(path, allow_pickle=False)
        except (OSError, ValueError):
            found = embed(self.backbone, arrays, device=device)
            kept.mkdir(parents=True, exist_ok=True)
            write_whole(path, _npy(found))
        return found


class _AsItIs(nn.Module):
    """Rows as they are."""

    def forward(self, rows: Tensor) -> Tensor:
        return torch.as_tensor(rows)


def _bytes(name: str, arrays: Arrays) -> tuple[bytes, bytes]:
    a = np.ascontiguousarray(arrays[name])
    return f"{name} {a.dtype.str} {a.shape}".encode(), a.tobytes()


def _npy(rows: Float32) -> bytes:
    from io import BytesIO

    file = BytesIO()
    np.save(file, rows, allow_pickle=False)
    return file.getvalue()
