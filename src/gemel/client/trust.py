"""Whom a client trusts over HTTPS, and which certificate it shows itself."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from gemel.errors import ConfigError

if TYPE_CHECKING:
    import ssl

Pem = str | PathLike[str]


def trust(ca: Pem | None, cert: Pem | None, key: Pem | None) -> ssl.SSLContext | bool:
    """What a pool of connections is told to verify with; True where nothing is named.

    Args:
        ca: file of the authorities that are trusted in place of the usual ones.
        cert: file of the certificate to show, and its chain.
        key: file of its private key, without a password; None where it stands in `cert`.
    Raises:
        ConfigError: a file is not there or none of PEM, or the certificate of a key is another or
            is not named.
    """
    if cert is None and key is not None:
        what, hint = "the key of a certificate that is not named", "name that as well: cert="
        raise ConfigError(what, where=str(key), hint=hint)
    if ca is None and cert is None:
        return True
    import ssl

    import httpx

    named = ca
    try:
        if ca is None:
            context = httpx.create_ssl_context()
        else:
            # As a Path, an empty name is a folder; as text it would stand for the usual ones.
            context = ssl.create_default_context(cafile=Path(ca))
        if cert is not None:
            named = cert
            context.load_cert_chain(cert, key, password=_no_password)
    except (OSError, ValueError) as e:  # of which ssl's errors are
        raise ConfigError(
            f"cannot be used: {getattr(e, 'reason', None) or getattr(e, 'strerror', None) or e}",
            where=str(named),
            hint="name PEM files; a key that belongs to the certificate, without a password",
        ) from e
    return context


def why_not(said: str, ca: Pem | None) -> str:
    """What to do about a certificate of a service that was not accepted.

    Args:
        said: by the TLS library.
        ca: as for `trust`.
    """
    for word, hint in _REASONS.items():
        if word in said.lower():
            return hint
    if ca is None:
        return "if its certificate is of your own authority, name that: ca='ca.pem'"
    return f"it is signed by no authority of {ca}: name the one that signed it, or that one's"


_REASONS = {
    "mismatch": "ask it by a name or an address that its certificate is for",
    "has expired": "the service needs a new certificate; if it has one, restart it",
    "not yet valid": "look at the clocks here and there",
}


def _no_password() -> str:
    """Nothing: else a person would be asked for it at the terminal."""
    return ""
