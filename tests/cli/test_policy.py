"""``mainstay policy``: what is wrong with policies, cases that decide them, and why one call is decided so."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.command import ECHO

Here = Callable[[str], tuple[int, str, str]]

POLICIES = """\
@id("everyone")
permit(principal, action, resource);
@id("stays")
@advice("Leave personal data out.")
forbid(principal, action, resource) when { context.data.contains("personal") };
@id("kids")
forbid(principal in Team::"kids", action, resource);
"""
CASES = """\
- {key: alice, model: parrot, expect: permit, because: everyone}
- {key: alice, model: parrot, data: [personal, email], expect: deny, because: stays}
- {name: children are kept out, key: tim, team: kids, model: parrot, purpose: school, expect: deny, because: kids}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of policies beside a configuration that names it."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "main.cedar").write_text(POLICIES)
    (tmp_path / "policies" / "main.test.yaml").write_text(CASES)
    (tmp_path / "mainstay.yaml").write_text(f"{ECHO}policies: policies/\n")
    return tmp_path / "policies"


def test_check_lists_the_policies_with_their_places(here: Here, folder: Path) -> None:
    code, out, _ = here("policy check")
    assert code == 0
    assert [line.split("\t")[:2] for line in out.splitlines()] == [
        ["everyone", "permit"],
        ["stays", "forbid"],
        ["kids", "forbid"],
    ]
    assert out.splitlines()[1].endswith("main.cedar:3")


def test_check_warns_of_policies_that_permit_nothing(here: Here, folder: Path) -> None:
    (folder / "main.cedar").write_text("forbid(principal, action, resource);")
    code, _, errors = here("policy check")
    assert code == 0
    assert "permit(principal, action, resource);" in errors
    assert json.loads(here("policy check --json")[1])["warnings"]


@pytest.mark.parametrize("verb", ["policy check", "policy test", "check", "policy explain --key a --model parrot"])
def test_a_broken_policy_ends_every_command_with_its_file_and_line(here: Here, folder: Path, verb: str) -> None:
    (folder / "main.cedar").write_text(POLICIES.replace('"kids", action', '"kids", actions'))
    code, _, errors = here(verb)
    assert code == 2
    assert "main.cedar:7: is no policy" in errors


def test_cases_beside_the_policies_are_found_and_pass(here: Here, folder: Path) -> None:
    code, out, errors = here("policy test")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == ["pass"] * 3
    assert "children are kept out\tkids" in out
    assert "3 of 3" in errors


def test_a_case_that_comes_out_otherwise_fails_and_the_report_says_why(here: Here, folder: Path) -> None:
    cases = folder.parent / "cases.yaml"
    cases.write_text(
        f"{CASES}- {{key: alice, model: parrot, data: personal, expect: permit}}\n"
        "- {key: alice, model: parrot, expect: permit, because: stays}\n"
        "- {key: alice, model: raven, expect: deny}\n"
    )
    code, out, _ = here("policy test cases.yaml --junit report.xml")
    assert code == 1
    assert [line.split("\t")[0] for line in out.splitlines()] == ["pass"] * 3 + ["FAIL"] * 3
    root = ElementTree.fromstring((folder.parent / "report.xml").read_bytes())  # our own file
    assert (root.get("tests"), root.get("failures")) == ("6", "3")
    told = [failure.get("message") for failure in root.iter("failure")]
    assert told[0] == "expected permit, and it is deny because of stays"
    assert "because of stays" in str(told[1])
    assert "no model 'raven'" in str(told[2])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {key: a, model: parrot}", "case 1, expect"),
        ("- {key: a, model: parrot, expect: deny, who: b}", "case 1, who"),
        ("[{", "is not YAML"),
        ("key: a", "the file"),
    ],
)
def test_cases_that_are_none_are_told_of(here: Here, folder: Path, text: str, said: str) -> None:
    (folder.parent / "cases.yaml").write_text(text)
    code, _, errors = here("policy test cases.yaml")
    assert code == 2
    assert "cases.yaml" in errors
    assert said in errors


def test_without_cases_nothing_passes(here: Here, folder: Path) -> None:
    (folder / "main.test.yaml").unlink()
    code, _, errors = here("policy test")
    assert code == 1
    assert ".test.yaml" in errors
    (folder / "main.test.yaml").write_text("")
    assert here("policy test")[0] == 1


def test_explain_names_the_policies_and_what_was_asked(here: Here, folder: Path) -> None:
    code, out, _ = here("policy explain --key alice --model parrot --data personal,email")
    assert code == 0
    assert out.startswith("deny: stays\n")
    assert "Leave personal data out." in out
    assert "data=email,personal" in out
    assert "local=True" in out


def test_explain_takes_the_team_of_a_key_from_the_database(here: Here, folder: Path) -> None:
    assert here("keys create tim --team kids")[0] == 0
    (folder.parent / "var" / "run").mkdir(exist_ok=True)
    found = json.loads(here("policy explain --key tim --model parrot --json")[1])
    assert (found["decision"], found["policies"]) == ("deny", ["kids"])
    assert found["asking"]["team"] == "kids"
    assert found["asking"]["organisation"] == "default"
    other = json.loads(here("policy explain --key tim --team web --model parrot --json")[1])
    assert other["decision"] == "permit"
    code, _, errors = here("policy explain --key nobody --model parrot")
    assert code == 0
    assert "nobody" in errors


def test_explain_of_a_model_that_is_not_there_names_those_that_are(here: Here, folder: Path) -> None:
    code, _, errors = here("policy explain --key a --model raven")
    assert code == 1
    assert "parrot" in errors


def test_a_configuration_without_policies_says_where_to_name_them(here: Here) -> None:
    code, _, errors = here("policy check")
    assert code == 1
    assert "policies.files" in errors


def test_the_schema_is_printed_for_editors(here: Here) -> None:
    code, out, _ = here("policy schema")
    assert code == 0
    assert "entity Model" in out
