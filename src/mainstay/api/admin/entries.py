"""``/api/entries``: what a call was entered as in the books."""

from typing import Annotated

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.api.admin.pages import Page
from mainstay.core.errors import NotFound
from mainstay.cost.amounts import dollars
from mainstay.cost.store import select_entries
from mainstay.identity.roles import Permission, Scope
from mainstay.store.sql import reading
from mainstay.telemetry import service

__all__ = ["LedgerEntry", "add_routes"]


class LedgerEntry(BaseModel):
    """An amount, in decimal US dollars, that went from the account ``credit`` to the account ``debit``."""

    record: str
    debit: str
    credit: str
    usd: str


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""

    @app.get("/api/entries", tags=["entries"])
    def list_entries(
        request: Request,
        record: Annotated[str, Query(description="The record's id, or the request id.")],
        access: Annotated[Access, needs(Permission.SPEND_READ, scoped=True)],
    ) -> Page[LedgerEntry]:
        """List the entries of one record: one for each provider that it was bought of, and for each budget."""
        office = office_of(request)
        missing = NotFound(f"There is no record '{record[:128]}'.")
        found = service.get_record(office.engine, record)
        if found is None:
            raise missing
        access.find(office.directory.scopes().get(found.team, Scope("", found.team)), missing)
        with reading(office.engine) as connection:
            entries = select_entries(connection, found.id)
        return Page(
            data=[
                LedgerEntry(record=found.id, debit=debit, credit=credit, usd=dollars(amount))
                for debit, credit, amount in entries
            ]
        )
