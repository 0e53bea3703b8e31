from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.serve import small

from gemel.gallery.gallery import Gallery
from gemel.ledger.ledger import Ledger
from gemel.release.release import Release
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
def ledger(tmp_path: Path) -> Iterator[Ledger]:
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
