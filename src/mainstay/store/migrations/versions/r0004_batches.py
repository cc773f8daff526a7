"""Files that callers leave here, and batches."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "files",
        sa.Column("id", sa.Text(), primary_key=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("owner", "node", "purpose", "filename")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("bytes", "created_at", "expires_at")),
    )
    op.create_index("files_owner", "files", ["owner", "created_at"])
    op.create_index("files_expires", "files", ["expires_at"])
    op.create_table(
        "batches",
        sa.Column("id", sa.Text(), primary_key=True),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("owner", "node", "key", "endpoint", "input_file_id", "completion_window", "status")
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        *(
            sa.Column(f"{state}_at", sa.BigInteger())
            for state in ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")
        ),
        sa.Column("output_lifetime", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("total", "completed", "failed")),
        *(sa.Column(name, sa.Text()) for name in ("output_file_id", "error_file_id", "metadata", "errors")),
    )
    op.create_index("batches_owner", "batches", ["owner", "created_at"])
    op.create_index("batches_status", "batches", ["status"])
