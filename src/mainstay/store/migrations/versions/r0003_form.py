"""Records know which prompt and language a call had, what was read for the model, and who served by its own account."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; of what was recorded before nothing is known."""
    for name in ("prompt", "language", "steps", "fingerprint"):
        op.add_column("records", sa.Column(name, sa.Text(), nullable=False, server_default=""))
