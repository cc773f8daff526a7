import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.governance.merkle import verify_consistency, verify_inclusion

Here = Callable[[str], tuple[int, str, str]]


def leaf_of(proof: dict[str, object]) -> bytes:
    from mainstay.core.audit import leaf_hash

    return leaf_hash(str(proof["body"]).encode())


def tamper(folder: Path, *statements: str) -> None:
    """Change the database as someone who owns it can: the triggers go first."""
    connection = sqlite3.connect(folder / "var" / "mainstay.db")
    for verb in ("update", "delete"):
        for table in ("audit_events", "audit_checkpoints"):
            connection.execute(f"DROP TRIGGER {table}_no_{verb}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.fixture
def events(here: Here) -> int:
    """Do three things that the log tells of, and sign; return how many events there are."""
    here("organisations create shop")
    here("keys create alice --team web --rpm 5")
    here("keys revoke alice")
    return int(json.loads(here("audit checkpoint --json")[1])["size"])


def test_what_the_command_line_does_stands_in_the_log_without_names_of_people(here: Here, events: int) -> None:
    found = json.loads(here("audit list --json")[1])
    assert [event["action"] for event in found] == [
        "keys.revoke",
        "keys.create",
        "teams.create",
        "organisations.create",
    ]
    assert {event["actor"] for event in found} == {f"uid:{os.getuid()}"}
    assert found[1]["details"]["rpm"] == 5
    assert "alice" not in json.dumps(found)
    assert events == 4


def test_events_are_listed_by_action_and_as_lines(here: Here, events: int) -> None:
    code, out, _ = here("audit list --action keys --limit 1")
    assert code == 0
    assert len(out.splitlines()) == 1
    assert "\tkeys.revoke\t" in out
    assert here("audit list --since 1x")[0] == 2
    assert here("audit list --since 1h --subject organisation:shop")[1].count("\n") == 1


def test_a_whole_log_is_said_to_be_whole(here: Here, events: int) -> None:
    code, out, _ = here("audit verify")
    assert code == 0
    assert f"The log is whole: {events} events" in out
    report = json.loads(here("audit verify --json")[1])
    assert report["ok"]
    assert report["anchored"] == events
    assert here(f"audit verify --public-key {report['public_key']}")[0] == 0
    assert here(f"audit verify --public-key {'00' * 32}")[0] == 1
    assert here("audit verify --public-key xyz")[0] == 2


def test_what_is_not_anchored_yet_is_said(here: Here, events: int) -> None:
    here("organisations delete shop")
    assert "The last 1 are not anchored yet" in here("audit verify")[1]


@pytest.mark.parametrize(
    ("kind", "statements"),
    [
        ("edited", ["UPDATE audit_events SET actor = 'uid:99' WHERE seq = 2"]),
        ("missing", ["DELETE FROM audit_events WHERE seq = 2"]),
        ("moved", ["UPDATE audit_events SET seq = 99 WHERE seq = 2"]),
        ("truncated", ["DELETE FROM audit_events WHERE seq > 2", "DELETE FROM audit_checkpoints"]),
    ],
)
def test_a_change_of_the_database_is_found(
    here: Here, events: int, tmp_path: Path, kind: str, statements: list[str]
) -> None:
    tamper(tmp_path, *statements)
    code, out, _ = here("audit verify")
    assert code == 1
    assert f"{kind}: " in out
    assert "The log is not whole" in out


def test_a_log_that_was_cut_off_shows_against_a_copy_of_the_anchor(here: Here, events: int, tmp_path: Path) -> None:
    anchor = tmp_path / "var" / "audit" / "anchor.jsonl"
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(anchor.read_bytes())
    tamper(tmp_path, "DELETE FROM audit_events WHERE seq > 2", "DELETE FROM audit_checkpoints")
    anchor.unlink()
    assert here("audit verify")[0] == 0
    assert here(f"audit verify --anchor {copy}")[0] == 1
    assert here("audit verify --anchor nowhere")[0] == 1


def test_a_proof_is_checked_without_the_log(here: Here, events: int) -> None:
    proof = json.loads(here("audit proof 2")[1])
    path = [bytes.fromhex(one) for one in proof["path"]]
    checkpoint = proof["checkpoint"]
    assert verify_inclusion(leaf_of(proof), 1, checkpoint["size"], path, bytes.fromhex(checkpoint["root"]))
    here("organisations delete shop")
    here("audit checkpoint")
    grown = json.loads(here(f"audit proof {events} --growth")[1])
    old, new = grown["old"], grown["new"]
    path = [bytes.fromhex(one) for one in grown["path"]]
    roots = (bytes.fromhex(old["root"]), bytes.fromhex(new["root"]))
    assert verify_consistency(old["size"], new["size"], path, *roots)
    assert here("audit proof 99")[0] == 1
    assert here("audit proof 1 --growth")[0] == 1


def test_the_anchor_is_where_the_configuration_says(here: Here, tmp_path: Path) -> None:
    with open(tmp_path / "mainstay.yaml", "a") as file:
        file.write("governance: {audit: {anchor: outside/anchor.jsonl}}\n")
    assert here("audit checkpoint")[0] == 1
    here("organisations create shop")
    assert here("audit checkpoint")[0] == 0
    here("organisations create more")
    here("audit checkpoint")
    assert len((tmp_path / "outside" / "anchor.jsonl").read_bytes().splitlines()) == 2
    assert len(here("audit list --checkpoints")[1].splitlines()) == 2
