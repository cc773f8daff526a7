"""First tables: records with their attempts and contents, the loader's offsets, keys, settings."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _records()
    _parts_of_records()
    _keys()


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _records() -> None:
    op.create_table(
        "records",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text(), nullable=False, unique=True),
        _text("request_id"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *(_text(name) for name in ("operation", "dialect", "method", "path")),
        sa.Column("stream", sa.Boolean(), nullable=False),
        *(_text(name) for name in ("key", "team", "asked", "route", "target", "provider", "vendor", "served")),
        _text("outcome"),
        sa.Column("status", sa.Integer(), nullable=False),
        _text("error"),
        _text("finish"),
        *(
            sa.Column(f"{kind}_tokens", sa.BigInteger())
            for kind in (
                "input",
                "output",
                "cache_read",
                "cache_write",
                "cache_write_1h",
                "reasoning",
                "audio_input",
                "audio_output",
            )
        ),
        sa.Column("estimated", sa.Boolean()),
        sa.Column("first_ms", sa.Double()),
        sa.Column("total_ms", sa.Double(), nullable=False),
        sa.Column("waited_ms", sa.Double(), nullable=False),
        sa.Column("overhead_ms", sa.Double(), nullable=False),
        sa.Column("cost_picousd", sa.BigInteger()),
        _text("config"),
        sa.Column("worker", sa.Integer(), nullable=False),
        sa.Column("request_bytes", sa.BigInteger(), nullable=False),
        sa.Column("response_bytes", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("records_at", "records", ["at"])
    op.create_index("records_request_id", "records", ["request_id"])
    for column in ("route", "target", "key", "team", "outcome", "status", "error"):
        op.create_index(f"records_{column}_at", "records", [column, "at"])


def _parts_of_records() -> None:
    op.create_table(
        "attempts",
        sa.Column("record_id", sa.Text(), sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("seq", sa.Integer(), primary_key=True),
        *(_text(name) for name in ("target", "provider", "cause", "outcome")),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("offset_ms", sa.Double(), nullable=False),
        sa.Column("headers_ms", sa.Double()),
        sa.Column("first_ms", sa.Double()),
        sa.Column("total_ms", sa.Double(), nullable=False),
        *(_text(name) for name in ("upstream_model", "upstream_id", "address")),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        _text("detail"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "contents",
        sa.Column("record_id", sa.Text(), sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
        _text("request"),
        _text("response"),
    )
    op.create_table(
        "journals",
        sa.Column("file", sa.Text(), primary_key=True),
        sa.Column("loaded_bytes", sa.BigInteger(), nullable=False),
    )


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Text(), primary_key=True),
        _text("name"),
        _text("team"),
        sa.Column("routes", sa.Text()),
        sa.Column("digest", sa.LargeBinary(), nullable=False, unique=True),
        _text("hint"),
        sa.Column("old_digest", sa.LargeBinary()),
        sa.Column("old_expires_at", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("rotated_at", sa.BigInteger()),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.Column("budget", sa.Text()),
        sa.Column("rpm", sa.BigInteger()),
        sa.Column("tpm", sa.BigInteger()),
    )
    alive = sa.text("revoked_at IS NULL")
    op.create_index("keys_name_alive", "keys", ["name"], unique=True, sqlite_where=alive, postgresql_where=alive)
    op.create_table(
        "settings",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("value", sa.Text(), nullable=False),
    )
