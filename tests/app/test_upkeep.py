"""The background work of the control process, round by round, on a real database and a real table of values."""

import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from mainstay.app.upkeep import Upkeep
from mainstay.config import load_config
from mainstay.config.load import Loaded
from mainstay.core.clock import wall_ms
from mainstay.core.record import Content
from mainstay.governance.service import AuditLog, anchor_path
from mainstay.identity.directory import Directory
from mainstay.store.audit import select_entries
from mainstay.store.kv import FileTable
from mainstay.store.sealing import is_sealed
from mainstay.store.sql import reading, writing
from mainstay.telemetry.store import insert_records
from support.command import ECHO
from support.database import engine, home
from support.records import make_record
from support.reviews import ask, open_queue

__all__ = ["engine", "home"]

DAY = 86_400_000


class Stop:
    """An event that lets so many rounds pass."""

    def __init__(self, rounds: int) -> None:
        self._left = rounds

    def wait(self, _: float) -> bool:
        self._left -= 1
        return self._left < 0


def load(folder: Path, more: str) -> Loaded:
    """Return a configuration whose ``var`` is that of the fixture ``home``."""
    plain = ECHO.replace("assistant: {targets: [parrot]}", "assistant:\n    targets: [parrot]")
    (folder / "mainstay.yaml").write_text(plain + more)
    return load_config(folder / "mainstay.yaml", {})


def run(engine: Engine, loaded: Loaded, rounds: int = 3) -> None:
    upkeep = Upkeep(engine, lambda: loaded, Directory(engine).homes)
    upkeep.run(Stop(rounds))  # type: ignore[arg-type]  # it waits as an event does


def column(engine: Engine, statement: str) -> list[object]:
    with reading(engine) as connection:
        return list(connection.execute(text(statement)).scalars())


def test_the_configuration_in_force_is_noted_once_and_signed(engine: Engine, tmp_path: Path) -> None:
    loaded = load(tmp_path, "governance: {audit: {anchor: outside.jsonl}}\n")
    run(engine, loaded)
    run(engine, loaded)
    with reading(engine) as connection:
        entries = select_entries(connection)
    assert [(entry.action, entry.subject) for entry in entries] == [("config.apply", f"config:{loaded.hash}")]
    anchor = anchor_path(loaded.home, loaded.config.governance.audit.anchor)
    assert anchor == tmp_path / "outside.jsonl"
    report = AuditLog(engine, loaded.home, anchor).verify()
    assert (report.ok, report.anchored) == (True, 1)


def test_what_waits_for_a_person_is_taken_in_sealed_and_let_go_of(engine: Engine, home: Path, tmp_path: Path) -> None:
    Directory(engine).add_team("web")
    ask(open_queue(home), "words")
    run(engine, load(tmp_path, ""))
    assert column(engine, "SELECT content LIKE '%words%' FROM reviews") == [1]
    run(engine, load(tmp_path, "governance: {sealing: {enabled: true}}\n"))
    (team,) = column(engine, "SELECT id FROM data_keys WHERE tenant = 'team:web'")
    assert column(engine, "SELECT data_key FROM reviews WHERE content NOT LIKE '%words%'") == [team]
    run(engine, load(tmp_path, "governance: {reviews: {keep: 1ms}}\n"))
    assert column(engine, "SELECT status FROM reviews WHERE content IS NULL") == ["expired"]


def test_what_lies_plain_is_sealed_with_its_tenants_key(engine: Engine, home: Path, tmp_path: Path) -> None:
    Directory(engine).add_team("web")
    with writing(engine) as connection:
        insert_records(engine, connection, [make_record(content=Content(f"words {n}", "x")) for n in range(3)])
    table = FileTable(home / "kv.db")
    table.write({"response/a/resp_1": b"words"}, time.time() + 60)
    run(engine, load(tmp_path, "governance: {sealing: {enabled: true}}\n"))
    (team,) = column(engine, "SELECT id FROM data_keys WHERE tenant = 'team:web'")
    assert column(engine, "SELECT data_key FROM contents") == [team] * 3
    assert not any("words" in str(request) for request in column(engine, "SELECT request FROM contents"))
    assert all(is_sealed(value) for _, value, _ in table.scan("", 9))
    table.close()


@pytest.mark.parametrize(
    ("more", "records", "contents"),
    [
        ("", 2, 2),
        ("governance: {retention: {content: 10d}}\n", 2, 1),
        ("governance: {retention: {records: 10d}}\n", 1, 1),
    ],
)
def test_what_is_due_is_removed(engine: Engine, tmp_path: Path, more: str, records: int, contents: int) -> None:
    rows = [make_record(at=wall_ms() - age * DAY, content=Content("x", "y")) for age in (1, 100)]
    with writing(engine) as connection:
        insert_records(engine, connection, rows)
    run(engine, load(tmp_path, more))
    assert len(column(engine, "SELECT id FROM records")) == records
    assert len(column(engine, "SELECT record_id FROM contents")) == contents


def test_a_routes_own_time_goes_before_the_common_one(engine: Engine, tmp_path: Path) -> None:
    at = wall_ms() - 20 * DAY
    rows = [make_record(at=at, route=name, content=Content("x", "y")) for name in ("assistant", "other")]
    with writing(engine) as connection:
        insert_records(engine, connection, rows)
    more = "    retention: {content: 30d}\ngovernance: {retention: {content: 10d}}\n"
    run(engine, load(tmp_path, more))
    assert column(engine, "SELECT r.route FROM contents c JOIN records r ON r.id = c.record_id") == ["assistant"]


def test_stored_responses_and_files_end_when_the_time_is_up(engine: Engine, home: Path, tmp_path: Path) -> None:
    table = FileTable(home / "kv.db")
    table.write({"a": b"1"}, time.time() + 1000 * 86400)
    with writing(engine) as connection:
        connection.execute(
            text(
                "INSERT INTO files (id, owner, node, purpose, filename, bytes, created_at, expires_at) "
                "VALUES ('file-1', 'team/a', 'n', 'batch', 'f', 1, 1, 99999999999)"
            )
        )
    run(engine, load(tmp_path, "governance: {retention: {responses: 1d, files: 1d}}\n"))
    ((_, _, expires),) = table.scan("", 9)
    assert expires < time.time() + 2 * 86400
    (file,) = column(engine, "SELECT expires_at FROM files")
    assert int(str(file)) <= time.time()
    table.close()


def test_a_failure_is_tried_again_and_the_rest_goes_on(engine: Engine, tmp_path: Path, home: Path) -> None:
    (tmp_path / "file").write_text("")
    loaded = load(tmp_path, "governance: {audit: {anchor: file/anchor.jsonl}, retention: {content: 1d}}\n")
    with writing(engine) as connection:
        insert_records(engine, connection, [make_record(at=1, content=Content("x", "y"))])
    run(engine, loaded)
    assert column(engine, "SELECT record_id FROM contents") == []
