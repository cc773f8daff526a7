"""Whatever keeps the rows of a knowledge base: what is put is found, what was taken out never is, by nobody."""

import hashlib
import itertools
import random
import threading

import numpy as np
import pytest

from mainstay.core.errors import Conflict, InvalidRequest
from mainstay.grounding.port import Access, Meta, Slice, Version
from mainstay.grounding.shelf import Draft, Listing
from mainstay.grounding.store import RowStore
from support.knowledge import DIMENSIONS, ME, World, asked, cut, embed, first, paragraphs
from support.stores import Opener

ALL = Access()


@pytest.fixture
def store(opener: Opener) -> RowStore:
    return opener()


def put(store: RowStore, document: str, text: str, meta: Meta = Meta(), version: str = "") -> None:  # noqa: B008  # frozen
    store.put(document, text, paragraphs(text), meta, ME, version=version)


def found(store: RowStore, *words: str, access: Access = ALL, most: int = 9, **pin: int | str) -> list[str]:
    with store.pin(**pin) as pinned:  # type: ignore[arg-type]  # its own words
        hits = pinned.lexical(words, access, most)
        texts = pinned.read([hit.row for hit in hits], access)
        return [texts[hit.row].text for hit in hits]


@pytest.mark.parametrize("seed", [1, 2])
def test_many_hands_in_two_processes_never_find_what_was_taken_out(opener: Opener, seed: int) -> None:
    world = World(opener.place("world"), seed)
    world.run(500)
    world.end()
    assert world.faults == []
    assert world.counts["query"] > 100


@pytest.mark.slow
def test_thousands_of_steps_leave_nothing_stale(opener: Opener) -> None:
    world = World(opener.place("world"), 3)
    world.run(4000 if opener.embedded else 1000)
    world.end()
    assert world.faults == []


def test_what_is_put_is_found_by_its_words_with_its_offsets(store: RowStore) -> None:
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
def test_no_word_of_a_question_is_an_operator(store: RowStore, word: str) -> None:
    put(store, "a", "plain words here")
    assert found(store, word, "plain") == ["plain words here"]
    assert isinstance(found(store, word), list)


def test_a_question_of_many_words_is_answered(store: RowStore) -> None:
    put(store, "a", "plain words here")
    assert found(store, *(f"w{number}" for number in range(3000)), "plain") == ["plain words here"]


def test_unchanged_passages_keep_their_names_and_vectors(opener: Opener) -> None:
    store = opener(first=first())
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


def test_putting_the_same_again_is_no_step(store: RowStore) -> None:
    put(store, "a", "some words", Meta(read_at=5))
    seq = store.resolve().seq
    put(store, "a", "some words", Meta(read_at=5))
    assert store.resolve().seq == seq
    put(store, "a", "some words", Meta(read_at=6))
    assert store.resolve().seq == seq + 1
    assert store.closed_since(0)[1] == ()


def test_the_same_words_twice_are_two_passages(store: RowStore) -> None:
    put(store, "a", "again\n\nagain")
    assert found(store, "again") == ["again", "again"]
    put(store, "a", "again")
    assert found(store, "again") == ["again"]


def test_what_may_not_be_seen_takes_no_place_among_what_is_found(store: RowStore) -> None:
    for number in range(300):
        put(store, f"secret{number}", "tariff tariff tariff", Meta(groups=("board",)))
    put(store, "open", "the tariff is somewhere in this longer sentence")
    put(store, "ours", "one tariff for all of us here", Meta(groups=("sales", "board")))
    assert found(store, "tariff", most=1) == ["the tariff is somewhere in this longer sentence"]
    sales = Access(frozenset({"sales"}))
    assert len(found(store, "tariff", access=sales)) == 2
    assert len(found(store, "tariff", access=Access(frozenset({"board"})), most=500)) == 302
    assert len(found(store, "tariff", access=Access(every=True), most=500)) == 302


def test_far_more_forbidden_than_allowed_is_filled_up_all_the_same(opener: Opener) -> None:
    store = opener(first=first())
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


def test_questions_keep_to_fields_flags_and_time(opener: Opener) -> None:
    now = [1_000_000]
    store = opener(clock=lambda: now[0])
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


def test_a_reader_sees_what_it_pinned_whatever_comes_after(opener: Opener) -> None:
    store = opener(first=first())
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


def test_a_change_is_told_before_it_returns(store: RowStore) -> None:
    told: list[tuple[str, ...]] = []
    undo = store.on_change(told.append)
    put(store, "a", "first state")
    (name,) = (one.name for one in store.passages("a"))
    put(store, "a", "second state")
    assert told == [(), (name,)]
    undo()
    put(store, "a", "third state")
    assert len(told) == 2


def test_many_threads_write_without_losing_a_step(store: RowStore) -> None:
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


def test_slices_and_vectors_that_do_not_fit_are_refused_and_nothing_is_written(opener: Opener) -> None:
    store = opener(first=first())
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


def test_passages_that_lack_vectors_are_told_and_filled(opener: Opener) -> None:
    store = opener(first=first())
    put(store, "a", "one thing\n\nother thing")
    assert store.counts().lacking == 2
    lacking = store.lacking()
    assert store.fill([one.name for one in lacking], embed([one.text for one in lacking])) == 2
    assert store.lacking() == ()
    assert asked(store, "nothing", "other thing")[1][0][1] in ("one thing", "other thing")


def test_dots_are_those_of_the_vectors(opener: Opener) -> None:
    store = opener(first=Version("v", "e", 4))
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


def test_what_is_known_of_a_source_is_kept(store: RowStore) -> None:
    assert store.listing("docs") is None
    store.note(Listing("docs", "/somewhere", 12, 3))
    assert store.listing("docs") == Listing("docs", "/somewhere", 12, 3)


def test_a_whole_batch_is_one_step_and_leaves_out_what_was_retracted(store: RowStore) -> None:
    put(store, "gone", "retracted words")
    store.retract(ME, document="gone")
    seq = store.resolve().seq
    drafts = [Draft(name, f"{name} words", [Slice(0, len(name) + 6)], Meta()) for name in ("a", "gone", "b")]
    written = store.put_all(drafts, ME)
    assert [one and one.seq for one in written] == [seq + 1, None, seq + 1]
    assert set(store.documents()) == {"a", "b"}


def test_random_texts_are_quoted_to_the_byte(store: RowStore) -> None:
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


def test_a_retracted_name_is_refused_however_it_is_offered(store: RowStore) -> None:
    put(store, "a", "some words", Meta(sha256="f" * 64))
    store.retract(ME, document="a")
    for name, text, sha256 in (("a", "quite other", ""), ("b", "some words", ""), ("c", "other text", "f" * 64)):
        with pytest.raises(Conflict):
            put(store, name, text, Meta(sha256=sha256))
