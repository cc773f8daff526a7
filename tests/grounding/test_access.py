"""Which documents a caller may read."""

from mainstay.core.call import Caller
from mainstay.grounding.access import access_of, groups_of

MEMBERS = {"staff": ["team:support", "key:root"], "acme": ["organisation:Acme"], "all": ["everyone"]}


def test_a_caller_has_the_groups_that_its_key_team_and_organisation_are_in() -> None:
    assert groups_of(Caller("id", "alice", "support", organisation="Acme"), MEMBERS) == {"staff", "acme", "all"}
    assert groups_of(Caller("id", "root"), MEMBERS) == {"staff", "all"}


def test_a_team_is_no_key_of_the_same_name_and_a_group_is_not_joined_by_its_name() -> None:
    assert groups_of(Caller("id", "support", "root"), MEMBERS) == {"all"}
    assert groups_of(Caller("id", "staff", "staff", organisation="staff"), MEMBERS) == {"all"}
    assert groups_of(Caller("id", ""), {"odd": ["team:", "key:", "organisation:"]}) == frozenset()


def test_a_question_may_be_narrowed_further() -> None:
    access = access_of(Caller("id"), MEMBERS, where={"b": "2", "a": "1"}, without=frozenset({"injection"}))
    assert access.where == (("a", "1"), ("b", "2"))
    assert access.without == {"injection"}
