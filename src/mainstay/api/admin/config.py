"""``/api/config``: the configuration in force, without its secrets."""

import re
from typing import Annotated, Any

from fastapi import FastAPI, Request
from pydantic import BaseModel

from mainstay.api.admin.access import Access, needs, office_of
from mainstay.identity.roles import Permission

__all__ = ["ConfigShown", "add_routes"]

#: User and password in a URL.
_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_HIDDEN = "**********"
#: Settings whose name says that a value is nobody's business, should one not be of the type for secrets.
_SECRET = re.compile(r"(^|_)(key|secret|token|password|credential|authorization|cookie)s?$", re.IGNORECASE)


class ConfigShown(BaseModel):
    """The configuration: ``hash`` is what records carry; secrets are stars."""

    hash: str
    files: list[str]
    warnings: list[str]
    config: dict[str, Any]


def add_routes(app: FastAPI) -> None:
    """Add this noun's routes."""

    @app.get("/api/config", tags=["config"])
    def get_config(request: Request, access: Annotated[Access, needs(Permission.CONFIG_READ)]) -> ConfigShown:
        """Return the configuration in force, with every default and without secrets."""
        loaded = office_of(request).loaded()
        shown = _redacted(loaded.config.model_dump(mode="json"))
        files = [path.name for path in loaded.source]
        return ConfigShown(
            hash=loaded.hash, files=files, warnings=[str(w.message) for w in loaded.warnings], config=shown
        )


def _redacted(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _redacted(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(inner, name) for inner in value]
    if isinstance(value, str):
        return _HIDDEN if value and _SECRET.search(name) else _IN_URL.sub(_HIDDEN, value)
    return value
