"""Organisations, teams, people and what they may do: made, listed, changed and removed.

Stands between the tables and whoever administers them: the command line and the admin API. Judges no one: who may do
what is the caller's to ask of ``roles``. A change that a worker must know counts the version of the keys.
"""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from mainstay.core.audit import Details
from mainstay.core.clock import wall_ms
from mainstay.core.errors import InvalidRequest, NotFound
from mainstay.core.ids import uuid7
from mainstay.identity import store
from mainstay.identity.keys import check_name
from mainstay.identity.roles import DEFAULT_ORGANISATION, Grant, Role, Scope
from mainstay.identity.store import GrantRow, OrganisationRow, PersonRow, SessionRow, TeamRow
from mainstay.store.audit import record_event
from mainstay.store.sql import reading, writing

__all__ = ["SYSTEM", "Directory", "ensure_team", "give", "grants_of", "scope_of"]

#: Who did it, in the audit log, where nobody says who.
SYSTEM = "mainstay"
_LONGEST_TITLE = 200
_Row = TypeVar("_Row", OrganisationRow, TeamRow)


class Directory:
    """Everyone and everything that keys belong to, of one installation."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # Organisations and teams.

    def organisations(self) -> list[OrganisationRow]:
        """Return all organisations, the oldest first."""
        with reading(self._engine) as connection:
            return store.every(connection, OrganisationRow)

    def add_organisation(self, name: str, title: str = "", *, by: str = "") -> OrganisationRow:
        """Make an organisation.

        Raises:
            InvalidRequest: the name is none or is taken.
        """
        row = OrganisationRow(check_name(name), _title(title), wall_ms())
        taken = f"An organisation called '{name}' exists: choose another name."
        return self._add(row, taken, by, "organisations.create", f"organisation:{name}", {})

    def remove_organisation(self, name: str, *, by: str = "") -> None:
        """Remove an organisation, and the roles that were given in it.

        Raises:
            NotFound: there is none.
            InvalidRequest: it has teams, or is the one that keys belong to by default.
        """
        with writing(self._engine) as connection:
            _organisation(connection, name)
            if name == DEFAULT_ORGANISATION:
                raise InvalidRequest("The default organisation cannot be deleted: keys without a team belong to it.")
            if store.every(connection, TeamRow, organisation=name):
                raise InvalidRequest(f"The organisation '{name}' has teams: delete them first.", status=409)
            store.remove(connection, GrantRow, organisation=name)
            store.remove(connection, OrganisationRow, name=name)
            record_event(self._engine, connection, by or SYSTEM, "organisations.delete", f"organisation:{name}")

    def teams(self) -> list[TeamRow]:
        """Return all teams, the oldest first."""
        with reading(self._engine) as connection:
            return store.every(connection, TeamRow)

    def team(self, name: str) -> TeamRow:
        """Return one team.

        Raises:
            NotFound: there is none.
        """
        with reading(self._engine) as connection:
            return _team(connection, name)

    def add_team(
        self, name: str, organisation: str = DEFAULT_ORGANISATION, title: str = "", *, by: str = ""
    ) -> TeamRow:
        """Make a team.

        Raises:
            InvalidRequest: the name is none or is taken, in this organisation or another.
            NotFound: there is no such organisation.
        """
        row = TeamRow(check_name(name, "team"), organisation, _title(title), wall_ms())
        with reading(self._engine) as connection:
            _organisation(connection, organisation)
        taken = f"A team called '{name}' exists: choose another name."
        return self._add(row, taken, by, "teams.create", f"team:{name}", {"organisation": organisation})

    def remove_team(self, name: str, *, by: str = "") -> None:
        """Remove a team, and the roles that were given in it.

        Raises:
            NotFound: there is none.
            InvalidRequest: keys of it are alive.
        """
        with writing(self._engine) as connection:
            _team(connection, name)
            if store.count_keys(connection, name):
                raise InvalidRequest(f"The team '{name}' has keys: revoke them first.", status=409)
            store.remove(connection, GrantRow, team=name)
            store.remove(connection, TeamRow, name=name)
            record_event(self._engine, connection, by or SYSTEM, "teams.delete", f"team:{name}")

    def scopes(self) -> dict[str, Scope]:
        """Return the scope of every team, and under "" that of keys without one."""
        with reading(self._engine) as connection:
            found = store.organisation_of(connection)
        return {"": Scope(DEFAULT_ORGANISATION)} | {team: Scope(home, team) for team, home in found.items()}

    def homes(self) -> dict[str, str]:
        """Return the organisation of every team, and under "" that of keys without one."""
        return {team: scope.organisation for team, scope in self.scopes().items()}

    # People.

    def people(self) -> list[PersonRow]:
        """Return all people, the oldest first."""
        with reading(self._engine) as connection:
            return store.every(connection, PersonRow)

    def person(self, reference: str) -> PersonRow:
        """Return a person by id or by email.

        Raises:
            NotFound: there is none.
            InvalidRequest: several have the email.
        """
        with reading(self._engine) as connection:
            return _person(connection, reference)

    def welcome(self, issuer: str, subject: str, email: str, name: str, mapped: Sequence[Grant]) -> PersonRow:
        """Take in who signed in; what the provider says of their roles replaces what it said before.

        Raises:
            InvalidRequest: the person is disabled (403).
        """
        now = wall_ms()
        with writing(self._engine) as connection:
            row = store.find(connection, PersonRow, issuer=issuer, subject=subject)
            if row is None:
                row = PersonRow(f"per_{uuid7()}", issuer, subject, email, name, now, now)
                store.add(connection, row)
                record_event(self._engine, connection, f"person:{row.id}", "people.create", f"person:{row.id}")
            elif row.disabled_at is not None:
                raise InvalidRequest(
                    "You may not sign in here any more; ask an owner.", code="person_disabled", status=403
                )
            else:
                store.change(connection, PersonRow, row.id, email=email, name=name, seen_at=now)
            given = sorted({str(grant) for grant in mapped})
            before = sorted(_shown(one) for one in _from_provider(connection, row.id))
            store.remove(connection, GrantRow, holder_kind="person", holder=row.id, source="oidc")
            for grant in mapped:
                give(self._engine, connection, "person", row.id, grant, source="oidc", told=True)
            if given != before:
                said = {"roles": given, "before": before}
                record_event(self._engine, connection, "oidc", "grants.map", f"person:{row.id}", said)
            found = store.find(connection, PersonRow, id=row.id)
        return found or row

    def disable(self, reference: str, *, again: bool = False, by: str = "") -> PersonRow:
        """Let a person in no more and end their sessions; with ``again``, let them in again.

        Raises:
            NotFound: there is no such person.
        """
        now = wall_ms()
        with writing(self._engine) as connection:
            row = _person(connection, reference)
            store.change(connection, PersonRow, row.id, disabled_at=None if again else row.disabled_at or now)
            if not again:
                store.remove(connection, SessionRow, holder_kind="person", holder=row.id)
            action = "people.enable" if again else "people.disable"
            record_event(self._engine, connection, by or SYSTEM, action, f"person:{row.id}")
            return _person(connection, row.id)

    # Roles.

    def grants(self, holder_kind: str | None = None, holder: str | None = None) -> list[GrantRow]:
        """Return the roles of one holder, or of all, the oldest first."""
        where = {"holder_kind": holder_kind, "holder": holder}
        with reading(self._engine) as connection:
            return store.every(connection, GrantRow, **{name: value for name, value in where.items() if value})

    def grant(self, holder_kind: str, holder: str, grant: Grant, by: str = "") -> GrantRow:
        """Give a role; giving it again changes nothing. ``holder`` is an id, ``by`` says who gave it.

        Raises:
            NotFound: there is no such person, key, team or organisation.
        """
        with writing(self._engine) as connection:
            if holder_kind == "person":
                holder = _person(connection, holder).id
            elif not (found := store.rows_named(connection, holder)):
                raise NotFound(f"There is no key '{holder[:128]}'.")
            else:
                holder = next((row for row in found if row.revoked_at is None), found[0]).id
            scope_of(connection, grant.scope)
            return give(self._engine, connection, holder_kind, holder, grant, by=by)

    def take(self, grant_id: str, *, by: str = "") -> GrantRow:
        """Take a role away and return what it was.

        Raises:
            NotFound: nobody has it.
        """
        with writing(self._engine) as connection:
            row = store.find(connection, GrantRow, id=grant_id)
            if row is None:
                raise NotFound(f"There is no grant '{grant_id[:128]}'.")
            store.remove(connection, GrantRow, id=grant_id)
            said = {"grant": row.id, "role": _shown(row)}
            holder = f"{row.holder_kind}:{row.holder}"
            record_event(self._engine, connection, by or SYSTEM, "grants.delete", holder, said)
            return row

    def held(self, holder_kind: str, holder: str) -> list[tuple[Grant, Scope]]:
        """Return what a holder may do, each grant with its scope in full."""
        with reading(self._engine) as connection:
            homes = store.organisation_of(connection)
            found = grants_of(connection, holder_kind, holder)
        return [(grant, _full(grant.scope, homes)) for grant in found]

    def full(self, scope: Scope) -> Scope:
        """Return a scope with the organisation of its team.

        Raises:
            NotFound: there is no such team or organisation.
        """
        with reading(self._engine) as connection:
            return scope_of(connection, scope)

    def _add(self, row: _Row, taken: str, by: str, action: str, subject: str, said: Details) -> _Row:
        try:
            with writing(self._engine) as connection:
                store.add(connection, row)
                record_event(self._engine, connection, by or SYSTEM, action, subject, said)
        except IntegrityError:
            raise InvalidRequest(taken, param="name", code="name_taken", status=409) from None
        return row


def grants_of(connection: Connection, holder_kind: str, holder: str) -> tuple[Grant, ...]:
    """Return the roles of a holder; one that this version does not know counts for nothing."""
    found = store.every(connection, GrantRow, holder_kind=holder_kind, holder=holder)
    return tuple(Grant(Role(row.role), Scope(row.organisation, row.team)) for row in found if row.role in list(Role))


def give(
    engine: Engine,
    connection: Connection,
    holder_kind: str,
    holder: str,
    grant: Grant,
    *,
    source: str = "manual",
    by: str = "",
    told: bool = False,
) -> GrantRow:
    """Give a role in a transaction under way; giving it again changes nothing. ``told``: the audit log knows."""
    where = {
        "holder_kind": holder_kind,
        "holder": holder,
        "role": grant.role.value,
        "organisation": "" if grant.scope.team else grant.scope.organisation,
        "team": grant.scope.team,
        "source": source,
    }
    row = GrantRow(id=f"grant_{uuid7()}", created_by=by, created_at=wall_ms(), **where)
    store.add_unless_there(engine, connection, row)
    found = store.find(connection, GrantRow, **where) or row
    if found.id == row.id and not told:
        said = {"grant": row.id, "role": str(grant), "source": source}
        record_event(engine, connection, by or SYSTEM, "grants.create", f"{holder_kind}:{holder}", said)
    return found


def ensure_team(engine: Engine, connection: Connection, name: str, *, by: str = "") -> None:
    """Make the team in the default organisation unless it is there; for keys that name it."""
    if name and store.find(connection, TeamRow, name=name) is None:
        store.add(connection, TeamRow(name, DEFAULT_ORGANISATION, "", wall_ms()))
        said = {"organisation": DEFAULT_ORGANISATION}
        record_event(engine, connection, by or SYSTEM, "teams.create", f"team:{name}", said)


def _from_provider(connection: Connection, person: str) -> list[GrantRow]:
    return store.every(connection, GrantRow, holder_kind="person", holder=person, source="oidc")


def _shown(row: GrantRow) -> str:
    return f"{row.role}@{Scope(row.organisation, row.team)}"


def scope_of(connection: Connection, scope: Scope) -> Scope:
    """Return a scope with the organisation of its team.

    Raises:
        NotFound: there is no such team or organisation.
    """
    if scope.team:
        return Scope(_team(connection, scope.team).organisation, scope.team)
    if scope.organisation:
        _organisation(connection, scope.organisation)
    return scope


def _full(scope: Scope, homes: dict[str, str]) -> Scope:
    return Scope(homes.get(scope.team, ""), scope.team) if scope.team else scope


def _organisation(connection: Connection, name: str) -> OrganisationRow:
    row = store.find(connection, OrganisationRow, name=name)
    if row is None:
        raise NotFound(f"There is no organisation '{name[:128]}'.", param="organisation")
    return row


def _team(connection: Connection, name: str) -> TeamRow:
    row = store.find(connection, TeamRow, name=name)
    if row is None:
        raise NotFound(f"There is no team '{name[:128]}'.", param="team")
    return row


def _person(connection: Connection, reference: str) -> PersonRow:
    found = store.every(connection, PersonRow, id=reference) or store.every(connection, PersonRow, email=reference)
    # Not everyone has an email.
    if not found or not reference:
        raise NotFound(f"Nobody with the id or email '{reference[:128]}' has signed in.")
    if len(found) > 1:
        raise InvalidRequest(f"Several people have the email '{reference[:128]}': give an id.")
    return found[0]


def _title(text: str) -> str:
    if len(text) > _LONGEST_TITLE or not text.isprintable():
        raise InvalidRequest(f"A title is up to {_LONGEST_TITLE} printable characters.", param="title")
    return text
