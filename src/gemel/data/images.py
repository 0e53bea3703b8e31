"""Folders of images: the first sub-folder is the identity, the path inside the folder is the id.

Every file is opened and decoded once, so that a broken or oversized image is reported here and not
in the middle of training. The bytes are read again when they are needed.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gemel.data.dataset import UNKNOWN, BadRecord, Dataset, ImageFile, codes
from gemel.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
MAX_PIXELS = 64_000_000
"""Images with more pixels are refused before they are decoded."""


def read_folder(folder: Path) -> Dataset:
    """Every image below a folder, refused ones reported; identity = first sub-folder.

    A folder without sub-folders gives images of unknown identity.

    Raises:
        DataError: the folder holds no image.
    """
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and not _hidden(p, folder)]
    images = [p for p in files if p.suffix.lower() in SUFFIXES]
    if not images:
        raise DataError("no images", where=str(folder), hint=f"known: {' '.join(SUFFIXES)}")
    nested = any(p.parent != folder for p in images)
    stray = {p for p in images if nested and p.parent == folder}
    lost = [
        BadRecord(str(p), None, None, "not in the sub-folder of an identity") for p in sorted(stray)
    ]
    named = [(p.relative_to(folder).as_posix(), p) for p in images if p not in stray]
    dataset = _checked(named, str(folder))
    names = [i.split("/")[0] if nested else None for i in dataset.ids.tolist()]
    code, identity_names = codes(names)
    return replace(
        dataset,
        identities=code,
        identity_names=identity_names,
        bad=(*lost, *dataset.bad),
        n_read=len(images),
        notes=_notes(folder, [p for p in files if p.suffix.lower() not in SUFFIXES]),
    )


def read_files(folder: Path, names: Sequence[str]) -> Dataset:
    """The images of these paths relative to a folder, refused ones reported; id = path as given."""
    return _checked([(n, folder / n) for n in names], str(folder))


def _checked(named: Sequence[tuple[str, Path]], source: str) -> Dataset:
    """A dataset of those images that can be decoded; identities unknown."""
    fine: list[tuple[str, ImageFile]] = []
    bad: list[BadRecord] = []
    for name, path in named:
        sha256, reason = check(path)
        if reason:
            bad.append(BadRecord(str(path), None, None, reason))
        else:
            fine.append((name, ImageFile(path, sha256)))
    return Dataset(
        modality="image",
        fields=(),
        ids=np.array([name for name, _ in fine], dtype=np.str_),
        identities=np.full(len(fine), UNKNOWN, dtype=np.int64),
        identity_names=(),
        bad=tuple(bad),
        source=source,
        n_read=len(named),
        files=tuple(file for _, file in fine),
    )


def check(path: Path) -> tuple[str, str]:
    """SHA-256 of the file, and why it is no usable image (empty if it is)."""
    try:
        data = path.read_bytes()
    except OSError as e:
        return "", f"cannot read the file: {e.strerror}"
    return hashlib.sha256(data).hexdigest(), fault(data)


def fault(data: bytes) -> str:
    """Why the bytes are no usable image: broken, unknown or too large; empty if they are."""
    from PIL import Image, UnidentifiedImageError

    if not data:
        return "the file is empty"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    return f"{width} x {height} pixels, at most {MAX_PIXELS:,} are read"
                image.draft("RGB", (64, 64))
                image.load()
    except UnidentifiedImageError:
        return "not an image"
    except Image.DecompressionBombError:
        return f"more than {MAX_PIXELS:,} pixels"
    except (OSError, ValueError, SyntaxError, IndexError, KeyError, EOFError, OverflowError) as e:
        # Pillow's decoders raise all of these on damaged files.
        return f"broken image: {e}"
    return ""


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _notes(folder: Path, others: Sequence[Path]) -> tuple[str, ...]:
    if not others:
        return ()
    names = ", ".join(p.relative_to(folder).as_posix() for p in others[:3])
    more = f" and {len(others) - 3:,} more" if len(others) > 3 else ""
    return (f"not read, no image by its name: {names}{more}",)
