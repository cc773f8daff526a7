"""The admin API over a database of its own, asked without a socket."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from mainstay.api.admin.app import Admin, build
from mainstay.api.admin.office import Office, open_office
from mainstay.assembly.bases import Opened, auditor, open_knowledge
from mainstay.batches import store as batch_store
from mainstay.batches.port import BatchRow
from mainstay.config import Loaded, load_config
from mainstay.core.record import Content, Record
from mainstay.governance import reviews_store
from mainstay.governance.reviews_store import ReviewRow
from mainstay.identity.roles import parse_grant
from mainstay.identity.service import Keys
from mainstay.store.sql import open_engine, writing
from mainstay.telemetry.store import insert_records
from support.database import empty

__all__ = ["CONFIG", "Building", "building", "desk"]

CONFIG = """
store: {url: "sqlite:///var/mainstay.db"}
providers: {echo: {kind: echo}, bought: {kind: openai, api_key: "${SOLD}"}}
models: {parrot: {provider: echo}, gpt-4o-mini: {provider: bought}}
routes: {assistant: {targets: [parrot]}}
knowledge: {handbook: {embedder: none}}
"""
URL = "http://mainstay.test"


@dataclass
class Building:
    """One app, its services, and what happens to lie in its database."""

    office: Office
    app: FastAPI
    config: list[Loaded]
    ids: dict[str, str] = field(default_factory=dict)

    def key(self, *roles: str, team: str = "") -> str:
        """Make a key with these roles and return it."""
        name = f"k{len(self.office.keys.list(revoked=True))}"
        minted = self.office.keys.create(name, team=team, grants=[parse_grant(role) for role in roles])
        self.ids[minted.key] = minted.row.id
        return minted.key

    def client(self, key: str | None = None, **options: Any) -> httpx.AsyncClient:
        """Return a client that presents ``key``."""
        headers = {"authorization": f"Bearer {key}"} if key else {}
        transport = httpx.ASGITransport(Admin(self.app))  # type: ignore[arg-type]  # httpx has a type of its own
        return httpx.AsyncClient(transport=transport, base_url=URL, headers=headers, **options)

    def configure(self, text: str) -> None:
        """Put another configuration in force."""
        file = self.config[0].source[0]
        file.write_text(text)
        self.config[0] = load_config(file, {"SOLD": "sk-very-secret-indeed"})


@pytest.fixture
def building(tmp_path: Path) -> Iterator[Building]:
    """Return an app over an empty database."""
    made = _build(tmp_path)
    yield made
    made.office.engine.dispose()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Building]:
    """Return an app that a module's tests share: in it, everything of the organisation *alpha* has that in its name."""
    made = _build(tmp_path_factory.mktemp("desk"))
    office = made.office
    for organisation in ("alpha", "beta"):
        office.directory.add_organisation(organisation)
        office.directory.add_team(f"{organisation}-team", organisation)
    key = office.keys.create("alpha-key", team="alpha-team")
    grant = office.directory.grant("key", key.row.id, parse_grant("viewer@team:alpha-team"))
    person = office.directory.welcome("https://id.test", "1", "someone@alpha.test", "Someone", [])
    made.ids |= {"key": key.row.id, "grant": grant.id, "record": "alpha-record", "person": person.id}
    made.ids["review"] = "rev_alpha"
    _fill(office.engine, key.row.id)
    yield made
    office.engine.dispose()


def _build(folder: Path) -> Building:
    (folder / "mainstay.yaml").write_text(CONFIG)
    config = [load_config(folder / "mainstay.yaml", {"SOLD": "sk-very-secret-indeed"})]
    config[0].home.mkdir(mode=0o700)
    (config[0].home / "mainstay.db").write_bytes(empty())
    engine = open_engine(config[0].config.store.url)

    def knowledge(who: str) -> Opened:
        return open_knowledge(config[0], who, auditor(engine, who))

    office = open_office(engine, Keys(engine, config[0].home), lambda: config[0], knowledge)
    return Building(office, build(office), config)


def _fill(engine: Engine, key: str) -> None:
    record = Record("alpha-record", "alpha-request", 1000, key=key, team="alpha-team", outcome="ok", status=200)
    record.content = Content('{"alpha": 1}', "alpha")
    batch = BatchRow(
        "batch_alpha", "team/alpha-team", "node", key, "/v1/chat/completions", "file-1", "24h", "completed", 1, 2, 0
    )
    names = ("organisation", "key", "user", "route", "rail", "where", "digest", "mark", "record")
    texts: dict[str, Any] = {name: f"alpha-{name}" for name in names}
    review = ReviewRow("rev_alpha", 1000, team="alpha-team", kinds="{}", status="open", content="alpha", **texts)
    with writing(engine) as connection:
        insert_records(engine, connection, [record])
        batch_store.add_batch(connection, batch)
        reviews_store.add_reviews(engine, connection, [review])
