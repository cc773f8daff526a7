"""A provider of OpenID Connect that says whatever it is told to, truth or lie, over a real socket."""

import hashlib
import json
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from support.upstream import Received, Reply, Upstream, json_reply

__all__ = ["CLIENT", "Provider", "token"]

CLIENT = "mainstay"


def token(claims: dict[str, Any], key: Any, algorithm: str = "RS256", **header: Any) -> str:
    """Return ``claims`` signed with ``key``."""
    head = {"alg": algorithm, **({"kid": key.kid} if key.kid else {}), **header}
    return jws.serialize_compact(head, json.dumps(claims), key, algorithms=[algorithm])


@dataclass
class Provider:
    """The provider; every part of what it answers can be changed before it is asked."""

    upstream: Upstream = field(default_factory=lambda: Upstream().start())
    key: Any = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    #: The keys it publishes, as JWKS rows; by default the one it signs with.
    published: list[dict[str, Any]] | None = None
    #: Added to metadata, claims and what the browser brings back; None as a value takes the field away.
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    #: Makes the ID token of its claims in place of signing them.
    sign: Any = None
    #: What the token endpoint answers in place of tokens.
    refusal: Reply | None = None
    #: What it was asked, path by path, and the forms that came for tokens.
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.upstream.handler = self._handle

    @property
    def issuer(self) -> str:
        return self.upstream.url

    def sign_in(self, address: str) -> str:
        """Do what a browser and its user do at ``address``; return where they are sent."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        back = {"code": code, "state": query["state"], **self.answer}
        return query["redirect_uri"] + "?" + urlencode({name: v for name, v in back.items() if v is not None})

    def stop(self) -> None:
        self.upstream.stop()

    def _handle(self, request: Received) -> Any:
        path = urlsplit(request.path).path
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return json_reply(_without_none(self._metadata() | self.metadata))
        if path == "/keys":
            rows = self.published if self.published is not None else [self.key.as_dict(private=False)]
            return json_reply({"keys": rows})
        if path == "/token":
            return self._tokens(request)
        if path == "/userinfo" and self.userinfo is not None:
            self.headers.append({"authorization": request.header("authorization") or ""})
            return json_reply(self.userinfo)
        return Reply(404)

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            **({"userinfo_endpoint": f"{self.issuer}/userinfo"} if self.userinfo is not None else {}),
        }

    def _tokens(self, request: Received) -> Any:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        self.forms.append(form)
        self.headers.append({"authorization": request.header("authorization") or ""})
        if self.refusal is not None:
            return self.refusal
        query = self.codes.pop(form["code"], None)
        if query is None or form["redirect_uri"] != query["redirect_uri"]:
            return json_reply({"error": "invalid_grant"}, 400)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert urlsafe_b64encode(digest).rstrip(b"=").decode() == query["code_challenge"]
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": "u1", "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": query["nonce"]}
        claims = _without_none(claims | {"email": "ann@corp.test", "name": "Ann", "email_verified": True} | self.claims)
        made = self.sign(claims) if self.sign else token(claims, self.key, _algorithm(self.key))
        return json_reply({"access_token": "at-1", "token_type": "Bearer", "id_token": made})


def _algorithm(key: Any) -> str:
    return {RSAKey: "RS256", ECKey: "ES256", OKPKey: "Ed25519"}[type(key)]


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
