"""``/api/budgets``: how every budget stands; of a team's people those that are of their teams alone."""

from typing import Annotated

from fastapi import FastAPI, Request
from pydantic import BaseModel

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.api.admin.pages import Page
from mainstay.api.admin.spend import teams_seen
from mainstay.core.clock import wall_ms
from mainstay.cost import service
from mainstay.identity.roles import Permission
from mainstay.telemetry.gauges import read_gauge

__all__ = ["Budget", "Likely", "add_routes"]


class Likely(BaseModel):
    """What will likely have been used at the end of the period, with its 80 % interval; decimal US dollars."""

    likely: str
    low: str
    high: str


class Budget(BaseModel):
    """How one budget of one member stands. Amounts are decimal strings of US dollars, times wall-clock ms.

    ``held_usd`` is reserved for calls under way or lent to workers for the next ones. ``ends_at`` is null where it
    never ends, or rolls; ``at_end_usd`` where nothing can be said.
    """

    budget: str
    of: str
    period: str
    zone: str
    hard: bool
    limit_usd: str
    used_usd: str
    held_usd: str
    left_usd: str
    starts_at: int
    ends_at: int | None
    at_end_usd: Likely | None


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""

    @app.get("/api/budgets", tags=["budgets"])
    def list_budgets(
        request: Request, access: Annotated[Access, needs(Permission.BUDGETS_READ, scoped=True)]
    ) -> Page[Budget]:
        """List how the budgets that you may see stand, those of keys too."""
        office = office_of(request)
        config = office.loaded().config
        told = read_gauge(office.home / "run" / "metrics", "mainstay_budget_used_ratio")
        used = {(labels[0], labels[1]): ratio for labels, ratio in told.items()}
        vendors = {name: provider.kind for name, provider in config.providers.items()}
        teams = teams_seen(request, access)
        found = service.budgets(office.engine, config.cost, used, vendors, wall_ms())
        # What several teams share says how the others do.
        seen = [one for one in found if teams is None or one.team in teams]
        return Page(data=[Budget.model_validate(service.standing_as_json(one)) for one in seen])
