import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from mainstay.core.errors import Forbidden, Unauthenticated
from mainstay.identity.config import OidcConfig
from mainstay.identity.roles import Scope
from mainstay.identity.tokens import UnknownKey, check_domain, grants_from, read_token
from support.provider import token

NOW, NONCE = 1_790_000_000, "n-1"
ISSUER = "https://id.test"
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
GOOD = {"iss": ISSUER, "sub": "u1", "aud": "mainstay", "iat": NOW - 1, "exp": NOW + 300, "nonce": NONCE}


def config(**fields: Any) -> OidcConfig:
    return OidcConfig(**{"issuer": ISSUER, "client_id": "mainstay", **fields})


def public(*keys: Any) -> list[dict[str, Any]]:
    return [key.as_dict(private=False) for key in keys]


def read(text: str, *keys: Any, now: float = NOW, **fields: Any) -> dict[str, Any]:
    return read_token(text, public(*(keys or (RSA,))), config(**fields), NONCE, now)


def raw(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    parts = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join((*parts, signature))


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256"), (ED, "Ed25519")])
def test_a_right_token_is_read_whatever_it_is_signed_with(key: Any, algorithm: str) -> None:
    assert read(token(GOOD, key, algorithm), RSA, EC, ED) == GOOD


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"iss": "https://evil.test"}, "another issuer"),
        ({"iss": ISSUER + "/"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "somebody"}, "meant for somebody else"),
        ({"aud": []}, "meant for somebody else"),
        ({"aud": {"mainstay": 1}}, "meant for somebody else"),
        ({"aud": ["mainstay", "somebody"]}, "issued to somebody else"),
        ({"aud": ["mainstay", "somebody"], "azp": "somebody"}, "issued to somebody else"),
        ({"azp": "somebody"}, "issued to somebody else"),
        ({"exp": NOW - 61}, "expired"),
        ({"exp": None}, "expired"),
        ({"exp": True}, "expired"),
        ({"exp": str(NOW + 300)}, "expired"),
        ({"iat": NOW + 120}, "from the future"),
        ({"iat": None}, "from the future"),
        ({"nbf": NOW + 120}, "from the future"),
        ({"nonce": "n-2"}, "another sign-in"),
        ({"nonce": None}, "another sign-in"),
        ({"nonce": 5}, "another sign-in"),
        ({"sub": ""}, "who it is about"),
        ({"sub": None}, "who it is about"),
        ({"sub": "u" * 256}, "who it is about"),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(claims: dict[str, Any], said: str) -> None:
    wrong = {name: value for name, value in (GOOD | claims).items() if value is not None}
    with pytest.raises(Unauthenticated, match=said) as refused:
        read(token(wrong, RSA))
    assert refused.value.code == "sign_in_failed"


def test_a_token_for_several_that_was_issued_to_us_is_read() -> None:
    assert read(token(GOOD | {"aud": ["mainstay", "somebody"], "azp": "mainstay"}, RSA))["sub"] == "u1"


@pytest.mark.parametrize("name", ["none", "None", "NONE", ""])
def test_a_token_without_a_signature_is_refused(name: str) -> None:
    for signature in ("", "AAAA"):
        with pytest.raises(Unauthenticated):
            read(raw({"alg": name, "kid": "rsa"}, GOOD, signature))


def test_a_public_key_is_never_taken_for_a_shared_secret() -> None:
    unsigned = raw({"alg": "HS256", "kid": "rsa"}, GOOD).rpartition(".")[0]
    for secret in (RSA.as_pem(private=False), RSA.as_pem(private=False).strip()):
        mark = hmac.digest(secret, unsigned.encode(), "sha256")
        with pytest.raises(Unauthenticated, match="of a kind that is not accepted"):
            read(f"{unsigned}.{urlsafe_b64encode(mark).rstrip(b'=').decode()}")
    # Nor does a shared key count that the provider publishes.
    shared = OctKey.generate_key(256, {"kid": "rsa"})
    with pytest.raises(Unauthenticated, match="of a kind that is not accepted"):
        read_token(token(GOOD, shared, "HS256"), [shared.as_dict(private=True)], config(), NONCE, NOW)


def test_a_key_that_the_token_brings_along_is_not_believed() -> None:
    evil = RSAKey.generate_key(2048, {"kid": "evil"})
    embedded = token(GOOD, evil, "RS256", jwk=evil.as_dict(private=False), kid="rsa")
    with pytest.raises(Unauthenticated, match="signature is not right"):
        read(embedded)
    with pytest.raises(UnknownKey):
        read(token(GOOD, evil, "RS256", jwk=evil.as_dict(private=False)))


def test_another_key_under_a_known_id_is_refused() -> None:
    swapped = RSAKey.generate_key(2048, {"kid": "rsa"})
    with pytest.raises(Unauthenticated, match="signature is not right"):
        read(token(GOOD, swapped))


def test_the_id_of_a_key_of_another_kind_finds_no_key() -> None:
    with pytest.raises(UnknownKey):
        read(token(GOOD, RSA, "RS256", kid="ec"), RSA, EC)


def test_a_key_for_encryption_signs_nothing() -> None:
    row = RSA.as_dict(private=False) | {"use": "enc"}
    with pytest.raises(UnknownKey):
        read_token(token(GOOD, RSA), [row], config(), NONCE, NOW)


def test_a_token_without_a_key_id_is_read_with_the_only_key_that_fits() -> None:
    bare = RSAKey.import_key({name: value for name, value in RSA.as_dict(private=True).items() if name != "kid"})
    assert read(token(GOOD, bare), RSA, EC)["sub"] == "u1"
    with pytest.raises(UnknownKey):
        read(token(GOOD, bare), RSA, RSAKey.generate_key(2048, {"kid": "two"}))


def test_what_a_token_calls_critical_is_not_passed_over() -> None:
    with pytest.raises(Unauthenticated):
        read(raw({"alg": "RS256", "kid": "rsa", "crit": ["x"], "x": 1}, GOOD, "AAAA"))


def test_an_algorithm_that_is_not_configured_is_refused() -> None:
    with pytest.raises(Unauthenticated, match="not accepted"):
        read(token(GOOD, RSA, "RS256"), algorithms=("ES256",))


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_token_with_one_byte_changed_is_refused(position: int, change: int) -> None:
    data = bytearray(_TOKEN)
    at = position % len(data)
    data[at] ^= change
    changed = data.decode("latin-1")
    try:
        claims = read(changed)
    except (Unauthenticated, UnknownKey):
        return
    # The last letter of a part has bits to spare, which say nothing.
    assert claims == GOOD
    assert at in (_TOKEN.index(b"."), _TOKEN.rindex(b".") - 1, len(data) - 1)


_TOKEN = token(GOOD, RSA).encode()


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "a.b.c.d.e", "\u20ac.\u20ac.\u20ac", "x" * 300_000])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        read(text)


@pytest.mark.parametrize(
    ("claims", "allowed"),
    [
        ({"email": "ann@corp.test", "email_verified": True}, True),
        ({"email": "ann@CORP.test", "email_verified": "true"}, True),
        ({"email": "ann@corp.test"}, False),
        ({"email": "ann@corp.test", "email_verified": False}, False),
        ({"email": "ann@corp.test.evil.test", "email_verified": True}, False),
        ({"email": "ann@corp.test@evil.test", "email_verified": True}, False),
        ({"email": "corp.test", "email_verified": True}, False),
        ({"email": ["ann@corp.test"], "email_verified": True}, False),
        ({}, False),
    ],
)
def test_only_verified_addresses_of_the_allowed_domains_come_in(claims: dict[str, Any], allowed: bool) -> None:
    if allowed:
        check_domain(claims, config(allowed_domains=("corp.test",)))
    else:
        with pytest.raises(Forbidden):
            check_domain(claims, config(allowed_domains=("corp.test",)))


def test_an_address_that_nobody_verified_counts_when_it_is_said_to() -> None:
    check_domain({"email": "ann@corp.test"}, config(allowed_domains=("corp.test",), trust_email=True))
    check_domain({}, config())


def test_groups_give_the_roles_that_the_configuration_names_and_no_others() -> None:
    roles = {"ops": "operator", "web": ("developer@team:web", "viewer"), "*": "viewer"}
    found = grants_from({"groups": ["web", "ops", "root", 5, "*"]}, config(roles=roles))
    assert [str(grant) for grant in found] == ["viewer@installation", "developer@team:web", "operator@installation"]
    assert grants_from({}, config(roles={"ops": "operator"})) == []
    assert grants_from({"groups": "ops"}, config(roles=roles))[1].scope == Scope()


def test_groups_are_found_inside_other_claims_and_under_names_with_dots() -> None:
    roles = {"ops": "operator"}
    inside = config(roles=roles, groups_claim="realm_access.roles")
    assert len(grants_from({"realm_access": {"roles": ["ops"]}}, inside)) == 1
    assert len(grants_from({"realm_access.roles": ["ops"]}, inside)) == 1
    assert grants_from({"realm_access": "roles"}, inside) == []
