"""Records know what the rails of their route said of them."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column; of calls that were recorded before no rail has said anything."""
    op.add_column("records", sa.Column("verdicts", sa.Text(), nullable=False, server_default=""))
