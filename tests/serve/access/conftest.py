"""An identity provider whose keys a service reads."""

from collections.abc import Iterator

import pytest
from tests.serve.access.provider import Provider


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()
