"""``store:`` in the configuration: which database keeps keys and records."""

import os
import re
from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer, ValidationInfo

from mainstay.core.config import LoadContext, Section

__all__ = ["StoreConfig"]

_URL = re.compile(r"(sqlite|postgresql)(?:\+[a-z0-9_]+)?://")
_SQLITE = re.compile(r"(sqlite(?:\+[a-z0-9_]+)?)://(?:/([^?]*))?(\?.*)?")


def _url(value: str, info: ValidationInfo) -> str:
    kind = _URL.match(value)
    if kind is None or not value.isprintable():
        raise ValueError("must be sqlite:///PATH or postgresql://USER@HOST/NAME")
    if kind[1] == "postgresql":
        return value
    match = _SQLITE.fullmatch(value)
    if match is None or not match[2] or match[2] == ":memory:":
        raise ValueError(
            "must name a file: sqlite:///var/mainstay.db, or sqlite:////with/four/slashes for an absolute path"
        )
    if not isinstance(info.context, LoadContext):
        return value
    first, _, rest = match[2].partition("/")
    path = os.path.join(info.context.home, rest) if first == "var" else os.path.join(info.context.base, match[2])
    return f"{match[1]}:///{os.path.normpath(path)}{match[3] or ''}"


def _masked(url: str) -> str:
    return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:**********@", url)


class StoreConfig(Section):
    """The database. The gateway never waits for it: keys are read ahead and records are journalled first."""

    url: Annotated[str, AfterValidator(_url), PlainSerializer(_masked, return_type=str, when_used="json")] = Field(
        default="sqlite:///var/mainstay.db", validate_default=True, repr=False
    )
    """Where the database is: ``sqlite:///PATH`` or ``postgresql://USER@HOST/NAME``. A relative path is relative to the
    folder of the configuration, and a leading ``var/`` stands for the folder Mainstay writes to (``MAINSTAY_HOME``)."""
