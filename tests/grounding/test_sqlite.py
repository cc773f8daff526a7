"""One file that threads and processes share: nothing that was taken out is ever found again, in any of them."""

import hashlib
import itertools
import os
import random
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mainstay.core.errors import Conflict, InvalidRequest, NotFound, Unavailable
from mainstay.grounding.port import Access, Meta, Slice, Version
from mainstay.grounding.shelf import Draft, Listing
from mainstay.grounding.sqlite import SqliteStore, bases, open_store
from support.knowledge import DIMENSIONS, ME, World, asked, cut, embed, first, paragraphs

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


@pytest.mark.parametrize("seed", [1, 2])
def test_many_hands_in_two_processes_never_find_what_was_taken_out(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path, seed)
    world.run(500)
    world.end()
    assert world.faults == []
    assert world.counts["query"] > 100


@pytest.mark.slow
def test_thousands_of_steps_leave_nothing_stale(tmp_path: Path) -> None:
    world = World(tmp_path, 3)
    world.run(4000)
    world.end()
    assert world.faults == []


def test_only_its_owner_may_read_a_base(store: SqliteStore) -> None:
    put(store, "a", "some words")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in store.path.parent.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    assert bases(store.path.parent) == ("base",)


def test_what_is_put_is_found_by_its_words_with_its_offsets(store: SqliteStore) -> None:
    text = "The café 😀 opens at nine.\n\nWarranty lasts two years."
    written = store.put("a.md", text, paragraphs(text), Meta(title="Shop", uri="u", dated=7, read_at=9), ME)
    assert len(written.opened) == 2
    assert written.closed == ()
    with store.pin() as pinned:
        (hit,) = pinned.lexical(["warranty"], ALL, 9)
        source = pinned.read([hit.row], ALL)[hit.row]
    assert source.text == text[source.start : source.end] == "Warranty lasts two years."
    assert text.encode()[source.byte_start : source.byte_end].decode() == source.text
    assert source.sha256 == hashlib.sha256(source.text.encode()).hexdigest()
    assert (source.document, source.title, source.uri, source.dated, source.read_at) == ("a.md", "Shop", "u", 7, 9)
    assert source.pin.seq == written.seq


@pytest.mark.parametrize("word", ['"', "AND", "NEAR(", "a*", "-", "col:x", "\0", "(", "'", "—", "\ud800", " ", "^x"])
def test_no_word_of_a_question_is_an_operator(store: SqliteStore, word: str) -> None:
    put(store, "a", "plain words here")
    assert found(store, word, "plain") == ["plain words here"]
    assert isinstance(found(store, word), list)


def test_a_question_of_many_words_is_answered(store: SqliteStore) -> None:
    put(store, "a", "plain words here")
    assert found(store, *(f"w{number}" for number in range(3000)), "plain") == ["plain words here"]


def test_unchanged_passages_keep_their_names_and_vectors(tmp_path: Path) -> None:
    store = open_store(tmp_path, "base", first=first())
    before = "One stays.\n\nTwo goes.\n\nThree stays."
    after = "A new beginning.\n\nOne stays.\n\nTwo is other.\n\nThree stays."
    store.put("a", before, paragraphs(before), Meta(), ME, cut("one", before)[1])
    names = {one.text: one.name for one in store.passages("a")}
    wanted = store.wanting("a", after, paragraphs(after), Meta())
    assert wanted == (0, 2)
    vectors = cut("one", after)[1]
    vectors[[1, 3]] = 0
    written = store.put("a", after, paragraphs(after), Meta(), ME, vectors)
    later = {one.text: one.name for one in store.passages("a")}
    assert {text for text in names if later.get(text) == names[text]} == {"One stays.", "Three stays."}
    assert written.closed == (names["Two goes."],)
    assert len(written.opened) == 2
    assert store.lacking() == ()
    with store.pin() as pinned:
        (best, *_) = pinned.dense(embed(["Three stays."])[0], ALL, 1)
        assert best.score == pytest.approx(1.0)
        assert pinned.read([best.row], ALL)[best.row].start == after.index("Three")
    store.shut()


def test_putting_the_same_again_is_no_step(store: SqliteStore) -> None:
    put(store, "a", "some words", Meta(read_at=5))
    seq = store.resolve().seq
    put(store, "a", "some words", Meta(read_at=5))
    assert store.resolve().seq == seq
    put(store, "a", "some words", Meta(read_at=6))
    assert store.resolve().seq == seq + 1
    assert store.closed_since(0)[1] == ()


def test_the_same_words_twice_are_two_passages(store: SqliteStore) -> None:
    put(store, "a", "again\n\nagain")
    assert found(store, "again") == ["again", "again"]
    put(store, "a", "again")
    assert found(store, "again") == ["again"]


def test_what_may_not_be_seen_takes_no_place_among_what_is_found(store: SqliteStore) -> None:
    for number in range(300):
        put(store, f"secret{number}", "tariff tariff tariff", Meta(groups=("board",)))
    put(store, "open", "the tariff is somewhere in this longer sentence")
    put(store, "ours", "one tariff for all of us here", Meta(groups=("sales", "board")))
    assert found(store, "tariff", most=1) == ["the tariff is somewhere in this longer sentence"]
    sales = Access(frozenset({"sales"}))
    assert len(found(store, "tariff", access=sales)) == 2
    assert len(found(store, "tariff", access=Access(frozenset({"board"})), most=500)) == 302
    assert len(found(store, "tariff", access=Access(every=True), most=500)) == 302


def test_far_more_forbidden_than_allowed_is_filled_up_all_the_same(tmp_path: Path) -> None:
    store = open_store(tmp_path, "base", first=first())
    secret = Meta(groups=("board",))
    drafts = [
        Draft(f"d{number}", f"tariff {number}", [Slice(0, len(f"tariff {number}"))],
              Meta() if number % 250 == 0 else secret, embed([f"tariff {number}"]))
        for number in range(1500)
    ]  # fmt: skip
    store.put_all(drafts, ME)
    allowed = {f"tariff {number}" for number in range(0, 1500, 250)}
    assert set(found(store, "tariff", most=6)) == allowed
    with store.pin() as pinned:
        hits = pinned.dense(embed(["tariff 1"])[0], ALL, 6)
        assert {one.text for one in pinned.read([hit.row for hit in hits], ALL).values()} == allowed
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    store.shut()


def test_questions_keep_to_fields_flags_and_time(tmp_path: Path) -> None:
    now = [1_000_000]
    store = open_store(tmp_path, "base", clock=lambda: now[0])
    store.put("a", "tariff one", [Slice(0, 10)], Meta(fields={"year": "2024", "it's": 'a "b"'}), ME)
    store.put("b", "tariff two", [Slice(0, 10, flags=("injection",))], Meta(fields={"year": "2025"}), ME)
    store.put("c", "tariff three", [Slice(0, 12)], Meta(read_at=now[0], ttl=60), ME)
    assert found(store, "tariff", access=Access(where=(("year", "2024"), ("it's", 'a "b"')))) == ["tariff one"]
    assert found(store, "tariff", access=Access(where=(("year", "2024"), ("year", "2025")))) == []
    assert "tariff two" not in found(store, "tariff", access=Access(without=frozenset({"injection"})))
    assert "tariff three" in found(store, "tariff")
    then = now[0]
    now[0] += 60_001
    assert "tariff three" not in found(store, "tariff")
    assert "tariff three" in found(store, "tariff", at=then)
    assert [one.document for one in store.listed(expired=True)] == ["c"]
    assert store.counts().expired == 1
    store.shut()


def test_a_reader_sees_what_it_pinned_whatever_comes_after(tmp_path: Path) -> None:
    store = open_store(tmp_path, "base", first=first())
    old, new = "old words stay here", "new words came here"
    store.put("a", old, paragraphs(old), Meta(), ME, embed([old]))
    with store.pin() as before:
        store.put("a", new, paragraphs(new), Meta(), ME, embed([new]))
        with store.pin() as after:
            for pinned, text in ((before, old), (after, new), (before, old)):
                by_words = pinned.lexical(["words"], ALL, 9)
                by_sense = pinned.dense(embed([new])[0], ALL, 9)
                for hits in (by_words, by_sense):
                    assert [one.text for one in pinned.read([hit.row for hit in hits], ALL).values()] == [text]
    store.shut()


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


def test_a_change_is_told_before_it_returns(store: SqliteStore) -> None:
    told: list[tuple[str, ...]] = []
    undo = store.on_change(told.append)
    put(store, "a", "first state")
    (name,) = (one.name for one in store.passages("a"))
    put(store, "a", "second state")
    assert told == [(), (name,)]
    undo()
    put(store, "a", "third state")
    assert len(told) == 2


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


def test_many_threads_write_without_losing_a_step(store: SqliteStore) -> None:
    def work(number: int) -> None:
        for step in range(5):
            put(store, f"d{number}", f"words of {number} at {step}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found(store, "words", most=99)) == 8
    assert store.resolve().seq == 41
    assert [one.seq for one in store.history(most=99)] == list(range(41, 0, -1))


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


def test_slices_and_vectors_that_do_not_fit_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    store = open_store(tmp_path, "base", first=first())
    with pytest.raises(InvalidRequest, match="not within"):
        store.put("a", "short", [Slice(0, 6)], Meta(), ME)
    with pytest.raises(InvalidRequest, match="as many"):
        store.put("a", "short", [Slice(0, 5)], Meta(), ME, embed(["a", "b"]))
    with pytest.raises(InvalidRequest, match="dimensions"):
        store.put("a", "short", [Slice(0, 5)], Meta(), ME, np.ones((1, DIMENSIONS + 1), np.float32))
    with pytest.raises(InvalidRequest, match="no number"):
        store.put("a", "short", [Slice(0, 5)], Meta(), ME, np.full((1, DIMENSIONS), np.nan, np.float32))
    with pytest.raises(InvalidRequest, match="Unicode"):
        store.put("a", "\ud800", [Slice(0, 1)], Meta(), ME)
    assert store.documents() == {}
    assert store.resolve().seq == 1
    store.shut()


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


def test_passages_that_lack_vectors_are_told_and_filled(tmp_path: Path) -> None:
    store = open_store(tmp_path, "base", first=first())
    put(store, "a", "one thing\n\nother thing")
    assert store.counts().lacking == 2
    lacking = store.lacking()
    assert store.fill([one.name for one in lacking], embed([one.text for one in lacking])) == 2
    assert store.lacking() == ()
    assert asked(store, "nothing", "other thing")[1][0][1] in ("one thing", "other thing")
    store.shut()


def test_dots_are_those_of_the_vectors(tmp_path: Path) -> None:
    store = open_store(tmp_path, "base", first=Version("v", "e", 4))
    made = np.eye(4, dtype=np.float32)[:3]
    text = "one\n\ntwo\n\nthree"
    store.put("a", text, paragraphs(text), Meta(), ME, made)
    question = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    with store.pin() as pinned:
        rows = [hit.row for hit in pinned.dense(question, ALL, 9)]
        dots = pinned.dots(question, [*rows, 999])
        assert list(dots.values()) == pytest.approx([0.3, 0.2, 0.1])
        assert {row: float(own @ question) for row, own in pinned.vectors(rows).items()} == pytest.approx(dots)
        with pytest.raises(InvalidRequest, match="dimensions"):
            pinned.dense(question[:3], ALL, 1)
    store.shut()


def test_what_is_known_of_a_source_is_kept(store: SqliteStore) -> None:
    assert store.listing("docs") is None
    store.note(Listing("docs", "/somewhere", 12, 3))
    assert store.listing("docs") == Listing("docs", "/somewhere", 12, 3)


def test_a_whole_batch_is_one_step_and_leaves_out_what_was_retracted(store: SqliteStore) -> None:
    put(store, "gone", "retracted words")
    store.retract(ME, document="gone")
    seq = store.resolve().seq
    drafts = [Draft(name, f"{name} words", [Slice(0, len(name) + 6)], Meta()) for name in ("a", "gone", "b")]
    written = store.put_all(drafts, ME)
    assert [one and one.seq for one in written] == [seq + 1, None, seq + 1]
    assert set(store.documents()) == {"a", "b"}


def test_random_texts_are_quoted_to_the_byte(store: SqliteStore) -> None:
    chance = random.Random(5)
    letters = "ab é😀\n.,—ßİ́"
    for number in range(60):
        text = "".join(chance.choices(letters, k=chance.randint(1, 80))) + "needle"
        cuts = sorted(chance.sample(range(len(text) + 1), k=min(len(text), 4)))
        slices = [Slice(one, two) for one, two in itertools.pairwise(cuts)]
        store.put(f"d{number}", text, slices, Meta(), ME)
        for one in store.passages(f"d{number}"):
            assert text[one.start : one.end] == one.text
            opened = store.passage(one.name, ALL).source
            assert text.encode()[opened.byte_start : opened.byte_end].decode() == one.text


def test_a_retracted_name_is_refused_however_it_is_offered(store: SqliteStore) -> None:
    put(store, "a", "some words", Meta(sha256="f" * 64))
    store.retract(ME, document="a")
    for name, text, sha256 in (("a", "quite other", ""), ("b", "some words", ""), ("c", "other text", "f" * 64)):
        with pytest.raises(Conflict):
            put(store, name, text, Meta(sha256=sha256))
