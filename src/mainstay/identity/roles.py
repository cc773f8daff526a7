"""What each role may do, and where: one table, and the decisions that are made from it. Pure; deny by default.

A grant gives a role at a scope: the whole installation, one organisation, or one team. A grant holds for what lies
inside its scope and for nothing else.
"""

import re
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from mainstay.core.errors import InvalidRequest

__all__ = [
    "DEFAULT_ORGANISATION",
    "INSTALLATION",
    "PERMISSIONS",
    "Grant",
    "Permission",
    "Role",
    "Scope",
    "allowed",
    "allowed_anywhere",
    "dominates",
    "parse_grant",
    "parse_scope",
]

#: Where a key or team belongs that names no organisation.
DEFAULT_ORGANISATION = "default"


class Permission(StrEnum):
    """One thing that may be done through the admin API."""

    ORGANISATIONS_READ = "organisations.read"
    ORGANISATIONS_WRITE = "organisations.write"
    TEAMS_READ = "teams.read"
    TEAMS_WRITE = "teams.write"
    PEOPLE_READ = "people.read"
    PEOPLE_WRITE = "people.write"
    GRANTS_READ = "grants.read"
    GRANTS_WRITE = "grants.write"
    KEYS_READ = "keys.read"
    KEYS_WRITE = "keys.write"
    MODELS_READ = "models.read"
    CONFIG_READ = "config.read"
    CONFIG_WRITE = "config.write"
    PROCESSES_READ = "processes.read"
    PROCESSES_WRITE = "processes.write"
    RECORDS_READ = "records.read"
    CONTENT_READ = "content.read"
    BATCHES_READ = "batches.read"
    BATCHES_WRITE = "batches.write"
    PRICES_READ = "prices.read"
    PRICES_WRITE = "prices.write"
    SPEND_READ = "spend.read"
    BUDGETS_READ = "budgets.read"
    BUDGETS_WRITE = "budgets.write"
    REVIEWS_READ = "reviews.read"
    REVIEWS_WRITE = "reviews.write"
    KNOWLEDGE_READ = "knowledge.read"
    KNOWLEDGE_WRITE = "knowledge.write"


class Role(StrEnum):
    """A set of permissions with a name; see :data:`PERMISSIONS`."""

    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"
    FINANCE = "finance"
    AUDITOR = "auditor"
    DEVELOPER = "developer"
    REVIEWER = "reviewer"
    VIEWER = "viewer"


_P = Permission
_VIEWER = frozenset(
    {_P.ORGANISATIONS_READ, _P.TEAMS_READ, _P.MODELS_READ, _P.PROCESSES_READ, _P.PRICES_READ, _P.SPEND_READ}
)

#: What each role may do. Nothing else is allowed to anyone.
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    # Everything, and alone in giving and taking roles.
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(Permission) - {_P.GRANTS_WRITE},
    # Keeps it running: no people, no money, no words of anyone.
    Role.OPERATOR: _VIEWER
    | {_P.CONFIG_READ, _P.CONFIG_WRITE, _P.PROCESSES_WRITE, _P.BATCHES_READ, _P.BATCHES_WRITE, _P.RECORDS_READ}
    | {_P.KEYS_READ, _P.KNOWLEDGE_READ},
    Role.FINANCE: _VIEWER | {_P.KEYS_READ, _P.PRICES_WRITE, _P.BUDGETS_READ, _P.BUDGETS_WRITE},
    # Sees everything but what was said, and changes nothing.
    Role.AUDITOR: frozenset(p for p in Permission if p.value.endswith(".read")) - {_P.CONTENT_READ},
    # Works with models: keys and records, usually of one team.
    Role.DEVELOPER: _VIEWER
    | {_P.KEYS_READ, _P.KEYS_WRITE, _P.RECORDS_READ, _P.BATCHES_READ, _P.BATCHES_WRITE, _P.BUDGETS_READ}
    | {_P.KNOWLEDGE_READ},
    # Reads what was said, to judge it, and decides what may pass.
    Role.REVIEWER: frozenset({_P.TEAMS_READ, _P.MODELS_READ, _P.RECORDS_READ, _P.CONTENT_READ})
    | {_P.REVIEWS_READ, _P.REVIEWS_WRITE, _P.KNOWLEDGE_READ},
    Role.VIEWER: _VIEWER,
}


class Scope(msgspec.Struct, frozen=True):
    """Where something lies: in a team of an organisation, in an organisation, or (both "") in the installation."""

    organisation: str = ""
    team: str = ""

    def __str__(self) -> str:
        """Return it as people write it: ``installation``, ``organisation:NAME`` or ``team:NAME``."""
        if self.team:
            return f"team:{self.team}"
        return f"organisation:{self.organisation}" if self.organisation else "installation"

    def covers(self, other: "Scope") -> bool:
        """Return whether ``other`` lies inside. A team's name is its own in the whole installation."""
        if self.team:
            return other.team == self.team
        return not self.organisation or other.organisation == self.organisation


INSTALLATION = Scope()


class Grant(msgspec.Struct, frozen=True):
    """A role at a scope, which names a team without its organisation: ``Scope(team="web")``."""

    role: Role
    scope: Scope = INSTALLATION

    def __str__(self) -> str:
        """Return it as people write it: ``developer@team:web``."""
        return f"{self.role}@{self.scope}"


def allowed(grants: Iterable[Grant], permission: Permission, scope: Scope = INSTALLATION) -> bool:
    """Return whether ``permission`` is given for what lies at ``scope``; for the installation itself by default."""
    return any(permission in PERMISSIONS[grant.role] and grant.scope.covers(scope) for grant in grants)


def allowed_anywhere(grants: Iterable[Grant], permission: Permission) -> bool:
    """Return whether ``permission`` is given somewhere, be it for one team."""
    return any(permission in PERMISSIONS[grant.role] for grant in grants)


def dominates(mine: Iterable[Grant], theirs: Iterable[tuple[Grant, Scope]]) -> bool:
    """Return whether who has ``mine`` may do all that ``theirs`` allow: else, who could act on them could rise.

    Each of ``theirs`` comes with its scope in full: the organisation of its team too.
    """
    mine = tuple(mine)
    return all(allowed(mine, permission, scope) for grant, scope in theirs for permission in PERMISSIONS[grant.role])


_SCOPE = re.compile(r"(organisation|team):([A-Za-z0-9][A-Za-z0-9._:/@-]{0,127})")


def parse_scope(text: str) -> Scope:
    """Return ``installation``, ``organisation:NAME`` or ``team:NAME`` as a scope.

    Raises:
        InvalidRequest: it is none of them.
    """
    if text == "installation":
        return INSTALLATION
    match = _SCOPE.fullmatch(text)
    if match is None:
        raise InvalidRequest("A scope is 'installation', 'organisation:NAME' or 'team:NAME'.", param="scope")
    return Scope(match[2]) if match[1] == "organisation" else Scope(team=match[2])


def parse_grant(text: str, default: Scope = INSTALLATION) -> Grant:
    """Return ``ROLE`` (at ``default``) or ``ROLE@SCOPE`` as a grant.

    Raises:
        InvalidRequest: there is no such role, or that is no scope.
    """
    name, at, where = text.partition("@")
    if name not in list(Role):
        raise InvalidRequest(f"There is no role '{name[:40]}'; there are: {', '.join(Role)}.", param="role")
    return Grant(Role(name), parse_scope(where) if at else default)
