"""What stands between the rows and psycopg: its absence is said, and no password is."""

import sys

import pytest

from mainstay.core.errors import StartError
from mainstay.grounding.postgres import driver, schema
from mainstay.grounding.postgres.store import open_store


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for asked in (open_store, schema.is_there):
        with pytest.raises(StartError, match="extra 'postgres'"):
            asked("postgresql://nobody@/none", "base")


@pytest.mark.parametrize(
    ("reason", "url", "said"),
    [
        ("no: s3cret is wrong\nmore", "postgresql://me:s3cret@h/d", "no: *** is wrong"),
        ("no: a/b is wrong", "postgresql://me:a%2Fb@h/d", "no: *** is wrong"),
        ("no: a%2Fb is wrong", "postgresql://me:a%2Fb@h/d", "no: *** is wrong"),
        ("no such host", "postgresql://me@h/d", "no such host"),
        ("", "postgresql://me@h/d", "str"),
        ("about [", "postgresql://[:x@h/d", "str"),
    ],
)
def test_a_reason_is_told_without_the_password(reason: str, url: str, said: str) -> None:
    assert driver.veiled(reason, url) == said
