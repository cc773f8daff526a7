"""Check digits: published examples pass, and one changed digit does not."""

import pytest

from mainstay.guardrails.personal.checksums import base58check, bech32, iban, luhn, mod11_10, verhoeff

CASES = [
    (luhn, "4111 1111 1111 1111"),
    (luhn, "378282246310005"),
    (iban, "GB82 WEST 1234 5698 7654 32"),
    (iban, "DE89370400440532013000"),
    (iban, "NO9386011117947"),
    (verhoeff, "2363"),
    (mod11_10, "86095742719"),
    (base58check, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    (base58check, "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"),
    (bech32, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
    (bech32, "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"),
]


@pytest.mark.parametrize(("check", "number"), CASES, ids=lambda case: case if isinstance(case, str) else case.__name__)
def test_a_published_number_passes_and_none_that_differs_in_one_digit(check, number: str) -> None:  # type: ignore[no-untyped-def] - any of them
    assert check(number)
    place = next(place for place in range(len(number) - 1, -1, -1) if number[place].isdigit())
    for digit in "0123456789":
        if digit != number[place]:
            assert not check(number[:place] + digit + number[place + 1 :])


def test_an_account_of_an_unknown_country_or_a_wrong_length_is_none() -> None:
    assert not iban("ZZ82 WEST 1234 5698 7654 32")
    assert not iban("GB82 WEST 1234 5698 7654 3")


def test_marks_that_belong_to_no_address_are_none() -> None:
    assert not base58check("1A1zP1eP5QGefi2DMPTfTL5SLmv7Div0Na")
    assert not bech32("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3tb")
    assert not bech32("no separator")
