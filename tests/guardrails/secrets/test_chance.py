"""Telling chance from words, and examples from secrets."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.guardrails.secrets.chance import (
    entropy,
    is_basic,
    is_made_up,
    is_password,
    is_random,
    is_uuid,
    likeness,
    words_share,
)


@pytest.mark.parametrize(
    "name",
    [
        "requestTimeoutMilliseconds",
        "get_default_credentials_provider",
        "ConnectionPoolManager2",
        "projects/shop/secrets/database-password",
        "self.config.api_key_header_name",
        "123456789012345678",
        "2024-11-21T10:00:00",
        "3f2b8a9e-1111-4222-8333-444455556666",
    ],
)
def test_names_numbers_and_uuids_are_not_made_of_chance(name: str) -> None:
    assert not is_random(name)


def test_almost_every_random_key_is_made_of_chance() -> None:
    chance = random.Random(7)
    for letters, size in ((string.ascii_letters + string.digits, 32), ("0123456789abcdef", 40)):
        keys = ["".join(chance.choices(letters, k=size)) for _ in range(500)]
        assert sum(map(is_random, keys)) >= 498


@pytest.mark.parametrize("value", ["changeme", "password123", "Welcome", "your-password", "correct horse battery"])
def test_words_are_no_passwords(value: str) -> None:
    assert not is_password(value) or is_made_up(value, free=True)


@pytest.mark.parametrize("value", ["tR4!kd9Wq", "aB3$kfj2LQ9z", "x7Kp-2mQz_9vLw"])
def test_what_a_person_makes_up_may_be_a_password(value: str) -> None:
    assert is_password(value)
    assert not is_made_up(value, free=True)


@pytest.mark.parametrize("value", ["AKIAIOSFODNN7EXAMPLE", "xxxxxxxxxxxx", "${TOKEN}", "0123456789abcdef", "<key>"])
def test_examples_are_made_up(value: str) -> None:
    assert is_made_up(value)


def test_entropy_is_that_of_shannon() -> None:
    assert entropy("") == 0
    assert entropy("aaaa") == 0
    assert entropy("abab") == pytest.approx(1)
    assert entropy("0123456789abcdef") == pytest.approx(4)


def test_words_are_likelier_than_chance() -> None:
    assert likeness("password") > 0.5
    assert likeness("xqzvkj") < -2
    assert words_share("fetchRemoteDocument") == 1
    assert words_share("x9Kq2z7Wv") == 0


def test_basic_is_a_name_and_a_password_in_base64() -> None:
    assert is_basic("c3ZjOnRSNCFrZDlXcQ==")
    assert not is_basic("c3ZjdFI0IWtkOVdx")
    assert not is_basic("requirements")


def test_a_uuid_is_known_by_its_form() -> None:
    assert is_uuid("3f2b8a9e-1111-4222-8333-444455556666")
    assert not is_uuid("3f2b8a9e-1111-4222-8333-44445555666")


@given(st.text(max_size=60))
def test_no_text_breaks_the_judgement(value: str) -> None:
    assert 0 <= words_share(value) <= 1
    assert entropy(value) >= 0
    assert {is_random(value), is_password(value), is_made_up(value, free=True), is_basic(value)} <= {True, False}
