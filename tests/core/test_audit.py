import msgspec
import pytest

from mainstay.core.audit import GENESIS, canonical, entry_of, leaf_hash, read_event


def test_the_same_value_is_the_same_bytes_whatever_the_order() -> None:
    assert (
        canonical({"b": 1, "a": ["ü", None]})
        == canonical({"a": ["ü", None], "b": 1})
        == '{"a":["ü",null],"b":1}'.encode()
    )


def test_an_event_is_read_as_it_was_written() -> None:
    entry = entry_of(3, 99, "uid:0", "keys.create", "key:key_1", {"rpm": 5, "team": "shop"}, GENESIS)
    event = read_event(entry.body)
    assert (event.seq, event.at, event.details) == (3, 99, {"rpm": 5, "team": "shop"})
    assert entry.hash == leaf_hash(entry.body.encode())


def test_the_bytes_of_an_event_name_the_one_before() -> None:
    one = entry_of(1, 1, "a", "b.c", "d", {}, GENESIS)
    two = entry_of(2, 1, "a", "b.c", "d", {}, one.hash.hex())
    assert msgspec.json.decode(two.body)["previous"] == one.hash.hex()


@pytest.mark.parametrize(
    ("actor", "action", "details"),
    [
        ("a", "create", {}),
        ("a", "keys.create", {"key": "ms-" + "aB3" * 14 + "x"}),
        ("mss-" + "aB3" * 14 + "x", "keys.create", {}),
        ("a", "keys.create", {"text": "x" * 513}),
        ("a", "keys.create", {"list": ["x" * 513]}),
        ("a", "keys.create", {"fraction": 0.5}),
    ],
)
def test_secrets_long_texts_and_fractions_are_no_part_of_an_event(actor: str, action: str, details: dict) -> None:  # type: ignore[type-arg]  # any
    with pytest.raises(ValueError, match=r"event|action|fraction"):
        entry_of(1, 1, actor, action, "s", details, GENESIS)


def test_a_team_whose_name_begins_like_a_key_may_be_told_of() -> None:
    assert entry_of(1, 1, "a", "teams.create", "team:sk-learn-experiments-group", {}, GENESIS)
