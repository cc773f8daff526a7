"""The ledger: what each attempt cost, who was charged for it, and how budgets stand; energy of each call."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables; records that are there have no cost, since they had no price."""
    for name in ("organisation", "user", "process", "energy_method", "tags"):
        op.add_column("records", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    for name in ("energy_wh", "energy_low_wh", "energy_high_wh"):
        op.add_column("records", sa.Column(name, sa.Double()))
    for name in ("carbon_g", "carbon_market_g", "embodied_g", "water_ml"):
        op.add_column("records", sa.Column(name, sa.Double()))
    for name in ("cost", "computed"):
        op.add_column("attempts", sa.Column(name, sa.BigInteger()))
    for name in ("priced", "usage"):
        op.add_column("attempts", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "entries",
        sa.Column("record_id", sa.Text(), primary_key=True),
        sa.Column("debit", sa.Text(), primary_key=True),
        sa.Column("credit", sa.Text(), primary_key=True),
        sa.Column("picousd", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("entries_at", "entries", ["at"])
    op.create_table(
        "balances",
        sa.Column("series", sa.Text(), primary_key=True),
        sa.Column("bucket", sa.Text(), primary_key=True),
        sa.Column("process", sa.Text(), primary_key=True),
        sa.Column("picousd", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    _append_only()


def _append_only() -> None:
    """See to it that an entry, once made, is neither changed nor taken away: an error is put right by another."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER entries_no_{verb.lower()} BEFORE {verb} ON entries "
                "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION mainstay_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER entries_append_only BEFORE UPDATE OR DELETE ON entries "
        "FOR EACH ROW EXECUTE FUNCTION mainstay_append_only()"
    )
    op.execute(
        "CREATE TRIGGER entries_not_emptied BEFORE TRUNCATE ON entries "
        "FOR EACH STATEMENT EXECUTE FUNCTION mainstay_append_only()"
    )
