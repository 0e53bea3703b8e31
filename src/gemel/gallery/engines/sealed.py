"""One file that is either whole or refused: a header, some blocks, and a digest over both.

Written as a whole, because the save functions of index libraries truncate their target in place:
a kill at the wrong moment then leaves nothing readable.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gemel.errors import GalleryError
from gemel.files import whole

MAGIC = b"gemelix1"
DIGEST_BYTES = 32

Block = NDArray[Any]


def write(path: Path, header: dict[str, Any], blocks: Sequence[Block]) -> None:
    """Write the file so that its name shows either the old content or the new one.

    Args:
        path: target; its folder exists.
        header: JSON values.
        blocks: arrays, read back as flat arrays of the same dtype.
    """
    described = [(block.dtype.str, block.size) for block in blocks]
    head = msgspec.json.encode({"header": header, "blocks": described})
    sha = hashlib.sha256()
    with whole(path) as file:
        parts: list[bytes | memoryview] = [MAGIC, struct.pack(">Q", len(head)), head]
        parts += map(_raw, blocks)
        for part in parts:
            sha.update(part)
            file.write(part)
        file.write(sha.digest())


def read(path: Path) -> tuple[dict[str, Any], list[Block]]:
    """The header and the blocks of a file that `write` made.

    Raises:
        GalleryError: the file is missing, truncated or changed.
    """
    try:
        data = path.read_bytes()
    except OSError as e:
        raise GalleryError(f"cannot read the index: {e.strerror}", where=str(path)) from e
    view = memoryview(data)
    if len(data) < len(MAGIC) + 8 + DIGEST_BYTES or data[: len(MAGIC)] != MAGIC:
        raise GalleryError("this is not an index file, or a truncated one", where=str(path))
    if hashlib.sha256(view[:-DIGEST_BYTES]).digest() != data[-DIGEST_BYTES:]:
        raise GalleryError("the index file is truncated or was changed", where=str(path))
    start = len(MAGIC) + 8
    (length,) = struct.unpack(">Q", data[len(MAGIC) : start])
    described = msgspec.json.decode(data[start : start + length])
    blocks, offset = [], start + length
    for dtype, size in described["blocks"]:
        blocks.append(np.frombuffer(data, dtype, size, offset))
        offset += blocks[-1].nbytes
    return described["header"], blocks


def seal(path: Path) -> str:
    """The digest at the end of a file, as hex; it names the content.

    Raises:
        GalleryError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            file.seek(-DIGEST_BYTES, os.SEEK_END)
            return file.read().hex()
    except OSError as e:
        raise GalleryError(f"cannot read the index: {e.strerror}", where=str(path)) from e


def _raw(block: Block) -> memoryview:
    return np.ascontiguousarray(block).reshape(-1).view(np.uint8).data
