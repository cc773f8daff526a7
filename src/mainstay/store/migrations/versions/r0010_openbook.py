"""Records know what a cache did for a call, and what its answer rests on."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the columns; of calls that were recorded before neither has anything to say."""
    for name in ("cache", "grounding"):
        op.add_column("records", sa.Column(name, sa.Text(), nullable=False, server_default=""))
