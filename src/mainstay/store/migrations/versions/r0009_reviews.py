"""Requests that wait for a person, and what was decided."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0009"
down_revision = "0008"

_TEXTS = ("organisation", "team", "key", "user", "route", "rail", "where", "kinds", "digest", "mark", "status")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "reviews",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in (*_TEXTS, "record", "reason", "label", "decided_by", "data_key")
        ),
        sa.Column("score", sa.Float()),
        sa.Column("decided_at", sa.BigInteger()),
        sa.Column("content", sa.Text()),
        sa.Column("version", sa.BigInteger(), nullable=False),
    )
    for name in ("at", "mark", "version"):
        op.create_index(f"reviews_{name}", "reviews", [name])
    op.create_index("reviews_status", "reviews", ["status", "id"])
