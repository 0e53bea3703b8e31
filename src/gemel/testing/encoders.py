"""What an encoder has to hold to be served."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.errors import InvalidInput
from gemel.testing.must import must

if TYPE_CHECKING:
    from gemel.encode.encoder import Encoder
    from gemel.encode.modality import Payload

BATCH_TOLERANCE = 1e-5


def check_encoder(encoder: Encoder, payloads: Sequence[Payload], bad: Sequence[Any] = ()) -> None:
    """Raise AssertionError unless this behaves as an encoder.

    Embeddings are unit rows, the same whatever else is in the batch and in every run; nothing in
    gives nothing out; what cannot be encoded is refused as InvalidInput.

    Args:
        encoder: to be checked.
        payloads: at least two that it can encode.
        bad: some that it must refuse.
    """
    rows = encoder.encode(payloads)
    must(rows.dtype == np.float32, f"embeddings are {rows.dtype}, not float32")
    must(rows.shape == (len(payloads), encoder.dim), f"embeddings have shape {rows.shape}")
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    must(bool((abs(length - 1) < 1e-4).all()), "embeddings are not unit rows")
    must(np.array_equal(rows, encoder.encode(payloads)), "a second run gives other embeddings")
    for size in (1, 3):
        apart = abs(rows - encoder.encode(payloads, batch=size)).max()
        must(apart < BATCH_TOLERANCE, f"batches of {size} change embeddings by {apart:.1e}")
    turned = encoder.encode(payloads[::-1])[::-1]
    must(abs(rows - turned).max() < BATCH_TOLERANCE, "embeddings depend on their neighbours")
    must(encoder.encode([]).shape == (0, encoder.dim), "nothing in must give nothing out")
    for payload in bad:
        try:
            encoder.prepare.check(payload)
        except InvalidInput as e:
            must(bool(e.where), f"the refusal of {payload!r:.60} does not say where")
        else:
            raise AssertionError(f"{payload!r:.60} was not refused")
