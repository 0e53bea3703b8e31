"""Requests that a browser was tricked into (DNS rebinding, other sites): by host and origin.

A page of any site can make a browser send requests to a service on this machine, and by DNS
rebinding even read the replies. A name that was rebound stands in `Host`, which must therefore be
known; a page of elsewhere stands in `Origin` or `Sec-Fetch-Site`, and gets nothing of `/v1`. Who
asks without a browser sends neither of the latter and is not known any better by this.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence

from gemel.errors import NotAllowed, RequestError, WrongHost, quoted
from gemel.serve.http.routes.call import Scope

ANY = "*"
OWN = ("same-origin", "none")
SAFE = ("GET", "HEAD", "OPTIONS")
MAX_KEPT = 64
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?")


class Guard:
    """Knows under which names the service is asked.

    Args:
        bound: the address that it listens on.
        allowed: further names; `*` for any.
    """

    def __init__(self, bound: str, allowed: Sequence[str]) -> None:
        self._named = frozenset(name.lower().rstrip(".") for name in allowed)
        own = {"localhost", bound.lower(), socket.gethostname().lower()}
        self._own = self._named | own
        self._kept: dict[bytes, str] = {}

    def check(self, scope: Scope, *, is_probe: bool) -> None:
        """Return if the request may be answered.

        Args:
            scope: of ASGI, type http.
            is_probe: it asks for health or figures, for which balancers and scrapers use any name.
        Raises:
            RequestError: there is not one `Host`.
            WrongHost: the name in it is not ours.
            NotAllowed: a page of another site asks.
        """
        host, origin, site, n_hosts = b"", b"", b"", 0
        for name, value in scope["headers"]:
            if name == b"host":
                host, n_hosts = value, n_hosts + 1
            elif name == b"origin":
                origin = value
            elif name == b"sec-fetch-site":
                site = value
        if n_hosts != 1 and not (n_hosts == 0 and scope["http_version"] == "1.0"):
            raise RequestError(f"{n_hosts} Host headers", where="Host", hint="send one")
        if n_hosts and not is_probe and host not in self._kept:
            self._check_host(host)
        if (origin or site) and not is_probe:
            self._check_page(scope, host, origin, site.decode("latin-1"))

    def _check_host(self, host: bytes) -> None:
        name = _name(host.decode("latin-1").lower())
        known = name is not None and (
            name in self._own or ANY in self._named or name.endswith(".localhost") or _is_ip(name)
        )
        if name is None or not known:
            shown = quoted(host.decode("latin-1"), 80)
            raise WrongHost(
                f"this service is not asked as {shown}",
                where="Host",
                hint="use its address, or add the name to serve.allowed_hosts",
            )
        if len(self._kept) < MAX_KEPT:
            self._kept[host] = name

    def _check_page(self, scope: Scope, host: bytes, origin: bytes, site: str) -> None:
        """Return if a page of ours asks, or a person opens a page."""
        if origin:
            _, _, sender = origin.decode("latin-1").lower().partition("://")
            is_same = sender and sender == host.decode("latin-1").lower()
            is_ours = is_same or _name(sender) in self._named
        else:
            is_ours = site in OWN
        is_open = scope["method"] in SAFE and not scope["path"].startswith("/v1")
        if not is_ours and not is_open:
            who = quoted(origin.decode("latin-1"), 80) if origin else f"a {quoted(site, 20)} page"
            raise NotAllowed(
                f"a page of another site asks: {who}",
                where="Origin" if origin else "Sec-Fetch-Site",
                hint="if it is yours, add its host to serve.allowed_hosts",
            )


def is_local(host: str) -> bool:
    """Whether only this machine reaches an address to listen on."""
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _name(authority: str) -> str | None:
    """The host of `host[:port]`, without brackets; None if it is no such thing."""
    found = _HOST.fullmatch(authority)
    return found[1].strip("[]").rstrip(".") if found else None


def _is_ip(name: str) -> bool:
    """It is an address: no name that somebody could let point here."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
