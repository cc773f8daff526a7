"""What only a server brings: rights, extensions, sessions that end, many machines, and an index of vectors."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainstay.core.errors import InvalidRequest, NotFound, StartError, Unavailable
from mainstay.grounding.port import Access, Meta, Slice, Version
from mainstay.grounding.postgres import schema
from mainstay.grounding.postgres.store import PostgresStore, open_store
from mainstay.grounding.shelf import Draft
from support.knowledge import DIMENSIONS, ME, embed, first, paragraphs
from support.postgres import Server
from support.stores import Opener

ALL = Access()


@pytest.fixture
def url(database: Callable[[str], str]) -> str:
    return database("one")


@pytest.fixture(params=["postgres"])
def opener(request: pytest.FixtureRequest, postgres: Server, database: Any, tmp_path: Path) -> Iterator[Opener]:
    opened = Opener(tmp_path, database, postgres)
    yield opened
    opened.end()


def put(store: Any, document: str, text: str) -> None:
    store.put(document, text, paragraphs(text), Meta(), ME)


def found(store: Any, *words: str) -> list[str]:
    with store.pin() as pinned:
        hits = pinned.lexical(words, ALL, 9)
        return [one.text for one in pinned.read([hit.row for hit in hits], ALL).values()]


_CHILD = (
    "import sys; from mainstay.grounding.postgres.store import open_store; from mainstay.grounding.port import *\n"
    "s = open_store(sys.argv[1], 'base')\n"
)


def test_another_process_sees_an_edit_at_once(opener: Opener, url: str) -> None:
    store = opener()
    script = _CHILD + (
        "for line in sys.stdin:\n"
        "    s.put('a', line.strip(), [Slice(0, len(line.strip()))], Meta(), Change())\n"
        "    print('done', flush=True)\n"
        "s.shut()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for number in range(10):
            child.stdin.write(f"state number{number}\n")
            child.stdin.flush()
            assert child.stdout.readline() == "done\n"
            assert found(store, "state") == [f"state number{number}"]
        child.stdin.close()
    assert len(store.closed_since(0)[1]) == 9


def test_many_processes_may_make_a_base_at_once(opener: Opener, url: str) -> None:
    assert opener.place() == url
    script = _CHILD + "print([v.name for v in s.versions()]); s.shut()\n"
    children = [
        subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert {child.communicate()[0] for child in children} == {"['main']\n"}


def test_a_fork_opens_connections_of_its_own(opener: Opener) -> None:
    store = opener()
    put(store, "a", "some words")
    child = os.fork()
    if not child:
        os._exit(0 if found(store, "words") == ["some words"] else 1)
    assert os.waitpid(child, 0)[1] == 0
    put(store, "a", "other words")
    assert found(store, "words") == ["other words"]


def test_sessions_that_the_server_ended_are_begun_anew(opener: Opener, postgres: Server, url: str) -> None:
    store = opener()
    put(store, "a", "some words")
    postgres.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()", url)
    assert found(store, "words") == ["some words"]
    postgres.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()", url)
    put(store, "a", "other words")
    assert found(store, "words") == ["other words"]


def test_a_change_that_loses_its_session_leaves_nothing(opener: Opener, postgres: Server, url: str) -> None:
    store = opener(first=first())

    def cut_off(*_: object) -> Any:
        postgres.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()", url)
        return [Slice(0, 5)], embed(["three"])

    put(store, "a", "one\n\ntwo")
    with pytest.raises(Unavailable), store._steps.step("put", ME) as step:
        step.db.execute("UPDATE places SET hi = 0").close()
        cut_off()
        step.db.execute("UPDATE holdings SET hi = 0").close()
    assert found(store, "one", "two") == ["one", "two"]
    assert store.resolve().seq == 2


def test_a_database_without_the_extension_is_told_how_to_get_it(postgres: Server) -> None:
    bare = postgres.database(vector=False)
    with pytest.raises(StartError, match="CREATE EXTENSION vector"):
        open_store(bare, "base")


def test_an_old_extension_has_no_index_that_keeps_to_what_may_be_seen(postgres: Server) -> None:
    old = postgres.database()
    postgres.run("UPDATE pg_catalog.pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'", old)
    with pytest.raises(StartError, match="ALTER EXTENSION vector UPDATE"):
        open_store(old, "base", vectors="hnsw")
    open_store(old, "base").shut()


def test_the_extension_may_lie_in_a_schema_of_its_own(postgres: Server) -> None:
    other = postgres.database(vector=False)
    postgres.run("CREATE SCHEMA tools", other)
    postgres.run("CREATE EXTENSION vector SCHEMA tools", other)
    store = open_store(other, "base", first=first())
    store.put("a", "some words", [Slice(0, 10)], Meta(), ME, embed(["some words"]))
    with store.pin() as pinned:
        assert pinned.dense(embed(["some words"])[0], ALL, 1)[0].score == pytest.approx(1.0)
    store.shut()


def test_a_user_without_rights_is_told_which_and_one_with_its_own_schema_needs_none(postgres: Server) -> None:
    url = postgres.database()
    postgres.run("CREATE ROLE clerk LOGIN")
    own = url.replace("postgres@", "clerk@")
    with pytest.raises(StartError, match="grant it CREATE on the database"):
        open_store(own, "base")
    postgres.run('CREATE SCHEMA "knowledge_base" AUTHORIZATION clerk', url)
    assert not schema.is_there(own, "base")
    store = open_store(own, "base")
    put(store, "a", "some words")
    assert schema.is_there(own, "base")
    assert found(store, "words") == ["some words"]
    store.shut()


def test_a_server_that_is_away_is_unavailable_and_its_password_is_told_to_nobody(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    url = f"postgresql://me:s3cret@/none?host={tmp_path}"
    with pytest.raises(Unavailable) as refused:
        open_store(url, "base")
    assert "s3cret" not in repr(refused.value) + str(refused.value.__cause__) + "".join(capfd.readouterr())
    assert refused.value.__cause__ is None


def test_what_is_not_there_is_not_made_when_it_should_not(url: str) -> None:
    with pytest.raises(NotFound):
        open_store(url, "none", make=False)
    assert not schema.is_there(url, "none")


def test_a_base_that_was_dropped_is_missed(opener: Opener, postgres: Server, url: str) -> None:
    store = opener()
    postgres.run('DROP SCHEMA "knowledge_base" CASCADE', url)
    with pytest.raises(NotFound):
        store.pin()
    with pytest.raises(NotFound):
        put(store, "a", "some words")


@pytest.mark.parametrize("name", ["", "../x", 'a"b', ".hidden", "x" * 54])
def test_a_base_has_a_name_that_postgresql_can_have(url: str, name: str) -> None:
    with pytest.raises(InvalidRequest):
        open_store(url, name)


@pytest.mark.parametrize("name", ["x" * 53, "A.b-c_1", "a"])
def test_bases_of_one_database_are_apart(opener: Opener, name: str) -> None:
    one, other = opener("base"), opener(name)
    put(one, "a", "some words")
    put(other, "a", "other words")
    assert found(one, "words") == ["some words"]
    assert found(other, "words") == ["other words"]
    assert one.counts().size > 0


def test_what_postgresql_cannot_keep_is_refused_by_name(opener: Opener) -> None:
    store = opener()
    with pytest.raises(InvalidRequest, match="NUL"):
        put(store, "a", "some \0 words")
    assert store.documents() == {}


def test_a_base_of_a_newer_mainstay_is_left_alone(opener: Opener, postgres: Server, url: str) -> None:
    opener()
    postgres.run('UPDATE "knowledge_base".layout SET format = 99', url)
    with pytest.raises(StartError, match="newer Mainstay"):
        open_store(url, "base")


def test_an_index_of_vectors_finds_what_a_full_look_does_and_keeps_to_what_may_be_seen(
    opener: Opener, postgres: Server, url: str
) -> None:
    store = opener(first=first(), vectors="hnsw")
    texts = [f"tariff {number}" for number in range(400)]
    drafts = [
        Draft(text, text, [Slice(0, len(text))], Meta(groups=() if number % 20 == 0 else ("board",)), embed([text]))
        for number, text in enumerate(texts)
    ]
    store.put_all(drafts, ME)
    postgres.run('ANALYZE "knowledge_base".vectors', url)
    exact = open_store(url, "base")
    chance = random.Random(3)
    for asked in (embed([f"question {chance.random()}"])[0] for _ in range(10)):
        with store.pin() as near, exact.pin() as all_of_it:
            board = Access(frozenset({"board"}))
            ours, theirs = (one.dense(asked, board, 5) for one in (near, all_of_it))
            assert len({hit.row for hit in ours} & {hit.row for hit in theirs}) >= 4
            # Fewer than the index gives up after are allowed: all of them are found.
            few = near.read([hit.row for hit in near.dense(asked, ALL, 40)], ALL)
            assert {one.text for one in few.values()} == set(texts[::20])
    exact.shut()


def test_versions_of_other_dimensions_have_an_index_of_their_own(opener: Opener) -> None:
    store = opener(first=Version("v0", "wide", 2001), vectors="hnsw")
    store.create("v1", ME, embedder="it's", dimensions=DIMENSIONS)
    store.put("a", "words", [Slice(0, 5)], Meta(), ME, embed(["words"]), "v1")
    store.put("b", "words", [Slice(0, 5)], Meta(), ME, np.eye(1, 2001, dtype=np.float32))
    assert isinstance(store, PostgresStore)
    with store.pin("v1") as one, store.pin() as other:
        assert len(one.dense(embed(["words"])[0], ALL, 3)) == 1
        assert len(other.dense(np.eye(1, 2001, dtype=np.float32)[0], ALL, 3)) == 1
