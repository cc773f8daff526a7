import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.core.record import Content
from mainstay.store.journal import Journal
from support.records import line, make_record

Here = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def calls(tmp_path: Path) -> None:
    """Leave two calls of jane and one of joe in a journal, as a worker does."""
    journal = Journal(tmp_path / "var" / "journal", 0)
    for number, user in enumerate(("jane", "jane", "joe")):
        journal.append(line(make_record(id=f"r{number}", user=user, content=Content(f"I am {user}", "Hello"))))
    journal.close()


def test_someone_is_found_handed_over_and_erased_with_a_proof(here: Here, calls: None, tmp_path: Path) -> None:
    assert {t["id"] for t in json.loads(here("privacy find user:jane --json")[1])} == {"r0", "r1"}
    assert len(here("privacy find jane")[1].splitlines()) == 2
    lines = [json.loads(one) for one in here("privacy export jane")[1].splitlines()]
    assert [one["data"]["request"] for one in lines] == ["I am jane", "I am jane"]
    code, out, _ = here("privacy erase jane --yes")
    assert code == 0
    (tmp_path / "proof.json").write_text(out)
    assert here("privacy find jane")[1] == ""
    assert here("privacy verify proof.json --subject jane")[0] == 0
    assert here("privacy verify proof.json --subject joe")[0] == 1
    assert here(f"privacy verify proof.json --public-key {json.loads(out)['public_key']}")[0] == 0
    assert here("privacy verify nowhere.json")[0] == 1
    assert len(here("privacy find joe")[1].splitlines()) == 1
    actions = [event["action"] for event in json.loads(here("audit list --action privacy --json")[1])]
    assert actions == ["privacy.find", "privacy.find", "privacy.erase", "privacy.erase_begin", *actions[4:]]
    assert here("audit verify")[0] == 0


def test_nothing_is_erased_without_a_yes(here: Here, calls: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert here("privacy erase jane")[0] == 1
    assert len(here("privacy find jane")[1].splitlines()) == 2


def test_a_key_is_found_by_its_name_and_a_text_by_its_words(here: Here, calls: None) -> None:
    assert len(here("privacy find key:key_alice")[1].splitlines()) == 3
    assert len(here("privacy find text:i_am_joe")[1].splitlines()) == 0
    assert len(here("privacy find text:JOE")[1].splitlines()) == 1
    assert here("privacy find user:")[0] == 2


def test_the_report_says_what_is_kept_why_and_until_when(here: Here, calls: None, tmp_path: Path) -> None:
    with open(tmp_path / "mainstay.yaml", "a") as file:
        file.write("governance: {retention: {records: 400d, content: 30d}}\n")
    found = {row["what"]: row for row in json.loads(here("privacy report --json")[1])}
    assert found["records of route assistant"]["count"] == 3
    assert found["records of route assistant"]["until"] == "400d"
    assert found["content of route assistant"] == {
        "what": "content of route assistant",
        "where": "database, journals",
        "why": "content: none",
        "until": "30d",
        "count": 3,
        "sealed": "no",
    }
    assert "audit log" in here("privacy report")[1]


def test_the_master_key_is_rotated_and_a_tenant_shredded(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mainstay.governance.config import SealingConfig
    from mainstay.governance.vault import Vault
    from mainstay.store.sql import open_engine

    assert here("privacy seals")[1] == ""
    engine = open_engine(f"sqlite:///{tmp_path}/var/mainstay.db")
    Vault(engine, tmp_path / "var", lambda: SealingConfig(enabled=True)).ensure(["team:shop"])
    engine.dispose()
    before = json.loads(here("privacy seals --json")[1])
    assert "2 data keys" in here("privacy rotate")[1]
    after = json.loads(here("privacy seals --json")[1])
    assert [row["id"] for row in before] == [row["id"] for row in after]
    assert before[0]["master"] != after[0]["master"]
    assert here("privacy shred shop --yes")[0] == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert here("privacy shred team:shop")[0] == 1
    assert here("privacy shred team:shop --yes")[0] == 0
    assert here("privacy shred team:shop --yes")[0] == 1
    assert len(here("privacy seals")[1].splitlines()) == 1
