"""The folder that a release is: what its manifest lists, byte for byte, and nothing else.

A folder comes into being whole or not at all: it is filled under a temporary name beside its final
one, hashed, flushed to disk, and renamed. After that nothing in it ever changes. This module knows
files and digests, not what the files mean.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from gemel.arrays import canonical_json, digest
from gemel.encode.comparators import FILE as COMPARATOR
from gemel.errors import DigestMismatch, NotFound, ReleaseError
from gemel.files import publish_folder

MANIFEST = "manifest.json"
FORMAT = 1
DRAFT_PREFIX = ".draft-"


class Tolerance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a golden probe may move before the encoder counts as another one.

    Attributes:
        max_abs: largest difference of one coordinate.
        min_cosine: smallest cosine with the stored embedding.
    """

    max_abs: float = 1e-4
    min_cosine: float = 0.9999


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a release is, and the SHA-256 of each of its files.

    Attributes:
        format: version of this layout; another one is refused.
        id: `release_id`, the digest of all other keys in canonical JSON.
        space_id: which embeddings are comparable with those of this release.
        parent: release that this one was derived from in the same space, or None.
        created: when, ISO 8601 in UTC.
        modality: name of what a payload is.
        name: for people; need not be unique.
        licence: terms of the data and of pretrained weights that went into it, or empty.
        gemel: version that built it.
        tolerance: of the golden probes.
        files: path inside the folder (`/` between parts) to SHA-256, 64 hex digits.
        unproven: nothing of it was measured, since there were no labels; written where it is so.
    """

    format: int
    id: str
    space_id: str
    parent: str | None
    created: str
    modality: str
    name: str
    licence: str
    gemel: str
    tolerance: Tolerance
    files: dict[str, str]
    unproven: bool = False

    @property
    def scale_id(self) -> str:
        """Digest of space and comparator: scores, and thresholds, are comparable where it is equal.

        Categories of a policy may level the scores on top of it.
        """
        stem = COMPARATOR.partition(".")[0]
        files = {name: sha for name, sha in self.files.items() if name.startswith(stem)}
        return digest(canonical_json({"space_id": self.space_id, "files": files}))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder, after checking that not one byte of it was changed.

    Raises:
        NotFound: there is no manifest.
        DigestMismatch: the manifest is not the one that was written.
        ReleaseError: it is of a format that this version does not know.
    """
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
    except OSError as e:
        raise NotFound(
            "no release here", where=str(folder), hint=f"a release is a folder with a {MANIFEST}"
        ) from e
    try:
        body = json.loads(text)
        stated = body["id"]
        same = manifest_id(body) == stated and _manifest_text(body) == text
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise DigestMismatch(f"not a manifest: {e}", where=str(path), hint=_DAMAGED) from e
    if not same:
        raise DigestMismatch(
            f"the manifest does not match its own id {str(stated)[:12]}",
            where=str(path),
            hint=_DAMAGED,
        )
    if body.get("format") != FORMAT:
        raise ReleaseError(
            f"release format {body.get('format')!r} is not known, this version reads {FORMAT}",
            where=str(path),
            hint="open it with the version of gemel named in the manifest, or a newer one",
        )
    try:
        return msgspec.convert(body, Manifest)
    except msgspec.ValidationError as e:
        raise ReleaseError(f"not a manifest: {e}", where=str(path)) from e


def manifest_id(body: Mapping[str, Any]) -> str:
    """The `release_id`: digest of a manifest without its own `id`, as 64 hex digits."""
    return digest(canonical_json({k: v for k, v in body.items() if k != "id"}))


def verify(folder: Path, manifest: Manifest) -> None:
    """Check every file of the folder against the manifest.

    Raises:
        DigestMismatch: a file is missing, changed, not a plain file, or not in the manifest. The
            file is named in `where`.
    """
    found = plain_files(folder)
    for name in sorted(set(manifest.files) - found):
        raise DigestMismatch("file is missing", where=str(folder / name), hint=_DAMAGED)
    for name in sorted(found - set(manifest.files) - {MANIFEST}):
        raise DigestMismatch(
            "file is not in the manifest", where=str(folder / name), hint="move it elsewhere"
        )
    for name, expected in sorted(manifest.files.items()):
        actual = sha256(folder / name)
        if actual != expected:
            raise DigestMismatch(
                f"content has digest {actual[:12]}, the manifest says {expected[:12]}",
                where=str(folder / name),
                hint=_DAMAGED,
            )


def read_checked(folder: Path, manifest: Manifest, name: str) -> bytes:
    """The bytes of one file of a release.

    Raises:
        NotFound: the release has no such file.
        DigestMismatch: the bytes are not those that the manifest names.
    """
    path = folder / name
    if name not in manifest.files:
        raise NotFound(f"this release has no {name}", where=str(folder))
    try:
        data = path.read_bytes()
    except OSError as e:
        raise DigestMismatch(f"cannot be read: {e.strerror}", where=str(path)) from e
    if hashlib.sha256(data).hexdigest() != manifest.files[name]:
        raise DigestMismatch("content changed", where=str(path), hint=_DAMAGED)
    return data


@contextmanager
def draft(into: Path) -> Iterator[Path]:
    """A fresh folder beside `into`, removed at the end if `publish` did not move it.

    Raises:
        ReleaseError: `into` exists already.
    """
    if into.exists():
        raise ReleaseError(
            "exists already, and a release is never overwritten",
            where=str(into),
            hint="choose another folder",
        )
    into.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{DRAFT_PREFIX}{into.name[:12]}-", dir=into.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def seal(folder: Path, head: Mapping[str, Any]) -> Manifest:
    """Hash every file of a draft and write its manifest.

    Args:
        folder: a draft with all files in place.
        head: every key of `Manifest` but `format`, `id` and `files`.
    """
    files = {name: sha256(folder / name) for name in sorted(plain_files(folder))}
    body: dict[str, Any] = {"format": FORMAT, **msgspec.to_builtins(dict(head)), "files": files}
    body["id"] = manifest_id(body)
    manifest = msgspec.convert(body, Manifest)
    (folder / MANIFEST).write_bytes(_manifest_text(body))
    return manifest


def publish(folder: Path, into: Path) -> None:
    """Flush a sealed draft to disk and give it its final name, in one step.

    Raises:
        ReleaseError: `into` came into being meanwhile.
    """
    for name in plain_files(folder):
        (folder / name).chmod(0o444)
    folder.chmod(0o755)
    try:
        publish_folder(folder, into)
    except OSError as e:
        raise ReleaseError(f"cannot be put in place: {e.strerror}", where=str(into)) from e


def copy_files(source: Path, target: Path, names: list[str]) -> None:
    """Bring files of a release into a draft: hard links where possible, else copies."""
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source / name, target / name)
        except OSError:
            shutil.copyfile(source / name, target / name)


def plain_files(folder: Path) -> set[str]:
    """Every file below a folder, by its path with `/` between parts.

    Raises:
        DigestMismatch: something there is neither a plain file nor a folder.
    """
    names = set()
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise DigestMismatch("not a plain file", where=str(path), hint="replace it by a copy")
        if path.is_file():
            names.add(path.relative_to(folder).as_posix())
    return names


def sha256(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits, read in pieces.

    Raises:
        DigestMismatch: the file cannot be read.
    """
    try:
        with path.open("rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()
    except OSError as e:
        raise DigestMismatch(f"cannot be read: {e.strerror}", where=str(path)) from e


_DAMAGED = "the release is damaged or was edited; fetch it again or build it anew"


def _manifest_text(body: Mapping[str, Any]) -> bytes:
    return (json.dumps(body, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()
