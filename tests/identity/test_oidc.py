import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey

from mainstay.core.errors import Unauthenticated, Unavailable
from mainstay.identity import oidc
from mainstay.identity.config import OidcConfig
from mainstay.identity.oidc import OidcProvider, new_flow, seal, unseal
from mainstay.runtime.client import LeanTransport
from support.provider import CLIENT, Provider, token
from support.upstream import Reply

pytestmark = pytest.mark.anyio
BACK = "http://mainstay.test/api/session/oidc/callback"
ONE, TWO = (RSAKey.generate_key(2048, {"kid": kid, "use": "sig"}) for kid in ("one", "two"))


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider(key=ONE)
    yield made
    made.stop()


@pytest.fixture
async def client(provider: Provider) -> AsyncIterator[OidcProvider]:
    made = connect(provider)
    yield made
    await made.aclose()


def connect(provider: Provider, **fields: Any) -> OidcProvider:
    config = OidcConfig(**{"issuer": provider.issuer, "client_id": CLIENT, "client_secret": "s/e:c", **fields})
    return OidcProvider(config, LeanTransport, time.time)


async def sign_in(provider: Provider, client: OidcProvider) -> dict[str, Any]:
    flow = new_flow("/console", time.time())
    back = provider.sign_in(await client.address(flow, BACK))
    return await client.finish(flow, answer_in(back), BACK)


def answer_in(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


async def test_a_sign_in_ends_with_the_claims_of_the_person(provider: Provider, client: OidcProvider) -> None:
    claims = await sign_in(provider, client)
    assert (claims["sub"], claims["email"]) == ("u1", "ann@corp.test")


async def test_the_browser_is_sent_with_everything_that_makes_the_answer_ours(
    provider: Provider, client: OidcProvider
) -> None:
    first, second = new_flow("/", time.time()), new_flow("/", time.time())
    query = answer_in(await client.address(first, BACK))
    assert (query["response_type"], query["code_challenge_method"], query["client_id"]) == ("code", "S256", CLIENT)
    assert query["scope"] == "openid profile email"
    assert (query["state"], query["nonce"]) == (first.state, first.nonce)
    assert first.verifier not in query.values()
    assert len({first.state, first.nonce, first.verifier, second.state, second.nonce, second.verifier}) == 6


@pytest.mark.parametrize(
    ("ways", "secret", "basic"),
    [
        (None, "s/e:c", True),
        (["client_secret_post"], "s/e:c", False),
        (["client_secret_basic", "client_secret_post"], "s/e:c", True),
        (None, None, False),
    ],
)
async def test_the_client_says_who_it_is_in_the_way_that_the_provider_takes(
    provider: Provider, ways: list[str] | None, secret: str | None, basic: bool
) -> None:
    provider.metadata = {"token_endpoint_auth_methods_supported": ways}
    client = connect(provider, client_secret=secret)
    await sign_in(provider, client)
    await client.aclose()
    # The two parts are written as in a form: s%2Fe%3Ac.
    assert provider.headers[0]["authorization"] == ("Basic bWFpbnN0YXk6cyUyRmUlM0Fj" if basic else "")
    assert provider.forms[0].get("client_secret") == (None if basic else secret)


@pytest.mark.parametrize(
    "lie",
    [
        {"claims": {"nonce": "wrong"}},
        {"claims": {"aud": "somebody"}},
        {"claims": {"iss": "https://evil.test"}},
        {"claims": {"exp": 1}},
        {"claims": {"iat": 4_000_000_000}},
        {"answer": {"state": "wrong"}},
        {"answer": {"state": None}},
        {"answer": {"iss": "https://evil.test"}},
        {"answer": {"error": "access_denied"}},
        {"answer": {"code": None}},
        {"metadata": {"authorization_response_iss_parameter_supported": True}},
        {"refusal": Reply(400, body=b"{}")},
        {"sign": lambda claims: token(claims, RSAKey.generate_key(2048, {"kid": "one"}))},
        {"sign": lambda claims: token(claims, TWO)},
        {"sign": lambda claims: 5},
        {"userinfo": {"sub": "somebody else", "groups": ["ops"]}},
    ],
    ids="-".join,
)
async def test_a_sign_in_with_any_lie_in_it_fails(
    provider: Provider, lie: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in lie.items():
        setattr(provider, name, value)
    client = connect(provider, roles={"ops": "owner"})
    with pytest.raises(Unauthenticated) as refused:
        await sign_in(provider, client)
    assert refused.value.code == "sign_in_failed"
    await client.aclose()


@pytest.mark.parametrize(
    "lie",
    [
        {"metadata": {"issuer": "https://evil.test"}},
        {"metadata": {"jwks_uri": None}},
        {"metadata": {"token_endpoint": "file:///etc/passwd"}},
        {"published": "no list"},
        {"refusal": Reply(500)},
        {"refusal": Reply(200, body=b"[1]")},
        {"refusal": Reply(302, headers=(("location", "http://127.0.0.1/"),))},
        {"refusal": Reply(200, body=b'{"id_token": "' + b"x" * 2_000_000 + b'"}')},
    ],
    ids=lambda lie: str(lie)[:60],
)
async def test_a_provider_that_does_not_answer_as_one_is_said_to_be_away(
    provider: Provider, lie: dict[str, Any]
) -> None:
    for name, value in lie.items():
        setattr(provider, name, value)
    client = connect(provider)
    with pytest.raises(Unavailable):
        await sign_in(provider, client)
    await client.aclose()


async def test_the_same_answer_is_taken_once(provider: Provider, client: OidcProvider) -> None:
    flow = new_flow("/", time.time())
    back = provider.sign_in(await client.address(flow, BACK))
    await client.finish(flow, answer_in(back), BACK)
    with pytest.raises(Unauthenticated, match="did not take the code"):
        await client.finish(flow, answer_in(back), BACK)


async def test_an_answer_that_another_browser_began_is_not_taken(provider: Provider, client: OidcProvider) -> None:
    theirs, mine = new_flow("/", time.time()), new_flow("/", time.time())
    back = provider.sign_in(await client.address(theirs, BACK))
    with pytest.raises(Unauthenticated, match="this browser"):
        await client.finish(mine, answer_in(back), BACK)


async def test_metadata_and_keys_are_asked_for_once(provider: Provider, client: OidcProvider) -> None:
    for _ in range(3):
        await sign_in(provider, client)
    assert provider.asked.count("/.well-known/openid-configuration") == 1
    assert provider.asked.count("/keys") == 1


async def test_a_key_that_is_new_is_asked_for_but_not_again_and_again(
    provider: Provider, client: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_in(provider, client)
    later = [0.0]
    monkeypatch.setattr(oidc, "monotonic", lambda: time.monotonic() + later[0])
    provider.key = TWO
    for _ in range(3):
        with pytest.raises(Unauthenticated, match="does not publish"):
            await sign_in(provider, client)
    assert provider.asked.count("/keys") == 1
    later[0] = 31.0
    assert (await sign_in(provider, client))["sub"] == "u1"
    assert provider.asked.count("/keys") == 2
    provider.sign = lambda claims: token(claims, RSAKey.generate_key(2048, {"kid": "made up"}))
    for _ in range(3):
        with pytest.raises(Unauthenticated, match="does not publish"):
            await sign_in(provider, client)
    assert provider.asked.count("/keys") == 2


async def test_groups_that_the_token_does_not_have_come_from_userinfo(provider: Provider) -> None:
    provider.userinfo = {"sub": "u1", "groups": ["ops"], "email": "other@corp.test"}
    client = connect(provider, roles={"ops": "operator"})
    claims = await sign_in(provider, client)
    await client.aclose()
    assert claims["groups"] == ["ops"]
    # What is signed counts more.
    assert claims["email"] == "ann@corp.test"
    assert provider.headers[-1]["authorization"] == "Bearer at-1"


def test_a_flow_is_read_back_in_time_and_unchanged_only() -> None:
    flow = new_flow("/console?a=b", 1000.0)
    text = seal(b"p" * 32, flow)
    assert unseal(b"p" * 32, text, 1500.0) == flow
    assert unseal(b"p" * 32, text, 1601.0) is None
    assert unseal(b"q" * 32, text, 1500.0) is None
    for wrong in ("", ".", "a.b", text[:-1], "A" + text, text.replace(".", "..")):
        assert unseal(b"p" * 32, wrong, 1500.0) is None
