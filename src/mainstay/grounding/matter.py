"""What a document says of itself beside its text: front matter, the file of fields beside it, properties. Pure.

Front matter is YAML between two lines of ``---`` at the start. Known names become a document's own terms, whatever
else stands there its fields, by which questions can be narrowed.
"""

import datetime
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import yaml

from mainstay.core.config import parse_duration
from mainstay.core.errors import Unreadable

__all__ = ["Matter", "date_of", "read_matter", "read_sidecar", "read_terms"]

_FRONT: Final = re.compile(r"---[ \t]*\n(.*?)(?:\n|^)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_MOST: Final = 64 * 1024
_FIELDS: Final = 64
_LONGEST: Final = 1_000
_DATES: Final = ("updated", "lastmod", "last_modified", "modified", "date", "published", "created")
_GROUP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: How PDF writes a date: D:20250131120000+01'00'.
_PDF_DATE: Final = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([+-])(\d\d)'?(\d\d)?'?|Z)?")


class Matter(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a document says of itself. ``dated`` is in wall-clock ms, ``ttl`` in seconds; None where it says nothing."""

    title: str = ""
    uri: str = ""
    dated: int = 0
    groups: tuple[str, ...] = ()
    ttl: int | None = None
    licence: str = ""
    consent: str = ""
    fields: Mapping[str, str] = {}


def read_matter(text: str) -> tuple[Matter, int]:
    """Return the front matter of a text, and where the text itself begins; without front matter, nothing and 0.

    Raises:
        Unreadable: it begins with front matter that is no YAML, or wrong.
    """
    if not text.startswith("---"):
        return Matter(), 0
    found = _FRONT.match(text)
    # A text may begin with a rule, and its next line be anything.
    if found is None or ":" not in found[1]:
        return Matter(), 0
    return _matter(found[1], "front matter"), found.end()


def read_sidecar(text: str) -> Matter:
    """Return what the file of fields beside a document says.

    Raises:
        Unreadable: it is no YAML, or wrong.
    """
    return _matter(text, "file of fields")


def _matter(text: str, what: str) -> Matter:
    if len(text) > _MOST:
        raise Unreadable(f"has a {what} of more than {_MOST} characters; shorten it")
    try:
        # An alias can make a few lines into gigabytes; nobody needs one here.
        if "*" in text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise Unreadable(f"has a {what} with aliases; write its values out")
        said = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise Unreadable(f"has a {what} that is no YAML; correct it") from None
    if said is None:
        return Matter()
    if not isinstance(said, dict):
        raise Unreadable(f"has a {what} that is no list of names and values; correct it")
    return read_terms({str(name): value for name, value in said.items()}, what)


def read_terms(said: Mapping[str, Any], what: str) -> Matter:
    """Return what fields say of a document; ``what`` they stand in, for what is told of it.

    Raises:
        Unreadable: groups are no names, or the time to live is no duration.
    """
    by = {name.lower(): value for name, value in said.items()}
    groups = by.pop("groups", None)
    ttl = by.pop("ttl", None)
    dates = [by[name] for name in _DATES if name in by]
    named = {name: _text(by.pop(name, "")) for name in ("title", "licence", "license", "consent", "uri", "url")}
    if isinstance(groups, str):
        groups = [part.strip() for part in groups.split(",")]
    if groups is not None and not (
        isinstance(groups, list) and all(isinstance(group, str) and _GROUP.fullmatch(group) for group in groups)
    ):
        raise Unreadable(f"has a {what} whose 'groups' are no names; write them as [hr, legal]")
    try:
        seconds = None if ttl is None else int(parse_duration(ttl))
    except ValueError:
        raise Unreadable(f"has a {what} whose 'ttl' is no duration; write it as 30d") from None
    kept = [(name, _text(value)) for name, value in by.items() if value is not None][:_FIELDS]
    return Matter(
        title=named["title"],
        uri=named["uri"] or named["url"],
        dated=next((moment for moment in map(date_of, dates) if moment), 0),
        groups=tuple(dict.fromkeys(groups or ())),
        ttl=seconds,
        licence=named["licence"] or named["license"],
        consent=named["consent"],
        fields={name[:64]: value for name, value in kept if value},
    )


def _text(value: object) -> str:
    """Return a value as people would write it, on one line."""
    if isinstance(value, list):
        value = ", ".join(_text(item) for item in value)
    elif isinstance(value, dict):
        value = ", ".join(f"{name}: {_text(item)}" for name, item in value.items())
    elif isinstance(value, bool):
        value = str(value).lower()
    return " ".join(str(value if value is not None else "").split())[:_LONGEST]


def date_of(value: object) -> int:
    """Return a moment as wall-clock ms: of ISO 8601, of HTTP and of PDF, or a date of YAML; 0 for what is none."""
    moment: datetime.datetime | None = None
    if isinstance(value, datetime.datetime):
        moment = value
    elif isinstance(value, datetime.date):
        moment = datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.UTC)
    elif isinstance(value, str):
        moment = _parsed(value.strip()[:64])
    if moment is None or not 1 < moment.year < 9999:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return max(0, int(moment.timestamp() * 1000))


def _parsed(text: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        pass
    found = _PDF_DATE.fullmatch(text)
    try:
        if found is not None and len(found[1]) == 4 and (text.startswith("D:") or len(text) >= 8):
            year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
            moment = datetime.datetime(year, month or 1, day or 1, hour, minute, second, tzinfo=datetime.UTC)
            away = datetime.timedelta(hours=int(found[8] or 0), minutes=int(found[9] or 0))
            return moment + away if found[7] == "-" else moment - away
        return datetime.datetime.strptime(text.removesuffix(" GMT"), "%a, %d %b %Y %H:%M:%S").replace(
            tzinfo=datetime.UTC
        )
    except ValueError:
        return None
