"""Where documents come from: places that someone names, as sources; and which sources and documents are too old."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from mainstay.core.errors import InvalidRequest
from mainstay.grounding.config import KnowledgeConfig, SourceConfig, source_name
from mainstay.grounding.service.views import SourceView, StaleView
from mainstay.grounding.store import RowStore
from mainstay.grounding.watch import is_stale

__all__ = ["chosen", "looked_at", "oldest", "sources_of", "stale"]

_PAGE = 1000


def sources_of(places: Sequence[str], said: Mapping[str, Any]) -> list[SourceConfig]:
    """Return places as sources: each folder and file one, and each address one, so that naming another later takes
    nothing out. ``said`` are their further settings, ``name`` only for one place.

    Raises:
        InvalidRequest: a place is none, or a setting is wrong.
    """
    if len(places) > 1 and said.get("name"):
        raise InvalidRequest("A name is for one place; give each its own command.")
    return [_source(place, dict(said)) for place in dict.fromkeys(places)]


def _source(place: str, said: dict[str, Any]) -> SourceConfig:
    given: dict[str, Any]
    if re.match(r"https?://", place, re.IGNORECASE):
        parts = urlsplit(place)
        name = re.sub(r"[^A-Za-z0-9._ -]+", "-", f"{parts.hostname or ''}{parts.path}{parts.query}").strip("-._ ")
        given = {"urls": (place,), "name": name[-64:].lstrip("-._ ") or "web"}
    elif "://" in place:
        raise InvalidRequest(f"'{place[:100]}' is no address that can be read; write it as https://HOST/PATH.")
    else:
        path = Path(place).expanduser().resolve()
        if not path.exists():
            raise InvalidRequest(f"There is no file or folder '{place[:200]}'.")
        name = re.sub(r"[^A-Za-z0-9._ -]+", "-", path.name).lstrip("-._ ")[:64]
        given = {"path": str(path), "name": name or "files"}
    try:
        return SourceConfig.model_validate({**given, **{name: one for name, one in said.items() if one}})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidRequest(f"{where}: {str(first['msg']).removeprefix('Value error, ')}.") from None


def oldest(store: RowStore, row: KnowledgeConfig, now: int) -> float:
    """Return how many seconds ago the source was listed whole of which that is longest ago, 0 where there is none."""
    kept = [store.listing(source_name(source)) for source in row.sources]
    return max((max(0, now - one.at) / 1000 for one in kept if one is not None), default=0.0)


def chosen(base: str, row: KnowledgeConfig, names: Sequence[str]) -> list[SourceConfig]:
    """Return the sources of a row of these names, all where none is named.

    Raises:
        InvalidRequest: there is none, or none of a name.
    """
    known = {source_name(one): one for one in row.sources}
    if not known:
        raise InvalidRequest(f"Name a file, a folder or an address, or give 'knowledge.{base}' sources.")
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None:
        raise InvalidRequest(
            f"'knowledge.{base}' has no source '{unknown[:64]}'; it has {', '.join(sorted(known))}.", param="sources"
        )
    return [one for name, one in known.items() if not names or name in names]


def looked_at(store: RowStore | None, row: KnowledgeConfig, now: int) -> list[SourceView]:
    """Return the sources of a row with what is known of them; ``store`` is None where there is no base yet."""
    found = []
    for source in row.sources:
        name = source_name(source)
        kept = store.listing(name) if store is not None else None
        at = kept.at if kept is not None else 0
        found.append(
            SourceView(
                name,
                path=source.path or "",
                urls=source.urls,
                every=source.every or 0.0,
                listed=at,
                due=(at + round(source.every * 1000) if at else now) if source.every is not None else 0,
                documents=kept.documents if kept is not None else 0,
                problems=kept.problems if kept is not None else 0,
                stale=is_stale(now, at, source, row.stale_after),
            )
        )
    return found


def stale(store: RowStore, row: KnowledgeConfig, now: int) -> list[StaleView]:
    """Return sources and documents that are too old at wall-clock ms ``now``; what is oldest first."""
    found = []
    for source in row.sources:
        kept = store.listing(source_name(source))
        at = kept.at if kept is not None else 0
        if is_stale(now, at, source, row.stale_after):
            found.append(StaleView(store.name, "source", source_name(source), at, (now - at) / 1000 if at else 0.0))
    after = ""
    while page := store.listed(after=after, most=_PAGE, expired=True):
        found += [
            StaleView(store.name, "document", one.document, one.expires, (now - one.expires) / 1000) for one in page
        ]
        after = page[-1].document
    return sorted(found, key=lambda one: (one.since, one.name))
