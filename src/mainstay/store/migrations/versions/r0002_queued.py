"""Records know how long a call waited for room or for its turn."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; what was recorded before had not waited."""
    op.add_column("records", sa.Column("queued_ms", sa.Double(), nullable=False, server_default="0"))
