"""``/api/reviews``: requests that wait for a person, of every team that you may see, and deciding them.

What a request says is for who may read content. Nobody decides on a request of their own key.
"""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.api.admin.office import Office
from mainstay.api.admin.pages import Page, moment
from mainstay.core.errors import Forbidden, NotFound
from mainstay.governance.reviews_desk import ReviewDesk
from mainstay.governance.reviews_feedback import stats_of
from mainstay.governance.reviews_store import ReviewFilter, ReviewRow
from mainstay.governance.ring import SealRing
from mainstay.identity.roles import Permission, Scope

__all__ = ["Decision", "RailFigures", "ReviewShown", "add_routes"]

Status = Literal["open", "approved", "denied", "expired"]


class ReviewShown(BaseModel):
    """A request that a rail held; times are wall-clock ms.

    ``request`` is what it says, null where you may not read content or it is kept no longer. ``label`` says whether
    the rail was right: ``true_positive`` or ``false_positive``; "" before someone decided.
    """

    id: str
    at: int
    status: str
    organisation: str
    team: str
    key: str
    user: str
    route: str
    rail: str
    where: str
    kinds: dict[str, int]
    score: float | None
    record: str
    label: str
    reason: str
    decided_by: str
    decided_at: int | None
    request: str | None = None


class Decision(BaseModel):
    """Why, whether the rail should not have held it, and whether an earlier decision may be replaced."""

    reason: Annotated[str, Field(max_length=4000)] = ""
    wrong: bool = False
    again: bool = False


class RailFigures(BaseModel):
    """How one rail did in the eyes of its reviewers: precision with its 95 % interval, null without a label."""

    rail: str
    held: int
    open: int
    approved: int
    denied: int
    expired: int
    right: int
    wrong: int
    precision: float | None
    low: float | None
    high: float | None


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""
    _add_reading(app)
    _add_deciding(app)


def _add_reading(app: FastAPI) -> None:
    @app.get("/api/reviews", tags=["reviews"])
    def list_reviews(
        request: Request,
        access: Annotated[Access, needs(Permission.REVIEWS_READ, scoped=True)],
        status: Status | None = None,
        rail: str | None = None,
        route: str | None = None,
        team: str | None = None,
        since: Annotated[str | None, Query(description="Not older than this: 15m, 7d, or a time.")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        before: Annotated[str | None, Query(description="Go on after this review's id.")] = None,
    ) -> Page[ReviewShown]:
        """List reviews without what the requests say, newest first."""
        office = office_of(request)
        teams = None
        if not access.sees(Scope()):
            teams = [name for name, scope in office.directory.scopes().items() if access.sees(scope)]
        where = ReviewFilter(status, rail, route, team, teams, moment(since, "since") if since else None)
        rows = _desk(office).search(where, limit=limit + 1, before=before)
        shown = [_shown(row) for row in rows[:limit]]
        return Page(data=shown, has_more=len(rows) > limit, last=shown[-1].id if shown else None)

    @app.get("/api/reviews/stats", tags=["reviews"])
    def get_review_stats(
        request: Request, access: Annotated[Access, needs(Permission.REVIEWS_READ)]
    ) -> Page[RailFigures]:
        """Say of every rail how often its reviewers found it right."""
        found = stats_of(_desk(office_of(request)).counts())
        return Page(data=[RailFigures.model_validate(msgspec.structs.asdict(one)) for one in found])

    @app.get("/api/reviews/{review}", tags=["reviews"])
    def get_review(
        request: Request, review: str, access: Annotated[Access, needs(Permission.REVIEWS_READ, scoped=True)]
    ) -> ReviewShown:
        """Return a review; with what the request says if you may read content."""
        return _seen(request, access, review)[1]


def _add_deciding(app: FastAPI) -> None:
    @app.post("/api/reviews/{review}/approve", tags=["reviews"])
    def approve_review(
        request: Request,
        review: str,
        access: Annotated[Access, needs(Permission.REVIEWS_WRITE, scoped=True)],
        decision: Decision | None = None,
    ) -> ReviewShown:
        """Let the request pass that rail when its key sends it again. Every worker knows it within a second."""
        return _decide(request, access, review, decision or Decision(), approve=True)

    @app.post("/api/reviews/{review}/deny", tags=["reviews"])
    def deny_review(
        request: Request,
        review: str,
        access: Annotated[Access, needs(Permission.REVIEWS_WRITE, scoped=True)],
        decision: Decision | None = None,
    ) -> ReviewShown:
        """Refuse the request when its key sends it again; the caller is told the reason."""
        return _decide(request, access, review, decision or Decision(), approve=False)


def _decide(request: Request, access: Access, review: str, decision: Decision, *, approve: bool) -> ReviewShown:
    row, _ = _seen(request, access, review)
    if access.actor == f"key:{row.key}":
        raise Forbidden("Nobody decides on a request of their own key; ask another reviewer.", code="own_review")
    said: dict[str, Any] = decision.model_dump()
    _desk(office_of(request)).decide(row.id, approve=approve, by=access.actor, **said)
    return _seen(request, access, review)[1]


def _seen(request: Request, access: Access, review: str) -> tuple[ReviewRow, ReviewShown]:
    office = office_of(request)
    desk = _desk(office)
    row = desk.find(review)
    scope = office.directory.scopes().get(row.team, Scope("", row.team))
    access.find(scope, NotFound(f"There is no review '{review[:64]}'."))
    shown = _shown(row)
    if row.content is not None and access.may(Permission.CONTENT_READ, scope):
        shown.request = desk.text_of(row)
    return row, shown


def _desk(office: Office) -> ReviewDesk:
    """Return the reviews, with the keys that content is sealed with as they are now."""
    loaded = office.loaded()
    ring = SealRing(office.home, loaded.config.governance.sealing)
    ring.refresh()
    return ReviewDesk(office.engine, office.home, lambda: loaded.config.governance.reviews, ring.seal)


def _shown(row: ReviewRow) -> ReviewShown:
    return ReviewShown(
        id=row.id,
        at=row.at,
        status=row.status,
        organisation=row.organisation,
        team=row.team,
        key=row.key,
        user=row.user,
        route=row.route,
        rail=row.rail,
        where=row.where,
        kinds=msgspec.json.decode(row.kinds),
        score=row.score,
        record=row.record,
        label=row.label,
        reason=row.reason,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )
