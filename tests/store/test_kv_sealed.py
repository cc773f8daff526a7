import asyncio
import os
import time
from pathlib import Path
from uuid import uuid4

import pytest

from mainstay.core.errors import Unavailable
from mainstay.store.kv import FileTable, StoredKeyValues
from mainstay.store.kv_sealed import SealedKeyValues
from mainstay.store.sealing import KeyedSeal, is_sealed


def seal_with(key: str) -> KeyedSeal:
    seal = KeyedSeal()
    seal.take({key: b"k" * 32}, {"": key}, enabled=True, tenant="team")
    return seal


def test_values_are_sealed_on_the_disk_and_read_as_they_were(tmp_path: Path) -> None:
    async def run() -> dict[str, bytes]:
        values = SealedKeyValues(StoredKeyValues(FileTable(tmp_path / "kv.db")), seal_with(str(uuid4())))
        await values.put({"a": b"a person's words", "b": b"more"}, 60, ("acme", "shop"))
        await values.delete(["b"])
        found = await values.get(["a", "b"])
        await values.aclose()
        return found

    assert asyncio.run(run()) == {"a": b"a person's words"}
    assert all(b"words" not in (tmp_path / name).read_bytes() for name in os.listdir(tmp_path))


def test_a_value_from_before_is_read_and_one_whose_key_is_gone_is_not_there(tmp_path: Path) -> None:
    async def run() -> dict[str, bytes]:
        store = StoredKeyValues(FileTable(tmp_path / "kv.db"))
        await store.put({"plain": b"1"}, 60)
        await SealedKeyValues(store, seal_with(str(uuid4()))).put({"lost": b"2"}, 60)
        found = await SealedKeyValues(store, seal_with(str(uuid4()))).get(["plain", "lost"])
        await store.aclose()
        return found

    assert asyncio.run(run()) == {"plain": b"1"}


def test_nothing_is_put_plain_while_there_is_no_key(tmp_path: Path) -> None:
    async def run() -> None:
        seal = KeyedSeal()
        seal.enabled = True
        values = SealedKeyValues(StoredKeyValues(FileTable(tmp_path / "kv.db")), seal)
        with pytest.raises(Unavailable):
            await values.put({"a": b"1"}, 60)
        await values.aclose()

    asyncio.run(run())


def test_a_table_is_scanned_swapped_and_clipped(tmp_path: Path) -> None:
    table = FileTable(tmp_path / "kv.db")
    now = time.time()
    table.write({f"{n:03}": b"%d" % n for n in range(5)}, now + 1000)
    assert [key for key, _, _ in table.scan("001", 2)] == ["002", "003"]
    table.swap("002", b"2", b"\0ms1")
    table.swap("003", b"other", b"\0ms1")
    assert [is_sealed(value) for _, value, _ in table.scan("001", 2)] == [True, False]
    table.clip(now + 10)
    assert {expires for _, _, expires in table.scan("", 9)} == {now + 10}
    table.close()
