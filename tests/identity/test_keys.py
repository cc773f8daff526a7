import hashlib
import hmac
import math
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from mainstay.core.errors import InvalidRequest, StartError
from mainstay.identity.keys import (
    check_key,
    check_name,
    digest,
    fingerprint,
    hint,
    load_pepper,
    new_id,
    new_key,
    parse_budget,
)


def test_a_key_has_its_form_and_256_bits_of_chance() -> None:
    key = new_key()
    assert re.fullmatch(r"ms-[A-Za-z0-9]{43}", key)
    assert 43 * math.log2(62) > 256


def test_keys_and_ids_do_not_repeat_and_use_the_whole_alphabet() -> None:
    keys = [new_key() for _ in range(500)]
    assert len(set(keys)) == 500
    assert len({new_id() for _ in range(500)}) == 500
    letters = Counter("".join(key[3:] for key in keys))
    assert len(letters) == 62
    assert max(letters.values()) < 2 * min(letters.values())


def test_a_digest_is_the_hmac_that_the_standard_describes() -> None:
    assert digest(b"p" * 32, b"ms-x") == hmac.new(b"p" * 32, b"ms-x", hashlib.sha256).digest()
    assert digest(b"p" * 32, b"ms-x") != digest(b"q" * 32, b"ms-x")


def test_a_hint_shows_four_characters_and_no_more() -> None:
    assert hint("ms-abcdefghijklmnop") == "ms-…mnop"
    assert hint("sk-abcdefghijklmnop") == "…mnop"


def test_the_pepper_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first = load_pepper(tmp_path / "var")
    assert len(first) == 32
    assert load_pepper(tmp_path / "var") == first
    assert load_pepper(tmp_path / "other") != first
    assert (tmp_path / "var" / "secret.key").stat().st_mode & 0o777 == 0o600


def test_a_fingerprint_tells_peppers_apart_and_contains_none(tmp_path: Path) -> None:
    pepper = os.urandom(32)
    assert fingerprint(pepper) == fingerprint(pepper)
    assert fingerprint(pepper) != fingerprint(os.urandom(32))
    assert pepper.hex()[:8] not in fingerprint(pepper)


def test_a_damaged_pepper_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"short")
    with pytest.raises(StartError, match="restore it from a backup"):
        load_pepper(tmp_path)


def test_an_unreadable_pepper_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "secret.key").mkdir()
    with pytest.raises(StartError, match="check its owner"):
        load_pepper(tmp_path)


@pytest.mark.parametrize("name", ["alice", "team/web:prod", "ci@host", "a", "ms-short", "x" * 128])
def test_good_names_pass(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", " alice", "-alice", "a b", "é", "a\n", "x" * 129, "a'; DROP TABLE keys"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="name"):
        check_name(name)


def test_a_key_in_the_place_of_a_name_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="a key, not a name"):
        check_name(new_key())


@pytest.mark.parametrize(
    "key",
    [
        "ms-example",
        "sk-1234",
        "changeme",
        "sk-123456789012345678901234567890123456",
        "your-api-key-here-and-some-more-text-9f8Q",
        "MS-EXAMPLE-KEY-DO-NOT-USE-IN-PRODUCTION-a8Zq",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "a" * 64,
        "k3y" * 20,
        "Zt9-Zt9-Qw7xR2mZt9-Zt9-Qw7xR2mZt9-Zt9-Qw7xR2m",
        "zyxwvutsrqponmlkjihgfedcba9876543210",
        "",
        "short-but-Random-7Qx",
        "with space aB3dE5fG7hJ9kL1mN3pQ5rS7tU9v",
        "ünïcode-aB3dE5fG7hJ9kL1mN3pQ5rS7tU9v",
    ],
)
def test_well_known_and_guessable_keys_are_refused(key: str) -> None:
    with pytest.raises(InvalidRequest):
        check_key(key)


def test_keys_made_by_chance_are_not_called_guessable() -> None:
    refused = 0
    for _ in range(2000):
        try:
            check_key(new_key())
        except InvalidRequest:
            refused += 1
    assert refused <= 1


@pytest.mark.parametrize(
    ("text", "budget"), [("20/month", "20/month"), (" 0.50 / day ", "0.50/day"), ("1000/hour", "1000/hour")]
)
def test_budgets_are_read_as_people_write_them(text: str, budget: str) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize("text", ["20", "20/fortnight", "-1/day", "$5/day", "1e3/day", "/day"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="US dollars per period"):
        parse_budget(text)
