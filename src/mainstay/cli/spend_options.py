"""What the verbs of ``mainstay spend`` share: what is asked for, the database as it stands now, amounts in words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from mainstay.cli.database import load_newest, opened
from mainstay.cli.options import find_config
from mainstay.config import Loaded, load_config
from mainstay.core.clock import wall_ms
from mainstay.core.config import parse_duration
from mainstay.cost.periods import Calendar

if TYPE_CHECKING:  # SQLAlchemy costs a quarter of a second, which 'mainstay --help' should not
    from sqlalchemy import Engine

    from mainstay.cost.reports import Question

__all__ = [
    "Books",
    "By",
    "Key",
    "Model",
    "Organisation",
    "Provider",
    "Route",
    "Since",
    "Tag",
    "Team",
    "Until",
    "User",
    "Zone",
    "dimensions",
    "moment",
    "opened_books",
    "said",
    "short",
]

By = Annotated[str, typer.Option("--by", metavar="WHAT,…", help="Sums for each of these; see above.")]
Since = Annotated[str, typer.Option(help="From then on: 12h, 30d (from the start of a day), or 2026-11-01.")]
Until = Annotated[str, typer.Option(help="Until then, which is left out: 1d, or 2026-12-01.")]
Zone = Annotated[str, typer.Option(help="Where days begin, such as Europe/Zurich.")]
Organisation = Annotated[list[str] | None, typer.Option(help="Only this organisation; may be repeated, as all these.")]
Team = Annotated[list[str] | None, typer.Option(help="Only this team.")]
Key = Annotated[list[str] | None, typer.Option(help="Only this key, by its name or id.")]
User = Annotated[list[str] | None, typer.Option(help="Only this end user.")]
Route = Annotated[list[str] | None, typer.Option(help="Only this route.")]
Model = Annotated[list[str] | None, typer.Option(help="Only this model, by its name in 'models'.")]
Provider = Annotated[list[str] | None, typer.Option(help="Only this provider, by its name in 'providers'.")]
Tag = Annotated[list[str] | None, typer.Option(help="Only calls with this tag.")]


@dataclass(frozen=True)
class Books:
    """The database with all that is known by now, and the names of keys by their ids."""

    engine: "Engine"
    loaded: Loaded
    names: dict[str, str]

    @property
    def vendors(self) -> dict[str, str]:
        """The vendor of each provider that is configured."""
        return {name: provider.kind for name, provider in self.loaded.config.providers.items()}

    def question(
        self, by: tuple[str, ...], since: str, until: str, zone: str, where: dict[str, list[str] | None]
    ) -> "Question":
        """Return what the options ask for.

        Raises:
            typer.BadParameter: a time or the zone cannot be read.
        """
        from mainstay.cost.reports import Question

        conditions = []
        for name, values in where.items():
            if values:
                known = self.ids(values) if name == "key" else tuple(values)
                conditions.append((name, known))
        now = wall_ms()
        return Question(
            by,
            moment(since, "--since", zone, now) if since else None,
            moment(until, "--until", zone, now) if until else None,
            tuple(conditions),
            zone=zone,
            vendors=self.vendors,
        )

    def ids(self, keys: list[str]) -> tuple[str, ...]:
        """Return the ids of keys that are given by name or id."""
        return (*keys, *(id_ for id_, name in self.names.items() if name in keys))


@contextmanager
def opened_books(config: Path | None) -> Iterator[Books]:
    """Open the database of a configuration, with what the workers have written since."""
    from mainstay.identity.service import key_names

    loaded = load_config(find_config(config), os.environ)
    with opened(loaded) as engine:
        load_newest(engine, loaded)
        yield Books(engine, loaded, key_names(engine))


def dimensions(text: str) -> tuple[str, ...]:
    """Return the dimensions of ``team,model``.

    Raises:
        typer.BadParameter: there is no such dimension.
    """
    from mainstay.cost.reports import DIMENSIONS

    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in DIMENSIONS:
            raise typer.BadParameter(f"'{name}' is none of {', '.join(DIMENSIONS)}.", param_hint="--by")
    return names


def moment(text: str, option: str, zone: str, now: int) -> int:
    """Return wall-clock ms of ``12h`` ago, of the day ``30d`` ago, or of a date and time in ``zone``.

    Raises:
        typer.BadParameter: it is none of these, or there is no such zone.
    """
    try:
        calendar = Calendar(zone)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--zone") from None
    try:
        seconds = parse_duration(text)
    except ValueError:
        pass
    else:
        if text.strip().endswith("d") and seconds % 86400 == 0:
            return calendar.back(int(seconds // 86400), now)
        return now - round(seconds * 1000)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("write 12h, 30d, 2026-11-01 or 2026-11-01T08:00.", param_hint=option) from None
    place: tzinfo = UTC if zone == "UTC" else ZoneInfo(zone)
    return round((found if found.tzinfo else found.replace(tzinfo=place)).timestamp() * 1000)


def short(picousd: float) -> str:
    """Return an amount for people: cents from a dollar up, three digits below."""
    usd = picousd / 1e12
    if abs(usd) >= 0.995 or not usd:
        return f"{usd:,.2f}"
    digits = f"{usd:.3g}"
    return f"{usd:.15f}".rstrip("0") if "e" in digits else digits


def said(rows: object, none: str) -> None:
    """Say ``none`` to people, beside what a script reads, where there are no rows."""
    if not rows:
        typer.echo(none, err=True)
