"""One file that threads and processes share: whole after any death, read by its owner only."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstay.core.errors import InvalidRequest, NotFound, Unavailable
from mainstay.grounding.port import Access, Meta
from mainstay.grounding.sqlite import SqliteStore, bases, open_store
from support.knowledge import ME, paragraphs

ALL = Access()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = open_store(tmp_path / "knowledge", "base")
    yield opened
    opened.shut()


def put(store: SqliteStore, document: str, text: str, meta: Meta = Meta(), version: str = "") -> None:  # noqa: B008  # frozen
    store.put(document, text, paragraphs(text), meta, ME, version=version)


def found(store: SqliteStore, *words: str, access: Access = ALL, most: int = 9, **pin: int | str) -> list[str]:
    with store.pin(**pin) as pinned:  # type: ignore[arg-type]  # its own words
        hits = pinned.lexical(words, access, most)
        texts = pinned.read([hit.row for hit in hits], access)
        return [texts[hit.row].text for hit in hits]


def test_only_its_owner_may_read_a_base(store: SqliteStore) -> None:
    put(store, "a", "some words")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in store.path.parent.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    assert bases(store.path.parent) == ("base",)


def test_another_process_sees_an_edit_at_once(store: SqliteStore) -> None:
    put(store, "a", "first state")
    script = (
        "import sys; from pathlib import Path; from mainstay.grounding.sqlite import open_store;"
        "from mainstay.grounding.port import *\n"
        "s = open_store(Path(sys.argv[1]), 'base')\n"
        "for line in sys.stdin:\n"
        "    s.put('a', line.strip(), [Slice(0, len(line.strip()))], Meta(), Change())\n"
        "    print('done', flush=True)\n"
        "s.shut()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(store.path.parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for number in range(10):
            child.stdin.write(f"state number{number}\n")
            child.stdin.flush()
            assert child.stdout.readline() == "done\n"
            assert found(store, "state") == [f"state number{number}"]
        child.stdin.close()
    assert store.closed_since(0)[0] == store.resolve().seq
    assert len(store.closed_since(0)[1]) == 10


_DEATHS = """
import os, signal, sqlite3, sys
from pathlib import Path
from mainstay.grounding.port import *
from mainstay.grounding.sqlite import open_store

FIRST, SECOND = "first part one\\n\\nfirst part two", "second part one\\n\\nsecond part two"
store = open_store(Path(sys.argv[1]), "base")

def put(text):
    half = text.index("\\n")
    store.put("a", text, [Slice(0, half), Slice(half + 2, len(text))], Meta(), Change())

def die(left):
    def trace(statement):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    db = store._connections.take()
    db.set_trace_callback(trace)
    store._connections.give(db)
    put(SECOND)
    store.retract(Change(), fact="part two")
    os._exit(0)

for deadly in range(0, 900, int(sys.argv[2])):
    put(FIRST)
    child = os.fork()
    if not child:
        die([deadly])
    status = os.waitpid(child, 0)[1]
    print(status, *sorted(one.text for one in store.passages("a")), sep="|", flush=True)
    for stone in store.tombstones():
        store.unretract(Change(), tombstone=stone.id)
    # What was before is gone: it would make each retraction longer than the one before.
    store.collect(Change(), 0)
    if not status:
        break
store.shut()
db = sqlite3.connect(store.path)
print(*db.execute("PRAGMA integrity_check").fetchone())
db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
db.close()
"""


def test_death_between_any_two_statements_leaves_the_state_before_or_after(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _DEATHS, str(tmp_path), "3"], capture_output=True, text=True, check=True
    )
    *deaths, whole = done.stdout.splitlines()
    assert whole == "ok"
    before, between = f"{signal.SIGKILL:d}|first part one|first part two", "second part one"
    states = [before, f"{signal.SIGKILL:d}|{between}|second part two", f"{signal.SIGKILL:d}|{between}", f"0|{between}"]
    assert set(deaths) <= set(states)
    assert before in deaths
    assert deaths[-1] == states[-1]
    assert len(deaths) > 10


def test_a_file_that_was_taken_away_is_missed_and_a_new_one_is_another(store: SqliteStore) -> None:
    put(store, "a", "old words")
    for path in list(store.path.parent.iterdir()):
        path.rename(path.with_name(f"away-{path.name}"))
    with pytest.raises(NotFound):
        store.pin()
    other = open_store(store.path.parent, "base")
    put(other, "b", "new words")
    assert found(store, "words") == ["new words"]
    other.shut()


def test_many_processes_may_make_a_base_at_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from mainstay.grounding.sqlite import open_store\n"
        "s = open_store(Path(sys.argv[1]), 'base'); print([v.name for v in s.versions()]); s.shut()\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert {child.communicate()[0] for child in children} == {"['main']\n"}


def test_a_fork_opens_connections_of_its_own(store: SqliteStore) -> None:
    put(store, "a", "some words")
    child = os.fork()
    if not child:
        os._exit(0 if found(store, "words") == ["some words"] and not store._connections._taken else 1)
    assert os.waitpid(child, 0)[1] == 0
    put(store, "a", "other words")
    assert found(store, "words") == ["other words"]


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 65])
def test_a_base_has_a_name_that_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest):
        open_store(tmp_path, name)


def test_what_is_not_there_is_not_made_when_it_should_not(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        open_store(tmp_path, "none", make=False)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_base_is_said_to_be_unreachable(tmp_path: Path) -> None:
    (tmp_path / "base.db").write_bytes(b"no database at all " * 100)
    with pytest.raises(Unavailable):
        open_store(tmp_path, "base")


def test_words_only_works_without_numpy(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['numpy'] = None\n"
        "from pathlib import Path; from mainstay.grounding.sqlite import open_store\n"
        "from mainstay.grounding.port import *\n"
        "s = open_store(Path(sys.argv[1]), 'base'); s.put('a', 'some words', [Slice(0, 10)], Meta(), Change())\n"
        "with s.pin() as p: print(len(p.lexical(['words'], Access(), 5)), p.vectors([1]))\n"
        "s.shut()\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "1 {}\n"
