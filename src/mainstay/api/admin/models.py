"""``/api/models`` and ``/api/routes``: what can be asked, and what stands behind each name."""

from typing import Annotated, Any

from fastapi import FastAPI, Request
from pydantic import BaseModel

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.api.admin.pages import Page
from mainstay.identity.roles import Permission

__all__ = ["ModelShown", "RouteShown", "Target", "add_routes"]


class ModelShown(BaseModel):
    """A row of ``models``; ``upstream`` is the provider's own name for it, ``price`` what the configuration says."""

    name: str
    provider: str
    kind: str
    upstream: str
    price: list[dict[str, Any]]


class Target(BaseModel):
    """A model behind a route."""

    model: str
    weight: float


class RouteShown(BaseModel):
    """A row of ``routes``."""

    name: str
    targets: list[Target]
    choose: str
    fallback: list[str]
    content: str


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""

    @app.get("/api/models", tags=["models"])
    def list_models(
        request: Request, access: Annotated[Access, needs(Permission.MODELS_READ, scoped=True)]
    ) -> Page[ModelShown]:
        """List the models of the configuration."""
        config = office_of(request).loaded().config
        return Page(
            data=[
                ModelShown(
                    name=name,
                    provider=row.provider,
                    kind=config.providers[row.provider].kind,
                    upstream=row.name or name,
                    price=[price.model_dump(mode="json", exclude_none=True) for price in row.price],
                )
                for name, row in config.models.items()
            ]
        )

    @app.get("/api/routes", tags=["models"])
    def list_routes(
        request: Request, access: Annotated[Access, needs(Permission.MODELS_READ, scoped=True)]
    ) -> Page[RouteShown]:
        """List the routes of the configuration. A model is also a route of its own name."""
        config = office_of(request).loaded().config
        return Page(
            data=[
                RouteShown(
                    name=name,
                    targets=[Target(model=entry.model, weight=entry.weight) for entry in row.targets],
                    choose=row.choose,
                    fallback=list(row.fallback),
                    content=row.content,
                )
                for name, row in config.routes.items()
            ]
        )
