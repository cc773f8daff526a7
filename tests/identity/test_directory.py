import pytest
from sqlalchemy import Engine

from mainstay.core.errors import InvalidRequest, NotFound
from mainstay.identity.directory import Directory
from mainstay.identity.keyring import open_keyring
from mainstay.identity.roles import Grant, Role, Scope, parse_grant
from mainstay.identity.service import Keys

ISSUER = "https://id.test"


@pytest.fixture
def directory(engine: Engine) -> Directory:
    return Directory(engine)


@pytest.fixture
def keys(engine: Engine, home) -> Keys:
    return Keys(engine, home)


def test_there_is_a_default_organisation_and_it_stays(directory: Directory) -> None:
    assert [row.name for row in directory.organisations()] == ["default"]
    with pytest.raises(InvalidRequest, match="default organisation"):
        directory.remove_organisation("default")


def test_a_team_belongs_to_an_organisation_that_is_there(directory: Directory) -> None:
    directory.add_organisation("shop", "The shop")
    assert directory.add_team("web", "shop").organisation == "shop"
    assert directory.scopes() == {"": Scope("default"), "web": Scope("shop", "web")}
    with pytest.raises(NotFound, match="no organisation 'lab'"):
        directory.add_team("app", "lab")


def test_names_are_taken_once(directory: Directory) -> None:
    directory.add_organisation("shop")
    directory.add_team("web")
    for add in (lambda: directory.add_organisation("shop"), lambda: directory.add_team("web", "shop")):
        with pytest.raises(InvalidRequest) as refused:
            add()
        assert (refused.value.status, refused.value.code) == (409, "name_taken")


def test_an_organisation_with_teams_and_a_team_with_keys_stay(directory: Directory, keys: Keys) -> None:
    directory.add_organisation("shop")
    directory.add_team("web", "shop")
    keys.create("alice", team="web")
    for remove in (lambda: directory.remove_organisation("shop"), lambda: directory.remove_team("web")):
        with pytest.raises(InvalidRequest) as refused:
            remove()
        assert refused.value.status == 409
    keys.revoke("alice")
    directory.remove_team("web")
    directory.remove_organisation("shop")
    assert [row.name for row in directory.organisations()] == ["default"]


def test_a_team_made_again_gives_nobody_what_they_had_in_the_old_one(directory: Directory, keys: Keys) -> None:
    directory.add_team("web")
    key = keys.create("alice").row.id
    directory.grant("key", key, parse_grant("owner@team:web"))
    directory.remove_team("web")
    directory.add_team("web")
    assert directory.held("key", key) == []


def test_a_key_for_a_team_makes_it_in_the_default_organisation(directory: Directory, keys: Keys, home) -> None:
    minted = keys.create("alice", team="web")
    assert directory.team("web").organisation == "default"
    caller = open_keyring(home).find(minted.key.encode())
    assert (caller.team, caller.organisation) == ("web", "default")


def test_the_organisation_of_a_team_reaches_the_workers(directory: Directory, keys: Keys, home) -> None:
    directory.add_organisation("shop")
    directory.add_team("web", "shop")
    minted = keys.create("alice", team="web")
    assert open_keyring(home).find(minted.key.encode()).organisation == "shop"


def test_who_signs_in_twice_is_the_same_person_by_issuer_and_subject(directory: Directory) -> None:
    first = directory.welcome(ISSUER, "1", "a@b.test", "A", [])
    again = directory.welcome(ISSUER, "1", "new@b.test", "A. B.", [])
    other = directory.welcome("https://other.test", "1", "a@b.test", "A", [])
    assert first.id == again.id != other.id
    assert (again.email, again.name) == ("new@b.test", "A. B.")


def test_what_the_provider_says_of_roles_replaces_what_it_said_before_and_nothing_else(directory: Directory) -> None:
    directory.add_team("web")
    person = directory.welcome(ISSUER, "1", "a@b.test", "A", [Grant(Role.ADMIN), Grant(Role.VIEWER)])
    directory.grant("person", "a@b.test", parse_grant("developer@team:web"), by="key:1")
    directory.welcome(ISSUER, "1", "a@b.test", "A", [Grant(Role.VIEWER)])
    assert sorted(str(grant) for grant, _ in directory.held("person", person.id)) == [
        "developer@team:web",
        "viewer@installation",
    ]


def test_a_role_given_twice_is_there_once(directory: Directory, keys: Keys) -> None:
    key = keys.create("alice").row.id
    assert directory.grant("key", "alice", parse_grant("viewer")) == directory.grant("key", key, parse_grant("viewer"))
    row = directory.grants("key", key)[0]
    assert directory.take(row.id) == row
    assert directory.grants() == []
    with pytest.raises(NotFound):
        directory.take(row.id)


@pytest.mark.parametrize("role", ["viewer@team:nowhere", "viewer@organisation:nowhere"])
def test_no_role_is_given_where_nothing_is(directory: Directory, keys: Keys, role: str) -> None:
    keys.create("alice")
    with pytest.raises(NotFound):
        directory.grant("key", "alice", parse_grant(role))
    with pytest.raises(NotFound):
        keys.create("bob", grants=[parse_grant(role)])
    assert [row.name for row in keys.list()] == ["alice"]


@pytest.mark.parametrize("kind", ["key", "person"])
def test_no_role_is_given_to_nobody(directory: Directory, kind: str) -> None:
    with pytest.raises(NotFound):
        directory.grant(kind, "nobody", parse_grant("viewer"))


def test_an_address_that_several_have_names_nobody(directory: Directory) -> None:
    directory.welcome(ISSUER, "1", "a@b.test", "A", [])
    directory.welcome(ISSUER, "2", "a@b.test", "B", [])
    directory.welcome(ISSUER, "3", "", "C", [])
    with pytest.raises(InvalidRequest, match="give an id"):
        directory.person("a@b.test")
    with pytest.raises(NotFound):
        directory.person("")


def test_who_is_disabled_does_not_come_in_until_enabled(directory: Directory) -> None:
    person = directory.welcome(ISSUER, "1", "a@b.test", "A", [])
    directory.disable(person.id)
    with pytest.raises(InvalidRequest) as refused:
        directory.welcome(ISSUER, "1", "a@b.test", "A", [Grant(Role.OWNER)])
    assert (refused.value.status, refused.value.code) == (403, "person_disabled")
    assert directory.held("person", person.id) == []
    directory.disable(person.id, again=True)
    assert directory.welcome(ISSUER, "1", "a@b.test", "A", []).disabled_at is None
