"""Organisations, teams, people, what they may do, and their sessions."""

import time

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables; the teams that keys name already belong to the organisation ``default``."""
    organisations = op.create_table(
        "organisations",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    teams = op.create_table(
        "teams",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("teams_organisation", "teams", ["organisation"])
    op.create_table(
        "people",
        sa.Column("id", sa.Text(), primary_key=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("issuer", "subject", "email", "name")),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger()),
        sa.Column("disabled_at", sa.BigInteger()),
        sa.UniqueConstraint("issuer", "subject"),
    )
    op.create_table(
        "grants",
        sa.Column("id", sa.Text(), primary_key=True),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("holder_kind", "holder", "role", "organisation", "team", "source", "created_by")
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("holder_kind", "holder", "role", "organisation", "team", "source"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False, unique=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("holder_kind", "holder", "agent")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("created_at", "seen_at", "expires_at")),
        sa.Column("revoked_at", sa.BigInteger()),
    )
    op.create_index("sessions_holder", "sessions", ["holder_kind", "holder"])
    op.create_index("sessions_expires", "sessions", ["expires_at"])
    now = round(time.time() * 1000)
    op.bulk_insert(organisations, [{"name": "default", "title": "", "created_at": now}])
    named = op.get_bind().execute(sa.text("SELECT DISTINCT team FROM keys WHERE team <> ''")).scalars()
    rows = [{"name": name, "organisation": "default", "title": "", "created_at": now} for name in named]
    op.bulk_insert(teams, rows)
