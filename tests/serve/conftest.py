from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import grpc_tools
import httpx
import pytest
from grpc_tools import protoc
from tests.serve import small

from gemel.gallery.gallery import Gallery
from gemel.ledger.ledger import Ledger
from gemel.release.release import Release
from gemel.serve.grpc import native
from gemel.serve.http.app import create_app
from gemel.serve.http.server import running
from gemel.serve.service import Service


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small.release(tmp_path_factory.mktemp("release") / "small", review=0.1)


@pytest.fixture
def gallery(release: Release, tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "gallery", space_id=release.space_id, dim=small.DIM) as gallery:
        yield gallery


@pytest.fixture
def ledger(tmp_path: Path, seeded: None) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as ledger:
        yield ledger


@pytest.fixture
def service(release: Release, gallery: Gallery, ledger: Ledger) -> Service:
    return Service(release, gallery, ledger)


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with running(create_app(service)) as url, httpx.Client(base_url=url, timeout=10) as client:
        yield client


@pytest.fixture(scope="session")
def shared_client(
    release: Release, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """For requests that change nothing."""
    folder = tmp_path_factory.mktemp("shared")
    with (
        Gallery.open(folder, space_id=release.space_id, dim=small.DIM) as gallery,
        running(create_app(Service(release, gallery))) as url,
        httpx.Client(base_url=url, timeout=10) as client,
    ):
        yield client


@contextmanager
def compiled(file: Path, into: Path) -> Iterator[tuple[ModuleType, ModuleType]]:
    """Messages and stubs that protoc makes of a file, as a user's program has them."""
    known = Path(grpc_tools.__file__).parent / "_proto"
    words = [f"-I{file.parent}", f"-I{known}", f"--python_out={into}", f"--grpc_python_out={into}"]
    assert protoc.main(["", *words, file.name]) == 0
    sys.path.insert(0, str(into))
    try:
        messages, stubs = (
            importlib.import_module(f"{file.stem}_pb2{end}") for end in ("", "_grpc")
        )
        yield messages, stubs
    finally:
        sys.path.remove(str(into))


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ModuleType, ModuleType]]:
    with compiled(native.PROTO, tmp_path_factory.mktemp("stubs")) as made:
        yield made
