"""HTTPS, with a certificate of the service and, where wanted, one of the client."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gemel.client import AsyncClient, Client
from gemel.errors import ConfigError, ServiceUnreachable
from gemel.release.release import Release
from gemel.serve.access import tls
from gemel.settings import ServeSettings

SCRIPT = """
import sys
from gemel.settings import ServeSettings
from gemel.release.release import Release
from gemel.serve.http.app import create_app
from gemel.serve.http.server import run
from gemel.serve.service import Service

folder, cert, key, clients = sys.argv[1:]
settings = ServeSettings(port=0, tls_cert=cert, tls_key=key, tls_clients=clients)
app = create_app(Service(Release.open(folder)), settings)
run(app, settings, on_ready=lambda url: print(url, flush=True))
"""


def signed(folder: Path, *, until: timedelta = timedelta(days=1)) -> tuple[Path, Path]:
    """A certificate of this machine that is its own authority, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gemel test")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + until)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return signed(tmp_path_factory.mktemp("pem"))


@contextmanager
def serving(release: Release, *files: Path | str) -> Iterator[str]:
    words = [str(release.folder), *map(str, files)]
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *words], stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None
            yield child.stdout.readline().strip()
        finally:
            child.kill()


def trusting(cert: Path, *own: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(cert))
    if own:
        context.load_cert_chain(*own)
    return context


def test_our_client_trusts_the_authority_and_shows_the_certificate_it_is_given(
    release: Release, pem: tuple[Path, Path], tmp_path: Path
) -> None:
    """As `serve.tls_clients` asks of callers, by files alone."""

    async def ready(url: str) -> str:
        async with AsyncClient(url, ca=pem[0], cert=pem[0], cert_key=pem[1]) as service:
            return (await service.ready()).status

    with serving(release, *pem, pem[0]) as url:
        with Client(url, ca=pem[0], cert=str(pem[0]), cert_key=str(pem[1])) as service:
            assert service.ready().status == "ready"
        assert asyncio.run(ready(url)) == "ready"
        for shown in ({}, {"ca": pem[0]}):  # of an unknown authority; without a certificate
            with Client(url, **shown) as service, pytest.raises(ServiceUnreachable) as caught:
                service.ready()
            assert ("ca=" in str(caught.value.hint)) is (not shown), caught.value.hint
        own, _ = signed(tmp_path)
        by_name = url.replace("127.0.0.1", "localhost")
        for asked, ca, says in (
            (url, own, f"signed by no authority of {own}"),
            (by_name, pem[0], "a name or an address that its certificate is for"),
        ):
            with Client(asked, ca=ca) as service, pytest.raises(ServiceUnreachable) as caught:
                service.ready()
            assert says in caught.value.hint and "ca=" not in caught.value.hint
    old = signed(tmp_path, until=timedelta(days=-1))
    with serving(release, *old, "") as url, Client(url, ca=old[0]) as service:
        with pytest.raises(ServiceUnreachable, match="expired") as caught:
            service.ready()
        assert "needs a new certificate" in caught.value.hint
    (other := tmp_path / "none.pem").write_text("no certificate")
    gone = tmp_path / "gone.pem"
    for wrong in ({"ca": gone}, {"ca": ""}, {"ca": other}, {"cert": other}, {"cert_key": pem[1]}):
        with pytest.raises(ConfigError) as caught:
            Client("https://127.0.0.1:9", **wrong)  # type: ignore[arg-type]
        assert caught.value.where == str(next(iter(wrong.values())))


def test_it_speaks_https_to_clients_with_a_certificate_only(
    release: Release, pem: tuple[Path, Path]
) -> None:
    with serving(release, *pem, pem[0]) as url:
        assert url.startswith("https://")
        known = trusting(pem[0], *pem)
        with httpx.Client(base_url=url, verify=known) as client:
            assert client.get("/v1/release").json()["release"] == release.id
            large = client.post(
                "/v1/verify",
                content=b" " * 11_000_000,
                headers={"content-type": "application/json"},
            )
            assert (large.status_code, large.json()["code"]) == (413, "body_too_large")
        for stranger in (trusting(pem[0]), ssl.create_default_context()):
            with pytest.raises(httpx.TransportError):
                httpx.get(f"{url}/livez", verify=stranger)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url.replace('https', 'http')}/livez")


@pytest.mark.parametrize("wrong", ["missing", "text", "two", "alone"])
def test_files_that_are_no_certificate_are_refused(
    pem: tuple[Path, Path], tmp_path: Path, wrong: str
) -> None:
    cert, key = map(str, pem)
    text = tmp_path / "text.pem"
    text.write_text("-----BEGIN CERTIFICATE-----\nx\n")
    settings = {
        "missing": ServeSettings(tls_cert="nowhere.pem"),
        "text": ServeSettings(tls_cert=str(text), tls_key=key),
        "two": ServeSettings(tls_cert=cert),
        "alone": ServeSettings(tls_key=key),
    }
    with pytest.raises(ConfigError) as refused:
        tls.options(settings[wrong])
    assert refused.value.hint
