from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.store.sealing import KeyedSeal, NullSeal, SealLost, is_sealed, key_of

TEAM, OTHER, OURS = (str(UUID(int=number)) for number in range(3))


def keyed(**options: object) -> KeyedSeal:
    seal = KeyedSeal()
    keys = {TEAM: b"t" * 32, OTHER: b"o" * 32, OURS: b"m" * 32}
    newest = {"team:shop": TEAM, "organisation:acme": OTHER, "": OURS}
    seal.take(keys, newest, **{"enabled": True, "tenant": "team", **options})  # type: ignore[arg-type]  # as given
    return seal


@given(st.binary(max_size=300), st.text(max_size=300))
def test_what_is_sealed_opens_as_it_was(data: bytes, text: str) -> None:
    seal = keyed()
    assert seal.open(seal.seal(data, "a", "acme", "shop"), "a") == data
    assert seal.open_text(seal.seal_text(text, "a", "acme", "shop"), "a") == text


def test_a_broken_surrogate_is_sealed_as_it_came() -> None:
    seal = keyed()
    assert seal.open_text(seal.seal_text("a\ud800b", "a", "", ""), "a") == "a\ud800b"


def test_the_words_are_not_in_what_is_sealed() -> None:
    assert b"secret" not in keyed().seal(b"a secret", "a", "", "")
    assert keyed().seal(b"a", "a", "", "") != keyed().seal(b"a", "a", "", "")


def test_a_piece_opens_only_where_it_belongs() -> None:
    seal = keyed()
    with pytest.raises(SealLost):
        seal.open(seal.seal(b"x", "record 1", "", ""), "record 2")


@pytest.mark.parametrize("place", [0, 5, 25, -1])
def test_a_changed_byte_does_not_open(place: int) -> None:
    seal = keyed()
    data = bytearray(seal.seal(b"words", "a", "acme", "shop"))
    data[place] ^= 1
    if place == 0:
        assert seal.open(bytes(data), "a") == data
    else:
        with pytest.raises(SealLost):
            seal.open(bytes(data), "a")


@pytest.mark.parametrize("text", ["", "!!!", "AAAA", "A" * 60])
def test_a_text_that_only_looks_sealed_does_not_open(text: str) -> None:
    with pytest.raises(SealLost):
        keyed().open_text(f"mainstay-sealed:1:{text}", "a")


@pytest.mark.parametrize(
    ("tenant", "organisation", "team", "key"),
    [
        ("team", "acme", "shop", TEAM),
        ("team", "acme", "", OTHER),
        ("organisation", "acme", "shop", OTHER),
        ("team", "acme", "unknown", OURS),
        ("team", "", "", OURS),
    ],
)
def test_each_tenant_has_its_own_key_and_the_installation_stands_in(
    tenant: str, organisation: str, team: str, key: str
) -> None:
    seal = keyed(tenant=tenant)
    assert key_of(seal.seal(b"x", "a", organisation, team)) == key
    assert key_of(seal.seal_text("x", "a", organisation, team)) == key


def test_plain_is_read_as_it_is_and_has_no_key() -> None:
    assert keyed().open(b"plain", "a") == b"plain"
    assert keyed().open_text("plain", "a") == "plain"
    assert (key_of(b"plain"), key_of("plain"), is_sealed(b"plain")) == ("", "", False)


def test_switched_off_it_seals_nothing_and_still_opens() -> None:
    sealed = keyed().seal_text("x", "a", "acme", "shop")
    off = keyed(enabled=False)
    assert off.seal_text("x", "a", "acme", "shop") == "x"
    assert off.open_text(sealed, "a") == "x"


def test_without_a_key_nothing_is_sealed_and_nothing_left_plain() -> None:
    seal = KeyedSeal()
    seal.enabled = True
    with pytest.raises(SealLost):
        seal.seal(b"x", "a", "", "")


def test_a_key_that_is_gone_opens_nothing() -> None:
    sealed = keyed().seal(b"x", "a", "acme", "shop")
    seal = KeyedSeal()
    seal.take({OURS: b"m" * 32}, {"": OURS}, enabled=True, tenant="team")
    with pytest.raises(SealLost):
        seal.open(sealed, "a")


def test_the_null_seal_leaves_all_as_it_is_and_opens_nothing() -> None:
    null = NullSeal()
    assert null.open(null.seal(b"x", "a", "", ""), "a") == b"x"
    assert null.open_text(null.seal_text("x", "a", "", ""), "a") == "x"
    for sealed in (keyed().seal(b"x", "a", "", ""),):
        with pytest.raises(SealLost):
            null.open(sealed, "a")
    with pytest.raises(SealLost):
        null.open_text(keyed().seal_text("x", "a", "", ""), "a")
