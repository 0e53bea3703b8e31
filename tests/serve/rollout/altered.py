"""Releases of the kept project whose encoder was changed after they were measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from gemel.encode import modality
from gemel.encode.encoder import Encoder
from gemel.release import folder as folders
from gemel.release import probes
from gemel.release.release import Head, Release, seal
from gemel.release.run import ENCODER


def altered(release: Release, into: Path, noise: float) -> Release:
    """A release like another one, with noise in its weights and the same evidence.

    Args:
        release: that is copied.
        into: folder to become.
        noise: as a part of the spread of each layer's weights.
    """
    with folders.draft(into) as draft:
        folders.copy_files(release.folder, draft, list(release.manifest.files))
        network = draft / ENCODER / "encoder.onnx"
        model = onnx.load(network)
        rng = np.random.default_rng(0)
        for tensor in model.graph.initializer:
            weights = numpy_helper.to_array(tensor)
            if weights.dtype == np.float32 and weights.size > 1:
                moved = weights + noise * weights.std() * rng.standard_normal(weights.shape)
                tensor.CopyFrom(numpy_helper.from_array(moved.astype(np.float32), tensor.name))
        network.unlink()
        network.write_bytes(model.SerializeToString())
        encoder = Encoder.open(draft / ENCODER)
        payloads, _ = release.probe_payloads()
        for file in (probes.PAYLOADS, probes.EMBEDDINGS):
            (draft / file).unlink()
        kind = modality.named(release.modality)
        probes.write(draft, kind, payloads, encoder.encode(payloads))
        head = Head(space_id=encoder.space_id, modality=release.modality, name=f"noise {noise}")
        return seal(draft, into, head)
