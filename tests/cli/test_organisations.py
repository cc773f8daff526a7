import json
from collections.abc import Callable

Here = Callable[[str], tuple[int, str, str]]


def test_an_organisation_is_made_once(here: Here) -> None:
    made = json.loads(here("organisations create shop --title Shop --json")[1])
    assert (made["name"], made["title"]) == ("shop", "Shop")
    code, _, errors = here("organisations create shop")
    assert (code, errors) == (1, "mainstay: An organisation called 'shop' exists: choose another name.\n")
    assert [row["name"] for row in json.loads(here("organisations list --json")[1])] == ["default", "shop"]


def test_the_default_organisation_stays(here: Here) -> None:
    code, _, errors = here("organisations delete default")
    assert code == 1
    assert "cannot be deleted" in errors
    assert here("organisations delete nowhere")[0] == 1
