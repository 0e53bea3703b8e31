"""An encoder as one ONNX file that takes what a device has: pixels or sound, not prepared arrays.

Everything behind decoding becomes part of the graph, so that nothing of the preprocessing is
written a second time for a phone or a browser. Rows and texts are prepared by rules that ONNX has
no operators for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import compose, helper, numpy_helper, parser

from gemel.encode import modality
from gemel.encode.audio.prepare import AudioPrepare
from gemel.encode.audio.waves import WavePrepare
from gemel.encode.audio.windows import WindowPrepare
from gemel.encode.encoder import NETWORK, OUTPUT
from gemel.encode.image.prepare import ImagePrepare
from gemel.encode.modality import Prepare
from gemel.errors import ReleaseError
from gemel.release.run import ENCODER
from gemel.train.device import pixels, sound
from gemel.train.device.graph import Graph

FORMS: dict[type, Callable[[Any], Graph]] = {
    ImagePrepare: pixels.graph,
    AudioPrepare: sound.levels,
    WindowPrepare: sound.speech,
    WavePrepare: sound.waves,
}
"""What each preprocessing is in ONNX."""


@dataclass(frozen=True)
class OneFile:
    """An encoder for devices.

    Attributes:
        model: in ONNX.
        takes: the input, for people.
    """

    model: bytes
    takes: str


def one_file(prepare: Prepare, network: bytes) -> OneFile:
    """An encoder with its preprocessing, as an ONNX model.

    It gives `unit_rows`, (1, d) float32: what the encoder makes of a file of these pixels or of
    this sound, to 1e-4. `pixels` are (height, width, 3) uint8 in RGB, upright and without
    transparency; `sound` is (samples,) float32 of one channel, at the rate that is said.

    Args:
        prepare: the preprocessing.
        network: an ONNX model of what it prepares.
    Raises:
        ReleaseError: the preprocessing has no form in ONNX.
    """
    form = FORMS.get(type(prepare))
    if form is None:
        several = modality.named(prepare.modality).nouns[1]
        raise ReleaseError(
            f"the preprocessing of {several} has no form in ONNX, only those of images and of "
            "recordings have",
            hint=f"on a device, run {ENCODER}/{NETWORK} of the release with gemel's encoder, or "
            "ask a service",
        )
    behind, graph = onnx.load_from_string(network), form(prepare)
    pairs = [(array, array) for array in graph.gives]
    model = compose.merge_models(in_front(graph, behind), behind, io_map=pairs, outputs=[OUTPUT])
    onnx.checker.check_model(model)
    return OneFile(model.SerializeToString(deterministic=True), graph.takes)


def in_front(graph: Graph, network: Any) -> Any:
    """The preprocessing as a model that a network can be put behind."""
    parsed = parser.parse_graph(graph.text)
    parsed.initializer.extend(numpy_helper.from_array(a, name) for name, a in graph.arrays.items())
    said = {"opset_imports": network.opset_import, "ir_version": network.ir_version}
    model = helper.make_model(parsed, **said)
    return compose.add_prefix(model, "prepare.", rename_inputs=False, rename_outputs=False)
