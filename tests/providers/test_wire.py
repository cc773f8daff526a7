"""What no wire may be brought down by: counts that are no counts, and text that is no text."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.providers.wire import count, is_foreign, mend, money, service


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        (0, 0),
        (7, 7),
        (7.0, 7),
        (7.9, 7),
        (2**53, 2**53),
        (2**53 + 1, None),
        (10**400, None),
        (1e300, None),
        (float("inf"), None),
        (float("nan"), None),
        (-1, None),
        (-0.5, None),
        (True, None),
        (False, None),
        ("7", None),
        (None, None),
        ([7], None),
        ({}, None),
    ],
)
def test_only_a_number_that_can_be_a_count_is_one(value: Any, tokens: int | None) -> None:
    found = count(value)
    assert found == tokens
    assert found is None or type(found) is int


#: What escapes and halves of characters are made of, so that they meet.
TRICKY = st.text(st.sampled_from('\\u"/nbd8 0cfé😀\ud800\udbff\udc00\udfff\u2028'), max_size=12)


@given(TRICKY)
def test_whatever_was_cut_can_be_read_and_the_rest_is_as_it_was(text: str) -> None:
    found = msgspec.json.decode(mend(json.dumps({"text": text}).encode()))
    assert found == {"text": text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")}


@given(TRICKY)
def test_halves_that_were_encoded_one_by_one_stay_halves(text: str) -> None:
    sent = json.dumps({"text": text}, ensure_ascii=False).encode(errors="surrogatepass")
    assert msgspec.json.decode(mend(sent)) == {"text": re.sub("[\ud800-\udfff]", "\ufffd", text)}


@given(st.binary(max_size=30) | TRICKY.map(lambda text: text.encode(errors="surrogatepass")))
def test_what_is_mended_stays_as_it_is(data: bytes) -> None:
    assert mend(mend(data)) == mend(data)


@pytest.mark.parametrize(
    ("sent", "mended"),
    [
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\uD83D\uDE00"', rb'"\uD83D\uDE00"'),
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\ude00\ud83d"', rb'"\ufffd\ufffd"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\ud83d\n\ude00"', rb'"\ufffd\n\ufffd"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\\\ud83d"', rb'"\\\ufffd"'),
        (b'"\xed\xa0\xbd"', b'"\xef\xbf\xbd"'),
        (b'"\xff\xf0"', b'"\xff\xf0"'),
    ],
)
def test_a_half_that_stands_alone_is_replaced_and_nothing_else(sent: bytes, mended: bytes) -> None:
    assert mend(sent) == mended


@pytest.mark.parametrize(
    ("signature", "foreign"),
    [("", False), ("EuIBCkYIBxgCKkA=", False), ("gemini:call:0:c2ln", True), ("Gemini:x", False), ("a:b", False)],
)
def test_a_signature_with_a_vendors_name_before_it_is_that_vendors(signature: str, foreign: bool) -> None:
    assert is_foreign(signature) is foreign


@pytest.mark.parametrize(
    ("value", "pico"),
    [
        (0, 0),
        (0.00014, 140_000_000),
        (1e-12, 1),
        (12, 12 * 10**12),
        ({"total_cost": 0.5, "input_tokens_cost": 0.1}, 5 * 10**11),
        ({}, None),
        (-1, None),
        (True, None),
        ("0.1", None),
        (float("inf"), None),
        (None, None),
    ],
)
def test_an_amount_is_read_as_the_decimal_it_was_written_as(value: object, pico: int | None) -> None:
    assert money(value) == pico


def test_ticks_are_ten_thousand_millionths_of_a_dollar() -> None:
    assert money(37_756_000, ticks=True) == 3_775_600_000


@pytest.mark.parametrize(
    ("value", "tier"),
    [
        ("priority", "priority"),
        ("FLEX", "flex"),
        ("default", ""),
        ("standard", ""),
        (None, ""),
        (3, ""),
        ("x" * 99, ""),
    ],
)
def test_only_a_tier_that_is_not_the_usual_one_has_a_name(value: object, tier: str) -> None:
    assert service(value) == tier
