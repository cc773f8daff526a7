"""``/api/processes``: the parts of the running server and how each is."""

from typing import Annotated, Any

from fastapi import FastAPI, Request
from pydantic import BaseModel

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.core.errors import Unavailable
from mainstay.identity.roles import Permission
from mainstay.runtime.state import read_state

__all__ = ["Process", "Processes", "add_routes"]


class Process(BaseModel):
    """A part: a worker, the control process or an engine."""

    name: str
    kind: str
    state: str
    restarts: int
    reason: str
    pid: int | None


class Processes(BaseModel):
    """All parts; ``ready``: calls are answered as they should be."""

    ready: bool
    url: str
    generation: int
    config_error: str
    data: list[Process]
    restart: dict[str, Any]


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""

    @app.get("/api/processes", tags=["processes"])
    def list_processes(
        request: Request, access: Annotated[Access, needs(Permission.PROCESSES_READ, scoped=True)]
    ) -> Processes:
        """Return how each part of the server is."""
        state = read_state(office_of(request).home / "run")
        if state is None:
            raise Unavailable("The supervisor has not said yet how its parts are; try again shortly.")
        return Processes(
            ready=bool(state.get("ready")),
            url=str(state.get("url", "")),
            generation=int(state.get("generation", 0)),
            config_error=str(state.get("config_error", "")),
            data=[Process(name=name, **part) for name, part in state.get("parts", {}).items()],
            restart=state.get("restart", {}),
        )
