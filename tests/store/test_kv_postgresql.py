"""The same contract on PostgreSQL."""

import asyncio
from pathlib import Path

import pytest

from mainstay.core.errors import Unavailable
from mainstay.store.kv import StoredKeyValues, open_key_values
from mainstay.store.kv_postgresql import PostgresTable


def test_a_server_that_is_away_is_unavailable(refused_port: int, tmp_path: Path) -> None:
    async def inner() -> None:
        values = open_key_values(f"postgresql://u:secret@127.0.0.1:{refused_port}/d", tmp_path)
        with pytest.raises(Unavailable) as caught:
            await values.get(["a"])
        assert "secret" not in caught.value.message
        await values.aclose()

    asyncio.run(inner())


def test_what_one_process_put_another_finds_until_it_expires(postgres_url: str) -> None:
    async def inner() -> None:
        now = [1000.0]
        one, other = (StoredKeyValues(PostgresTable(postgres_url), clock=lambda: now[0]) for _ in range(2))
        await asyncio.gather(
            *(each.put({f"{i}-a": b"\0\xff", f"{i}-b": b"2"}, 10) for i, each in ((0, one), (1, other)))
        )
        assert await other.get(["0-a", "1-b", "none"]) == {"0-a": b"\0\xff", "1-b": b"2"}
        await other.delete(["0-a"])
        assert await one.get(["0-a"]) == {}
        now[0] += 10
        assert await one.get(["1-b"]) == {}
        one._table.sweep(now[0], 500)
        now[0] -= 10
        assert await one.get(["1-b"]) == {}
        await one.aclose()
        await other.aclose()

    asyncio.run(inner())
