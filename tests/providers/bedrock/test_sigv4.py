"""Signatures: AWS's published vectors, and AWS's own library over any request."""

import datetime
from urllib.parse import quote

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.ports import Origin, Outgoing
from mainstay.providers.bedrock.sigv4 import AccessKey, SigV4, signing_key
from mainstay.providers.port import Signer

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
STAMP = b"20150830T123600Z"
EXAMPLE = Origin("example.amazonaws.com", 443, True)
FORM = (b"content-type", b"application/x-www-form-urlencoded")
JSON = (b"content-type", b"application/json")
UNRESERVED = b"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def sign(request: Outgoing, token: str = "", service: str = "service", origin: Origin = EXAMPLE) -> dict[bytes, bytes]:
    return dict(SigV4(AccessKey("AKIDEXAMPLE", SECRET, token), "us-east-1", service, origin).headers(request, STAMP))


@pytest.mark.parametrize(
    ("request_", "signature"),
    [
        (Outgoing(b"GET", b"/", (), b""), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (Outgoing(b"POST", b"/", (), b""), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            Outgoing(b"POST", b"/", (FORM,), b"Param1=value1"),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            Outgoing(b"GET", b"/?Param2=value2&Param1=value1", (), b""),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            Outgoing(b"GET", b"/" + UNRESERVED, (), b""),
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
    ],
    ids=["get-vanilla", "post-vanilla", "post-x-www-form-urlencoded", "get-vanilla-query-order-key-case", "unreserved"],
)
def test_the_published_requests_have_the_published_signatures(request_: Outgoing, signature: str) -> None:
    proof = sign(request_)[b"authorization"].decode()
    assert proof.endswith(f", Signature={signature}")
    assert proof.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ")


def test_the_published_signing_key_comes_out() -> None:
    key = signing_key(SECRET.encode(), b"20150830", b"us-east-1", b"iam")
    assert key.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"


@given(
    st.text("abcXYZ019.:/%-_~ é", min_size=1, max_size=40),
    st.binary(max_size=100),
    st.sampled_from(["", "token/with+signs=="]),
    st.sampled_from([443, 8443]),
)
def test_any_request_has_the_signature_that_aws_gives_it(model: str, body: bytes, token: str, port: int) -> None:
    host = "bedrock-runtime.us-east-1.amazonaws.com"
    path = f"/model/{quote('m' + model, safe='')}/converse"
    suffix = "" if port == 443 else f":{port}"
    headers = {"content-type": "application/json"}
    theirs = AWSRequest("POST", f"https://{host}{suffix}{path}", headers=headers, data=body)
    signer = auth.SigV4Auth(Credentials("AKIDEXAMPLE", SECRET, token or None), "bedrock", "us-east-1")
    moment = datetime.datetime(2015, 8, 30, 12, 36)  # noqa: DTZ001  # botocore's own times are naive, in UTC
    auth_now = auth.get_current_datetime
    auth.get_current_datetime = lambda *_, **__: moment
    try:
        signer.add_auth(theirs)
    finally:
        auth.get_current_datetime = auth_now
    ours = sign(Outgoing(b"POST", path.encode(), (JSON,), body), token, "bedrock", Origin(host, port, True))
    expected = {name.lower().encode(): value.encode() for name, value in theirs.headers.items()}
    del expected[b"content-type"]
    assert ours == expected


def test_a_request_keeps_its_own_headers_and_gains_the_proof() -> None:
    signer: Signer = SigV4(AccessKey("AKID", "secret-key-1", "token-1"), "eu-central-1", "bedrock", EXAMPLE)
    sent = signer.sign(Outgoing(b"POST", b"/x", (JSON, (b"user-agent", b"me")), b"{}"))
    assert sent.headers[:2] == (JSON, (b"user-agent", b"me"))
    added = dict(sent.headers[2:])
    assert set(added) == {b"x-amz-date", b"x-amz-security-token", b"authorization"}
    assert b"SignedHeaders=content-type;host;x-amz-date;x-amz-security-token," in added[b"authorization"]
    assert b"secret-key-1" not in b"".join(added.values())
    assert set(signer.secrets) == {b"AKID", b"secret-key-1", b"token-1"}


def test_a_key_never_shows_its_secret() -> None:
    assert "hush" not in repr(AccessKey("AKID", "hush-hush", "hush"))


def test_the_key_of_a_new_day_is_a_new_key() -> None:
    signer = SigV4(AccessKey("AKIDEXAMPLE", SECRET), "us-east-1", "service", EXAMPLE)
    request = Outgoing(b"GET", b"/", (), b"")
    first = signer.headers(request, STAMP)
    other = signer.headers(request, b"20150831T123600Z")
    assert signer.headers(request, STAMP) == first
    assert dict(other)[b"authorization"] != dict(first)[b"authorization"]
