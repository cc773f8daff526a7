"""Judges what a provider of OpenID Connect says of a person: an ID token's signature and claims, and what they allow.

Pure but for the arithmetic of signatures, which is joserfc's (the extra ``sso``). OpenID Connect Core 1.0, 3.1.3.7;
RFC 8725 for what must not be believed of a token's own header.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mainstay.core.errors import Forbidden, Unauthenticated
from mainstay.identity.config import OidcConfig
from mainstay.identity.roles import Grant, parse_grant

__all__ = ["Claims", "UnknownKey", "check_domain", "grants_from", "read_token"]

#: Seconds that the provider's clock and ours may differ.
_LEEWAY = 60
#: What a key must be for each family of signatures.
_FAMILIES = {"RS": ("RSA", None), "PS": ("RSA", None), "ES": ("EC", None), "Ed": ("OKP", "Ed25519")}
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_LONGEST, _LONGEST_HEADER = 255, 16 * 1024

Claims = dict[str, Any]


class UnknownKey(Exception):
    """No key of the provider's that we know could have signed this: it may have new ones."""


def read_token(token: str, keys: Sequence[Mapping[str, Any]], config: OidcConfig, nonce: str, now: float) -> Claims:
    """Return the claims of an ID token that ``keys`` (rows of the provider's JWKS) prove to be meant for this sign-in.

    Raises:
        UnknownKey: its key is not among ``keys``.
        Unauthenticated: anything else is wrong with it; the message says what.
    """
    claims = _signed(token, keys, config.algorithms)
    if claims.get("iss") != config.issuer:
        raise _bad("it comes from another issuer")
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    if config.client_id not in audiences:
        raise _bad("it is meant for somebody else")
    if claims.get("azp", config.client_id if len(audiences) == 1 else None) != config.client_id:
        raise _bad("it was issued to somebody else")
    expires, issued, begins = (_number(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None or expires <= now - _LEEWAY:
        raise _bad("it has expired; see that both clocks are right")
    if issued is None or issued > now + _LEEWAY or (begins is not None and begins > now + _LEEWAY):
        raise _bad("it is from the future; see that both clocks are right")
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise _bad("it belongs to another sign-in; try again")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST:
        raise _bad("it does not say who it is about")
    return claims


def check_domain(claims: Claims, config: OidcConfig) -> None:
    """See that a person's email address is of a domain that may sign in.

    Raises:
        Forbidden: it is not, or nobody says that the address is theirs.
    """
    if not config.allowed_domains:
        return
    email = claims.get("email")
    domain = email.rpartition("@")[2].lower() if isinstance(email, str) and "@" in email else ""
    verified = claims.get("email_verified") in (True, "true") or config.trust_email
    if not verified or domain not in {known.lower() for known in config.allowed_domains}:
        raise Forbidden(
            "You may not sign in here: your email address is not verified, or of another domain.",
            code="domain_not_allowed",
        )


def grants_from(claims: Claims, config: OidcConfig) -> list[Grant]:
    """Return what a person's groups allow. A group that the configuration does not name allows nothing."""
    groups: Any = claims
    for part in config.groups_claim.split("."):
        # A claim may have a dot in its own name.
        groups = groups.get(part) if isinstance(groups, dict) else None
    groups = claims.get(config.groups_claim, groups)
    names = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    found: dict[Grant, None] = {}
    for name in ("*", *(name for name in names if isinstance(name, str) and name != "*")):
        roles = config.roles.get(name, ())
        for role in (roles,) if isinstance(roles, str) else roles:
            found[parse_grant(role)] = None
    return list(found)


def _signed(token: str, keys: Sequence[Mapping[str, Any]], algorithms: Sequence[str]) -> Claims:
    from joserfc import jws
    from joserfc.errors import JoseError
    from joserfc.jwk import import_key

    # Headers of a provider's own are let be; what it calls critical is not.
    registry = jws.JWSRegistry(algorithms=list(algorithms), strict_check_header=False)
    # Some bring their certificates along.
    registry.max_header_length = _LONGEST_HEADER
    try:
        header = jws.extract_compact(token.encode(), registry=registry).headers()
        algorithm = header.get("alg")
        # Asked before any key is looked at: 'none', or a public key taken for a shared secret, ends here.
        if algorithm not in algorithms:
            raise _bad("its signature is of a kind that is not accepted (identity.oidc.algorithms)")
        row = _pick(keys, str(algorithm), header.get("kid"))
        payload = jws.deserialize_compact(token.encode(), import_key(dict(row)), registry=registry).payload
        claims = msgspec.json.decode(payload or b"")
    except (JoseError, ValueError):
        raise _bad("its signature is not right") from None
    if not isinstance(claims, dict):
        raise _bad("it cannot be read")
    return claims


def _pick(keys: Sequence[Mapping[str, Any]], algorithm: str, kid: object) -> Mapping[str, Any]:
    """Return the one key that a token of this algorithm and key id may be signed with. Raises UnknownKey."""
    kind, curve = _FAMILIES[algorithm[:2]]
    curve = _CURVES.get(algorithm, curve)
    fit = [
        key
        for key in keys
        if key.get("kty") == kind
        and (curve is None or key.get("crv") == curve)
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]
    if len(fit) != 1:
        # Without an id, a token may be signed with the only key there is, and with no other.
        raise UnknownKey
    return fit[0]


def _number(claims: Claims, name: str) -> float | None:
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _bad(why: str) -> Unauthenticated:
    return Unauthenticated(f"The provider's token is not accepted: {why}.", code="sign_in_failed")
