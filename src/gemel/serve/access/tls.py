"""The certificate that a service shows, and whose certificates it wants to see."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from gemel.errors import ConfigError
from gemel.settings import ServeSettings


def options(settings: ServeSettings) -> dict[str, Any]:
    """What uvicorn has to be told; nothing without a certificate.

    Raises:
        ConfigError: a file cannot be read, or is none of PEM, or key and certificate are of two.
    """
    if not settings.tls_cert:
        if settings.tls_key or settings.tls_clients:
            raise ConfigError(
                "serve.tls_key and serve.tls_clients mean nothing without serve.tls_cert",
                hint="set serve.tls_cert to the file of the certificate",
            )
        return {}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key = settings.tls_key or None
    for name in (settings.tls_cert, key, settings.tls_clients):
        if name and not Path(name).is_file():
            raise ConfigError("no such file", where=name, hint="see serve.tls_cert, tls_key")
    try:
        context.load_cert_chain(settings.tls_cert, key, password=_no_password)
        if settings.tls_clients:
            context.load_verify_locations(settings.tls_clients)
    except (OSError, ValueError) as e:  # of which ssl's errors are
        raise ConfigError(
            f"the certificate cannot be used: {getattr(e, 'reason', None) or e}",
            where=settings.tls_cert,
            hint="name PEM files that belong together; a key without a password",
        ) from e
    found: dict[str, Any] = {"ssl_certfile": settings.tls_cert, "ssl_keyfile": key}
    if settings.tls_clients:
        found |= {"ssl_ca_certs": settings.tls_clients, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return found


def _no_password() -> str:
    """Nothing: else a person would be asked for it at the terminal."""
    return ""
