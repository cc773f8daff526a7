"""A provider of OpenID Connect, found by discovery, and one sign-in with it: authorization code with PKCE.

Stands between the sign-in pages and the provider. Metadata and keys are remembered for a while; a key that is not
known is asked for again, but not more often than once in a while, so that made-up tokens make no traffic. What a token
must say is ``tokens``. One event loop only.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError, Unauthenticated, Unavailable, UpstreamError
from mainstay.core.ports import Origin, Outgoing, Transport
from mainstay.core.timeouts import Timeouts
from mainstay.identity.config import OidcConfig
from mainstay.identity.tokens import Claims, UnknownKey, check_domain, read_token

__all__ = ["Flow", "OidcProvider", "new_flow", "seal", "unseal"]

_TIMEOUTS = Timeouts(connect=5.0, headers=10.0, idle=10.0, total=20.0)
_LONGEST_ANSWER = 1024 * 1024
#: Seconds that metadata and keys are believed, and that must pass before unknown keys make us ask again.
_FRESH, _AGAIN = 3600.0, 30.0
#: Seconds that a person may take at the provider.
_PATIENCE = 600


class Flow(msgspec.Struct, frozen=True):
    """One sign-in under way, kept by the browser that began it: only there can it end."""

    state: str
    nonce: str
    verifier: str
    return_to: str
    expires: int


def new_flow(return_to: str, now: float) -> Flow:
    """Return a fresh sign-in that leads back to the path ``return_to``."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Flow(state, nonce, verifier, return_to, int(now) + _PATIENCE)


def seal(pepper: bytes, flow: Flow) -> str:
    """Return a flow as a text that nobody else can make."""
    said = base64.urlsafe_b64encode(msgspec.json.encode(flow)).rstrip(b"=")
    return f"{said.decode()}.{_mark(pepper, said)}"


def unseal(pepper: bytes, text: str, now: float) -> Flow | None:
    """Return what :func:`seal` made a text of; None when it is forged, damaged or too old."""
    said, _, mark = text.partition(".")
    if not hmac.compare_digest(_mark(pepper, said.encode()).encode(), mark.encode()):
        return None
    flow = msgspec.json.decode(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)), type=Flow)
    return flow if flow.expires > now else None


def _mark(pepper: bytes, said: bytes) -> str:
    # Under a word of its own, so that it is never the digest of a key.
    return hmac.digest(pepper, b"mainstay.login\0" + said, "sha256").hex()


class OidcProvider:
    """The provider of one configuration.

    Args:
        config: what is said of it.
        transport: returns what sends; called at the first request.
        clock: seconds since 1970.
    """

    def __init__(self, config: OidcConfig, transport: Callable[[], Transport], clock: Callable[[], float]) -> None:
        self.config = config
        self._open = transport
        self._clock = clock
        self._transport: Transport | None = None
        self._lock = asyncio.Lock()
        #: What was read, and the monotonic second of that.
        self._metadata: tuple[dict[str, Any], float] | None = None
        self._keys: tuple[list[Mapping[str, Any]], float] | None = None

    async def address(self, flow: Flow, redirect_uri: str) -> str:
        """Return where the browser goes to sign in.

        Raises:
            Unavailable: the provider does not answer as one.
        """
        metadata = await self._described()
        query = {
            "response_type": "code",
            "client_id": self.config.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(dict.fromkeys(("openid", *self.config.scopes))),
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": _challenge(flow.verifier),
            "code_challenge_method": "S256",
        }
        where = _endpoint(metadata, "authorization_endpoint", self.config)
        return f"{where}{'&' if '?' in where else '?'}{urlencode(query)}"

    async def finish(self, flow: Flow, answer: Mapping[str, str], redirect_uri: str) -> Claims:
        """Return the claims about the person who comes back from the provider with ``answer``, its query.

        Raises:
            Unauthenticated: it is no answer to this sign-in, or not to be believed.
            Forbidden: the person may not sign in here.
            Unavailable: the provider does not answer as one.
        """
        metadata = await self._described()
        if not hmac.compare_digest(answer.get("state", "").encode(), flow.state.encode()):
            raise _failed("it is not the answer to what this browser asked; sign in again")
        # RFC 9207: or another provider's answer could be taken to this one.
        said = answer.get("iss")
        if (said is None and metadata.get("authorization_response_iss_parameter_supported") is True) or (
            said is not None and said != self.config.issuer
        ):
            raise _failed("the answer comes from another provider")
        if "error" in answer:
            reason = "".join(c for c in answer["error"][:60] if c.isalnum() or c == "_")
            raise _failed(f"the provider refused ({reason})")
        if not answer.get("code"):
            raise _failed("the provider sent no code")
        tokens = await self._exchange(metadata, answer["code"], redirect_uri, flow.verifier)
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str):
            raise _failed("the provider gave no ID token; is 'openid' among its scopes?")
        claims = await self._read(id_token, flow.nonce)
        claims = await self._complete(metadata, claims, tokens.get("access_token"))
        check_domain(claims, self.config)
        return claims

    async def aclose(self) -> None:
        """Close every connection."""
        if self._transport is not None:
            await self._transport.aclose()

    async def _read(self, token: str, nonce: str) -> Claims:
        for again in (False, True):
            keys = await self._known_keys(again=again)
            try:
                return read_token(token, keys, self.config, nonce, self._clock())
            except UnknownKey:
                continue
        raise _failed("its token is signed with a key that the provider does not publish")

    async def _complete(self, metadata: Mapping[str, Any], claims: Claims, access_token: object) -> Claims:
        """Add what only the userinfo endpoint says, where groups or address are missing."""
        wanted = {self.config.groups_claim.split(".")[0], "email"} if self.config.roles else {"email"}
        if wanted <= claims.keys() or "userinfo_endpoint" not in metadata or not isinstance(access_token, str):
            return claims
        where = _endpoint(metadata, "userinfo_endpoint", self.config)
        more = await self._ask(b"GET", where, headers=((b"authorization", f"Bearer {access_token}".encode()),))
        if more.get("sub") != claims["sub"]:
            # OpenID Connect Core, 5.3.2: or it could be about somebody else.
            raise _failed("the provider describes somebody else")
        return {**more, **claims}

    async def _exchange(
        self, metadata: Mapping[str, Any], code: str, redirect_uri: str, verifier: str
    ) -> dict[str, Any]:
        config = self.config
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = [(b"content-type", b"application/x-www-form-urlencoded")]
        ways = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if config.client_secret is None:
            form["client_id"] = config.client_id
        elif "client_secret_basic" in ways or "client_secret_post" not in ways:
            # RFC 6749, 2.3.1: both parts are written as in a form first.
            pair = f"{quote(config.client_id, safe='')}:{quote(config.client_secret.get_secret_value(), safe='')}"
            headers.append((b"authorization", b"Basic " + base64.b64encode(pair.encode())))
        else:
            form |= {"client_id": config.client_id, "client_secret": config.client_secret.get_secret_value()}
        where = _endpoint(metadata, "token_endpoint", config)
        return await self._ask(
            b"POST", where, urlencode(form).encode(), tuple(headers), refused="did not take the code"
        )

    async def _described(self) -> dict[str, Any]:
        async with self._lock:
            if self._metadata is None or monotonic() - self._metadata[1] > _FRESH:
                found = await self._ask(b"GET", self.config.issuer.rstrip("/") + "/.well-known/openid-configuration")
                if found.get("issuer") != self.config.issuer:
                    # OpenID Connect Discovery, 4.3: or one provider could speak for another.
                    raise Unavailable("The sign-in provider calls itself otherwise; correct identity.oidc.issuer.")
                self._metadata = (found, monotonic())
            return self._metadata[0]

    async def _known_keys(self, *, again: bool) -> Sequence[Mapping[str, Any]]:
        metadata = await self._described()
        async with self._lock:
            age = None if self._keys is None else monotonic() - self._keys[1]
            if self._keys is None or age is None or age > (_AGAIN if again else _FRESH):
                found = await self._ask(b"GET", _endpoint(metadata, "jwks_uri", self.config))
                rows = found.get("keys")
                if not isinstance(rows, list):
                    raise _odd()
                self._keys = ([row for row in rows if isinstance(row, dict)], monotonic())
            return self._keys[0]

    async def _ask(
        self,
        method: bytes,
        url: str,
        body: bytes = b"",
        headers: tuple[tuple[bytes, bytes], ...] = (),
        *,
        refused: str = "",
    ) -> dict[str, Any]:
        """Return the object that a URL of the provider's answers with. It is never asked to go elsewhere."""
        if self._transport is None:
            self._transport = self._open()
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        origin = Origin(parts.hostname or "", parts.port or (443 if tls else 80), tls)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = Outgoing(method, target.encode(), ((b"accept", b"application/json"), *headers), body)
        try:
            answer = await self._transport.send(origin, request, _TIMEOUTS)
            text = await answer.read(_LONGEST_ANSWER)
        except UpstreamError:
            raise Unavailable("The sign-in provider does not answer; try again shortly.") from None
        if 400 <= answer.status < 500 and refused:
            raise _failed(f"the provider {refused}")
        if answer.status != 200:
            raise _odd()
        try:
            return msgspec.json.decode(text, type=dict[str, Any])
        except ValueError:
            raise _odd() from None


def _endpoint(metadata: Mapping[str, Any], name: str, config: OidcConfig) -> str:
    """Return a URL of the provider's; over https wherever its issuer is."""
    where = metadata.get(name)
    if not isinstance(where, str) or not where.startswith(
        "https://" if config.issuer.startswith("https://") else "http"
    ):
        raise _odd()
    return where


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _failed(why: str) -> Unauthenticated:
    return Unauthenticated(f"You are not signed in: {why}.", code="sign_in_failed")


def _odd() -> MainstayError:
    return Unavailable("The sign-in provider does not answer as OpenID Connect has it; look at identity.oidc.issuer.")
