import json
from collections.abc import Callable

Here = Callable[[str], tuple[int, str, str]]


def test_teams_are_made_in_organisations_listed_and_deleted(here: Here) -> None:
    assert here("organisations create shop --title Shop")[:2] == (0, "Organisation 'shop' is made.\n")
    assert here("teams create web --organisation shop")[:2] == (0, "Team 'web' of 'shop' is made.\n")
    assert here("teams list")[1] == "web\tshop\t\n"
    assert here("organisations list")[1] == "default\t\t0\nshop\tShop\t1\n"
    code, _, errors = here("organisations delete shop")
    assert (code, errors) == (1, "mainstay: The organisation 'shop' has teams: delete them first.\n")
    assert here("teams delete web")[:2] == (0, "Team 'web' is deleted.\n")
    assert here("organisations delete shop")[:2] == (0, "Organisation 'shop' is deleted.\n")
    assert json.loads(here("teams list --json")[1]) == []


def test_a_team_that_a_key_names_is_there(here: Here) -> None:
    here("keys create alice --team web")
    assert json.loads(here("teams list --json")[1])[0]["organisation"] == "default"
    code, _, errors = here("teams delete web")
    assert (code, errors) == (1, "mainstay: The team 'web' has keys: revoke them first.\n")


def test_a_team_of_no_organisation_is_not_made(here: Here) -> None:
    code, _, errors = here("teams create web --organisation nowhere")
    assert (code, errors) == (1, "mainstay: There is no organisation 'nowhere'.\n")
    code, _, errors = here("teams create a$b")
    assert code == 2
    assert "A name is up to 128" in " ".join(errors.replace("│", " ").split())
