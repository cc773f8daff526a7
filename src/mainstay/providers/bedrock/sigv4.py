"""AWS Signature Version 4: the proof that a request was made by who holds a secret key, without sending the key.

As published under "Signature Version 4 signing process": a canonical form of the request is hashed, and the hash is
signed with a key that holds for one day, region and service. Pure but for the time of day. Knows nothing of Bedrock.
"""

import time
from hashlib import sha256
from hmac import digest
from urllib.parse import quote_from_bytes

from mainstay.core.clock import wall_ms
from mainstay.core.ports import Origin, Outgoing

__all__ = ["AccessKey", "SigV4", "signing_key"]

Headers = tuple[tuple[bytes, bytes], ...]

_ALGORITHM = b"AWS4-HMAC-SHA256"


class AccessKey:
    """A pair of keys, and the token beside it when they are temporary. Never shows itself.

    Args:
        id: the access key's id, which is no secret.
        secret: the secret access key.
        token: the session token, or "".
    """

    __slots__ = ("id", "secret", "token")

    def __init__(self, id: str, secret: str, token: str = "") -> None:  # noqa: A002  # the vendor's own word
        self.id = id.encode()
        self.secret = secret.encode()
        self.token = token.encode()


class SigV4:
    """Signs every request to one origin; see :class:`~mainstay.providers.port.Signer`.

    The host, the content type, the time and the session token are signed beside method, path and body; other headers
    may be added or changed on the way.
    """

    def __init__(self, key: AccessKey, region: str, service: str, origin: Origin) -> None:
        self._key = key
        self._region = region.encode()
        self._service = service.encode()
        host = f"[{origin.host}]" if ":" in origin.host else origin.host.lower()
        standard = origin.port == (443 if origin.tls else 80)
        self._host = (host if standard else f"{host}:{origin.port}").encode("idna" if not host.isascii() else "ascii")
        #: The day the signing key holds for, and the key.
        self._today: tuple[bytes, bytes] = (b"", b"")
        self.secrets = tuple(value for value in (key.id, key.secret, key.token) if value)

    def sign(self, request: Outgoing) -> Outgoing:
        """Return ``request`` with the headers that prove who sends it."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(wall_ms() // 1000)).encode()
        return Outgoing(request.method, request.target, request.headers + self.headers(request, stamp), request.body)

    def headers(self, request: Outgoing, stamp: bytes) -> Headers:
        """Return the headers that sign ``request`` at ``stamp`` (``20150830T123600Z``)."""
        added: Headers = ((b"x-amz-date", stamp),)
        if self._key.token:
            added += ((b"x-amz-security-token", self._key.token),)
        kept = tuple(pair for pair in request.headers if pair[0] == b"content-type" or pair[0].startswith(b"x-amz-"))
        canonical, names = _canonical(request, (*kept, *added, (b"host", self._host)))
        day = stamp[:8]
        if self._today[0] != day:
            self._today = (day, signing_key(self._key.secret, day, self._region, self._service))
        scope = b"/".join((day, self._region, self._service, b"aws4_request"))
        said = b"\n".join((_ALGORITHM, stamp, scope, sha256(canonical).hexdigest().encode()))
        signature = digest(self._today[1], said, "sha256").hex().encode()
        proof = b"%b Credential=%b/%b, SignedHeaders=%b, Signature=%b" % (
            _ALGORITHM, self._key.id, scope, names, signature,
        )  # fmt: skip
        return (*added, (b"authorization", proof))


def signing_key(secret: bytes, day: bytes, region: bytes, service: bytes) -> bytes:
    """Return the key that signs requests to ``service`` in ``region`` on ``day`` (``20150830``)."""
    key = digest(b"AWS4" + secret, day, "sha256")
    for part in (region, service, b"aws4_request"):
        key = digest(key, part, "sha256")
    return key


def _canonical(request: Outgoing, headers: Headers) -> tuple[bytes, bytes]:
    """Return the request in the one form that both sides hash, and the names of the headers in it."""
    path, _, query = request.target.partition(b"?")
    # Encoded once more than on the wire: so every service but S3 expects it.
    path = quote_from_bytes(path or b"/", safe="/").encode()
    pairs = sorted(pair.partition(b"=")[::2] for pair in query.split(b"&") if pair)
    query = b"&".join(b"%b=%b" % (name, value) for name, value in pairs)
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(b" ".join(value.split()))
    listed = sorted(values)
    lines = b"".join(b"%b:%b\n" % (name, b",".join(values[name])) for name in listed)
    names = b";".join(listed)
    hashed = sha256(request.body).hexdigest().encode()
    return b"\n".join((request.method, path, query, lines, names, hashed)), names
