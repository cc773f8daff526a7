from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import InvalidRequest
from mainstay.identity.roles import (
    INSTALLATION,
    PERMISSIONS,
    Grant,
    Permission,
    Role,
    Scope,
    allowed,
    allowed_anywhere,
    dominates,
    parse_grant,
    parse_scope,
)

WEB = Scope("shop", "web")
SCOPES = st.sampled_from([INSTALLATION, Scope("shop"), Scope("lab"), WEB, Scope("shop", "app"), Scope("lab", "web2")])
GRANTS = st.lists(st.builds(Grant, st.sampled_from(Role), SCOPES), max_size=4)


def test_who_has_no_role_may_do_nothing() -> None:
    assert not any(allowed([], permission) or allowed_anywhere([], permission) for permission in Permission)


def test_only_owners_give_roles() -> None:
    assert [role for role in Role if Permission.GRANTS_WRITE in PERMISSIONS[role]] == [Role.OWNER]


def test_an_owner_may_do_everything_and_an_admin_all_but_give_roles() -> None:
    assert PERMISSIONS[Role.OWNER] == set(Permission)
    assert PERMISSIONS[Role.ADMIN] == set(Permission) - {Permission.GRANTS_WRITE}


def test_what_was_said_is_for_those_who_must_read_it() -> None:
    readers = {role for role in Role if Permission.CONTENT_READ in PERMISSIONS[role]}
    assert readers == {Role.OWNER, Role.ADMIN, Role.REVIEWER}


def test_auditors_and_viewers_change_nothing_and_reviewers_only_decide() -> None:
    for role, changed in ((Role.AUDITOR, set()), (Role.REVIEWER, {Permission.REVIEWS_WRITE}), (Role.VIEWER, set())):
        assert {one for one in PERMISSIONS[role] if not one.value.endswith(".read")} == changed


def test_keys_are_made_by_owners_admins_and_developers() -> None:
    makers = {role for role in Role if Permission.KEYS_WRITE in PERMISSIONS[role]}
    assert makers == {Role.OWNER, Role.ADMIN, Role.DEVELOPER}


def test_every_role_has_a_row() -> None:
    assert set(PERMISSIONS) == set(Role)


@pytest.mark.parametrize(
    ("held", "asked", "inside"),
    [
        (INSTALLATION, INSTALLATION, True),
        (INSTALLATION, WEB, True),
        (Scope("shop"), Scope("shop"), True),
        (Scope("shop"), WEB, True),
        (Scope("shop"), INSTALLATION, False),
        (Scope("shop"), Scope("lab"), False),
        (Scope("shop"), Scope("lab", "web"), False),
        (Scope(team="web"), WEB, True),
        (Scope(team="web"), Scope("shop"), False),
        (Scope(team="web"), Scope("shop", "app"), False),
        (Scope(team="web"), INSTALLATION, False),
    ],
)
def test_a_grant_holds_for_what_lies_inside_its_scope(held: Scope, asked: Scope, inside: bool) -> None:
    assert allowed([Grant(Role.OWNER, held)], Permission.KEYS_WRITE, asked) is inside


@given(GRANTS, st.sampled_from(Permission), SCOPES)
def test_what_is_allowed_somewhere_in_particular_is_allowed_somewhere(
    grants: list[Grant], permission: Permission, scope: Scope
) -> None:
    if allowed(grants, permission, scope):
        assert allowed_anywhere(grants, permission)
        assert any(permission in PERMISSIONS[grant.role] for grant in grants)


@given(GRANTS, GRANTS, st.sampled_from(Permission), SCOPES)
def test_who_dominates_another_may_do_all_that_the_other_may(
    mine: list[Grant], theirs: list[Grant], permission: Permission, scope: Scope
) -> None:
    if dominates(mine, [(grant, grant.scope) for grant in theirs]) and allowed(theirs, permission, scope):
        assert allowed(mine, permission, scope)


@given(st.sampled_from(Role), SCOPES)
def test_a_grant_reads_as_it_is_written(role: Role, scope: Scope) -> None:
    written = str(Grant(role, scope))
    assert str(parse_grant(written)) == written
    assert parse_grant(written).role is role


@pytest.mark.parametrize(
    "text", ["", "root", "owner@", "owner@team:", "owner@web", "owner@team:a b", "owner@organisation"]
)
def test_what_is_no_grant_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_grant(text)


def test_a_role_without_a_scope_is_at_the_one_given() -> None:
    assert parse_grant("viewer", Scope(team="web")) == Grant(Role.VIEWER, Scope(team="web"))
    assert parse_scope("installation") == INSTALLATION


def test_the_docs_have_the_table_as_it_is() -> None:
    text = (Path(__file__).parents[2] / "docs" / "access.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]
    table = {row[0].strip("`"): row[1:] for row in rows if row[0].strip("`") in list(Permission)}
    assert set(table) == set(Permission)
    for permission, cells in table.items():
        marked = {role for role, cell in zip(Role, cells, strict=True) if cell}
        assert marked == {role for role in Role if permission in PERMISSIONS[role]}, permission
