"""An identity provider, as tests of tokens need one."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from gemel.settings import ServeSettings

ISSUER, AUDIENCE = "https://id.example", "gemel"


class Provider:
    """An identity provider: its keys at an address, tokens signed with them."""

    def __init__(self) -> None:
        self.private = {"one": ec.generate_private_key(ec.SECP256R1())}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(provider.public()).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/jwks"

    def public(self) -> dict[str, Any]:
        known = []
        for name, key in self.private.items():
            known.append(ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": name})
        return {"keys": known}

    def token(
        self, key: Any = None, algorithm: str = "ES256", kid: str = "one", **other: Any
    ) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": now + 60, "roles": []}
        claims = {k: v for k, v in (claims | other).items() if v is not None}
        signing = self.private["one"] if key is None else key
        return jwt.encode(claims, signing, algorithm, headers={"kid": kid})


def settings(source: object, **other: Any) -> ServeSettings:
    said = {"token_issuer": ISSUER, "token_audience": AUDIENCE} | other
    return ServeSettings(token_keys=str(source), **said)
