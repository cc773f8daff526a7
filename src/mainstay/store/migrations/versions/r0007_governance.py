"""The audit log and its checkpoints, keys that content is sealed with, and which key seals a record's content."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables; content that is there is plain, and is sealed in the background where that is wanted."""
    op.create_table(
        "audit_events",
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("actor", "action", "subject", "body")),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
    )
    op.create_index("audit_events_at", "audit_events", ["at"])
    op.create_index("audit_events_subject", "audit_events", ["subject"])
    op.create_table(
        "audit_checkpoints",
        sa.Column("size", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("root", "previous", "frontier", "signature")),
        sa.Column("key", sa.Text(), nullable=False),
    )
    for table in ("audit_events", "audit_checkpoints"):
        _append_only(table)
    op.create_table(
        "data_keys",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("master", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("data_keys_tenant", "data_keys", ["tenant", "created_at"])
    op.create_index("data_keys_master", "data_keys", ["master"])
    op.add_column("contents", sa.Column("data_key", sa.Text(), nullable=False, server_default=""))
    op.create_index("contents_data_key", "contents", ["data_key"])
    named = sa.text("\"user\" <> ''")
    op.create_index("records_user", "records", ["user"], sqlite_where=named, postgresql_where=named)


def _append_only(table: str) -> None:
    """See to it that what is said in the log stays said."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION mainstay_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION mainstay_audit_append_only()"
    )
