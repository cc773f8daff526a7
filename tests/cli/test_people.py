import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mainstay.identity.directory import Directory
from mainstay.identity.roles import Grant, Role
from mainstay.store.sql import migrate, open_engine


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    """The directory of the folder's configuration."""
    engine = open_engine(f"sqlite:///{tmp_path}/var/mainstay.db")
    migrate(engine)
    yield Directory(engine)
    engine.dispose()


def test_a_role_is_given_and_taken(directory: Directory, here: Callable[[str], tuple[int, str, str]]) -> None:
    ann = directory.welcome("https://id.test", "1", "ann@corp.test", "Ann", [])
    directory.add_team("web")
    code, out, _ = here("people grant ann@corp.test developer@team:web")
    assert (code, out) == (0, "ann@corp.test is developer@team:web.\n")
    shown = json.loads(here("people list --json")[1])
    assert [(row["id"], row["roles"], row["state"]) for row in shown] == [(ann.id, ["developer@team:web"], "active")]
    assert here(f"people revoke {ann.id} developer@team:web")[0] == 0
    assert directory.held("person", ann.id) == []
    code, _, errors = here(f"people revoke {ann.id} developer@team:web")
    assert (code, errors) == (1, "mainstay: ann@corp.test is not developer@team:web.\n")


def test_a_role_of_the_providers_is_said_to_come_back(
    directory: Directory, here: Callable[[str], tuple[int, str, str]]
) -> None:
    directory.welcome("https://id.test", "1", "ann@corp.test", "Ann", [Grant(Role.VIEWER)])
    code, _, errors = here("people revoke ann@corp.test viewer")
    assert code == 0
    assert "comes back at the next sign-in" in errors


def test_who_is_disabled_is_shown_so_until_enabled(
    directory: Directory, here: Callable[[str], tuple[int, str, str]]
) -> None:
    directory.welcome("https://id.test", "1", "ann@corp.test", "Ann", [])
    assert json.loads(here("people disable ann@corp.test --json")[1])["state"] == "disabled"
    assert here("people list")[1].split("\t")[4] == "disabled"
    assert here("people enable ann@corp.test")[1] == "ann@corp.test is enabled.\n"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("people grant nobody@corp.test viewer", 1, "Nobody with the id or email"),
        ("people disable nobody@corp.test", 1, "Nobody with the id or email"),
        ("people grant ann@corp.test root", 2, "There is no role 'root'"),
        ("people grant ann@corp.test viewer@somewhere", 2, "A scope is"),
        ("people grant ann@corp.test viewer@team:nowhere", 1, "There is no team 'nowhere'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    directory: Directory, here: Callable[[str], tuple[int, str, str]], line: str, code: int, said: str
) -> None:
    directory.welcome("https://id.test", "1", "ann@corp.test", "Ann", [])
    found, out, errors = here(line)
    assert (found, out) == (code, "")
    assert said in " ".join(errors.replace("│", " ").split())
