from pathlib import Path

import pytest
from sqlalchemy import Engine

from mainstay.core.errors import Unauthenticated
from mainstay.identity.config import SessionsConfig
from mainstay.identity.directory import Directory
from mainstay.identity.keys import load_pepper
from mainstay.identity.roles import Grant, Role, parse_grant
from mainstay.identity.service import Keys
from mainstay.identity.sessions import Doorkeeper

HOUR = 3_600_000


class Clock:
    """Wall-clock ms that only move when told to. Begins now, as the tables' own times do."""

    def __init__(self) -> None:
        from mainstay.core.clock import wall_ms

        self.now = wall_ms()

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(engine: Engine, home: Path) -> Keys:
    return Keys(engine, home)


@pytest.fixture
def door(engine: Engine, home: Path, keys: Keys, clock: Clock) -> Doorkeeper:
    return Doorkeeper(engine, load_pepper(home), lambda: SessionsConfig(absolute="12h", idle="1h"), clock)


@pytest.fixture
def person(engine: Engine) -> str:
    return Directory(engine).welcome("https://id.test", "1", "a@b.test", "A", [Grant(Role.VIEWER)]).id


def is_in(door: Doorkeeper, presented: str) -> bool:
    try:
        door.find(presented)
    except Unauthenticated:
        return False
    return True


def test_a_key_is_known_with_its_roles(door: Doorkeeper, keys: Keys) -> None:
    minted = keys.create("alice", team="web", grants=[parse_grant("developer@team:web")])
    found = door.find(minted.key)
    assert (found.kind, found.id, found.name, found.team, found.session) == ("key", minted.row.id, "alice", "web", "")
    assert [str(grant) for grant in found.grants] == ["developer@team:web"]


@pytest.mark.parametrize("presented", ["", "ms-unknown", "mss-unknown", "nonsense", "\u20ac"])
def test_what_is_not_known_is_nobody(door: Doorkeeper, presented: str) -> None:
    assert not is_in(door, presented)


def test_a_key_that_expired_or_was_revoked_is_nobody(door: Doorkeeper, keys: Keys, clock: Clock) -> None:
    short, revoked = keys.create("short", lasts=60).key, keys.create("revoked").key
    assert is_in(door, short)
    keys.revoke("revoked")
    clock.now += 61_000
    assert not is_in(door, short)
    assert not is_in(door, revoked)


def test_a_rotated_key_is_known_only_within_its_grace(door: Doorkeeper, keys: Keys, clock: Clock) -> None:
    old = keys.create("alice").key
    new = keys.rotate("alice", grace=60).key
    assert is_in(door, old)
    clock.now += 61_000
    assert not is_in(door, old)
    assert is_in(door, new)


def test_a_session_stands_for_its_person(door: Doorkeeper, person: str) -> None:
    token, row = door.begin("person", person, "browser")
    found = door.find(token)
    assert (found.kind, found.id, found.email, found.session) == ("person", person, "a@b.test", row.id)
    assert [str(grant) for grant in found.grants] == ["viewer@installation"]


def test_no_file_holds_the_token_of_a_session(door: Doorkeeper, person: str, home: Path) -> None:
    token = door.begin("person", person)[0].encode()
    everything = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert token not in everything
    assert token[4:] not in everything


def test_a_session_ends_at_its_time_however_busy(door: Doorkeeper, person: str, clock: Clock) -> None:
    token, _ = door.begin("person", person)
    for _ in range(23):
        clock.now += HOUR // 2
        assert is_in(door, token)
    clock.now += HOUR // 2
    assert not is_in(door, token)


def test_a_session_ends_when_nobody_uses_it(door: Doorkeeper, person: str, clock: Clock) -> None:
    token, _ = door.begin("person", person)
    clock.now += HOUR - 1
    assert is_in(door, token)
    clock.now += HOUR - 1
    assert is_in(door, token)
    clock.now += HOUR
    assert not is_in(door, token)


def test_shorter_rules_hold_for_sessions_that_are_there(engine: Engine, home: Path, person: str, clock: Clock) -> None:
    rules = [SessionsConfig(absolute="12h", idle="12h")]
    door = Doorkeeper(engine, load_pepper(home), lambda: rules[0], clock)
    token, _ = door.begin("person", person)
    clock.now += 2 * HOUR
    assert is_in(door, token)
    rules[0] = SessionsConfig(absolute="1h", idle="1h")
    assert not is_in(door, token)


def test_a_session_that_was_ended_is_nobody(door: Doorkeeper, person: str) -> None:
    token, row = door.begin("person", person)
    other, _ = door.begin("person", person)
    door.end(row.id)
    door.end(row.id)
    assert not is_in(door, token)
    assert is_in(door, other)


def test_the_sessions_of_a_disabled_person_end_at_once(door: Doorkeeper, person: str, engine: Engine) -> None:
    token, _ = door.begin("person", person)
    directory = Directory(engine)
    directory.disable(person)
    assert not is_in(door, token)
    directory.disable(person, again=True)
    assert not is_in(door, token)


@pytest.mark.parametrize("end", ["revoke", "rotate"])
def test_the_sessions_of_a_key_end_with_it(door: Doorkeeper, keys: Keys, end: str) -> None:
    token, _ = door.begin("key", keys.create("alice").row.id)
    assert door.find(token).name == "alice"
    getattr(keys, end)("alice")
    assert not is_in(door, token)


def test_a_role_that_is_taken_away_is_gone_at_the_next_request(door: Doorkeeper, engine: Engine, person: str) -> None:
    token, _ = door.begin("person", person)
    directory = Directory(engine)
    directory.take(directory.grants("person", person)[0].id)
    assert door.find(token).grants == ()


def test_sessions_that_ended_long_ago_are_forgotten(door: Doorkeeper, person: str, clock: Clock) -> None:
    _, old = door.begin("person", person)
    clock.now += 30 * 24 * HOUR
    door.begin("person", person)
    assert door.session(old.id) is None
