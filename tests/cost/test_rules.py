"""Which budgets and limits a call counts against."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.call import Caller
from mainstay.cost.config import CostConfig
from mainstay.cost.rules import Rules, Series, Unit

ANNA = Caller("k1", "anna", "web", organisation="acme")
BOB = Caller("k2", "bob", "ops", organisation="acme")


def rules(budgets: dict[str, Any] | None = None, limits: dict[str, Any] | None = None) -> Rules:
    return Rules(CostConfig.model_validate({"budgets": budgets or {}, "limits": limits or {}}))


def names(found: tuple[Series, ...]) -> list[str]:
    return [one.rule.name for one in found]


@pytest.mark.parametrize(
    ("scope", "counts"),
    [
        ({}, True),
        ({"team": "web"}, True),
        ({"team": "ops"}, False),
        ({"organisation": "acme", "key": "anna"}, True),
        ({"organisation": "acme", "key": "bob"}, False),
        ({"user": "u"}, True),
        ({"user": "v"}, False),
        ({"route": "r"}, True),
        ({"route": "s"}, False),
        ({"tag": "t"}, True),
        ({"tag": "x"}, False),
    ],
)
def test_a_rule_counts_the_calls_that_match_it(scope: dict[str, str], counts: bool) -> None:
    found = rules({"b": {"limit": 1, **scope}}).of_call(ANNA, "r", "u", ("s", "t"))
    assert names(found) == (["b"] if counts else [])


def test_per_makes_a_series_of_each_member() -> None:
    found = rules({"b": {"limit": "1/day", "per": ["team", "user"]}})
    first, second = (found.of_call(who, "r", "u", ())[0] for who in (ANNA, BOB))
    assert first.id == "b|web/u|usd|day"
    assert second.id == "b|ops/u|usd|day"
    assert first.member == "team web of user u"
    # What has no user counts against no user's.
    assert found.of_call(ANNA, "r", "", ()) == ()


def test_each_tag_has_its_own() -> None:
    found = rules({"b": {"limit": 1, "per": "tag"}}).of_call(ANNA, "r", "", ("a", "b"))
    assert [one.id for one in found] == ["b|a|usd|", "b|b|usd|"]
    assert rules({"b": {"limit": 1, "per": "tag"}}).of_call(ANNA, "r", "", ()) == ()


def test_what_asks_for_the_model_waits_for_the_attempt() -> None:
    found = rules({"all": 1, "m": {"limit": 1, "model": "gpt"}, "p": {"limit": 1, "per": "provider"}})
    assert found.by_attempt
    assert names(found.of_call(ANNA, "r", "", ())) == ["all"]
    assert names(found.of_attempt(ANNA, "r", "", (), "gpt", "v")) == ["m", "p"]
    assert names(found.of_attempt(ANNA, "r", "", (), "other", "v")) == ["p"]
    assert not rules({"all": 1}).by_attempt


def test_a_limit_makes_a_series_of_each_of_its_numbers() -> None:
    numbers = {"rpm": 1, "rpd": 2, "tpm": 3, "tpd": 4, "parallel": 5}
    found = rules(limits={"l": numbers}).of_call(ANNA, "r", "", ())
    assert {(one.rule.unit, one.rule.limit) for one in found} == {
        (Unit.REQUESTS, 1),
        (Unit.REQUESTS, 2),
        (Unit.TOKENS, 3),
        (Unit.TOKENS, 4),
        (Unit.PARALLEL, 5),
    }
    assert len({one.id for one in found}) == 5


def test_what_stands_on_a_key_is_the_keys_own_and_a_new_one_begins_anew() -> None:
    empty = rules()
    old = Caller("k1", "ci", budget="20/month", rpm=60, tpm=1000)
    new = Caller("k9", "ci", budget="20/month", rpm=60, tpm=1000)
    found = empty.of_call(old, "r", "", ())
    assert {one.rule.unit: one.rule.limit for one in found} == {
        Unit.USD: 20 * 10**12,
        Unit.REQUESTS: 60,
        Unit.TOKENS: 1000,
    }
    assert all(one.id.startswith("key:k1|") for one in found)
    assert not {one.id for one in found} & {one.id for one in empty.of_call(new, "r", "", ())}


def test_a_caller_that_was_edited_is_looked_at_again() -> None:
    empty = rules()
    assert empty.of_call(Caller("k1", "ci"), "r", "", ()) == ()
    assert len(empty.of_call(Caller("k1", "ci", rpm=1), "r", "", ())) == 1
    # Each is gone before the next is made, perhaps at the very same place.
    for number in range(200):
        found = empty.of_call(Caller("k1", "ci", rpm=number), "r", "", ())
        assert [one.rule.limit for one in found] == ([number] if number else [])


def test_the_same_call_finds_the_same_series() -> None:
    found = rules({"b": {"limit": 1, "per": "user"}})
    assert found.of_call(ANNA, "r", "u", ()) is found.of_call(ANNA, "r", "u", ("t",))
    assert found.of_call(ANNA, "r", "v", ()) != found.of_call(ANNA, "r", "u", ())


def test_no_number_of_users_fills_the_memory() -> None:
    found = rules({"b": {"limit": 1, "per": "user"}})
    for number in range(20_050):
        found.of_call(ANNA, "r", f"u{number}", ())
    assert len(found._known) <= 20_000


@given(st.lists(st.text(min_size=1, max_size=200), min_size=2, max_size=2, unique=True))
def test_two_users_never_share_an_account_whatever_they_are_called(users: list[str]) -> None:
    found = rules({"b": {"limit": "1/day", "per": ["team", "user"]}})
    first, second = (found.of_call(ANNA, "r", user, ())[0] for user in users)
    assert first.id != second.id
    for one in (first, second):
        assert len(one.id) < 200
        assert one.id.count("|") == 3
        assert one.id.isprintable()
        # A record's account is told apart by its last @.
        assert f"{one.id}@2026-01-01".rpartition("@")[0] == one.id


def test_a_user_named_like_the_mark_of_another_is_not_that_other() -> None:
    found = rules({"b": {"limit": 1, "per": "user"}})
    marked = found.of_call(ANNA, "r", "x" * 300, ())[0].id
    name = marked.split("|")[1]
    assert name.startswith("#")
    assert found.of_call(ANNA, "r", name, ())[0].id != marked
