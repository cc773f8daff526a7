from pathlib import Path

import pytest
from sqlalchemy import Engine

from mainstay.assembly.kept import open_places, open_seal, redacted_routes, report, resolve
from mainstay.config import load_config
from mainstay.config.load import Loaded
from mainstay.core.subject import Subject
from mainstay.identity.service import Keys
from mainstay.store.sql import writing
from mainstay.telemetry.store import insert_records
from support.command import ECHO
from support.database import engine, home
from support.records import make_record

__all__ = ["engine", "home"]


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    (tmp_path / "mainstay.yaml").write_text(ECHO + "  quiet: {targets: [parrot], content: redacted}\n")
    return load_config(tmp_path / "mainstay.yaml", {})


def test_a_key_is_known_by_its_id_and_name_and_by_its_records(engine: Engine, home: Path, loaded: Loaded) -> None:
    row = Keys(engine, home).create("alice").row
    with writing(engine) as connection:
        insert_records(engine, connection, [make_record(id="r1", key=row.id), make_record(id="r2", key="alice")])
    seal = open_seal(engine, loaded)
    for text in ("alice", row.id):
        subject = resolve(engine, Subject("key", text), seal)
        assert set(subject.keys) == {"alice", row.id}
        assert subject.records == {"r1", "r2"}
    assert resolve(engine, Subject("user", "nobody"), seal) == Subject("user", "nobody")


def test_records_are_erased_last_since_the_rest_is_found_by_them(engine: Engine, loaded: Loaded) -> None:
    names = [place.name for place in open_places(engine, loaded, open_seal(engine, loaded))]
    assert names == ["cache", "responses", "files", "reviews", "journals", "rejected lines", "records"]


def test_the_report_has_every_route_and_every_other_class(engine: Engine, loaded: Loaded) -> None:
    found = {kept.what: kept for kept in report(engine, loaded)}
    assert found["content of route quiet"].why == "content: redacted"
    assert "content of route assistant" not in found
    assert found["stored responses, turns with tools"].until == "30d"
    assert {"ledger", "audit log", "keys", "journals", "files of callers and batches"} <= set(found)


def test_routes_whose_content_is_redacted_are_named(loaded: Loaded) -> None:
    assert redacted_routes(loaded.config) == {"quiet"}
