"""A base is written to one file and read into another; what was retracted goes along, and stays out."""

import json
import stat
import zipfile
from pathlib import Path

import pytest

from mainstay.core.errors import Conflict, InvalidRequest
from mainstay.grounding.port import Change, Meta
from mainstay.grounding.store import RowStore
from support.knowledge import DIMENSIONS, ME, asked, cut, embed, first
from support.stores import Opener


@pytest.fixture
def whole(opener: Opener) -> RowStore:
    store = opener(first=first())
    for name, text in (("a", "One é.\n\nTwo 😀."), ("b", "Secret Jonquil.\n\nOpen."), ("c", "Gone Tansy.")):
        meta = Meta(title=name, groups=("sales",) if name == "a" else (), fields={"x": "y"}, read_at=5)
        store.put(name, text, *_cut(text, meta))
    store.put("a", "One é.\n\nThree.", *_cut("One é.\n\nThree.", Meta(title="a", groups=("sales",))))
    store.create("next", ME, embedder="hash", dimensions=DIMENSIONS, chunker="two", parent="v0")
    store.replay("next", ME, lambda _document, text, _meta: cut("two", text))
    store.put("a", "One é.\n\nFour.", *_cut("One é.\n\nFour.", Meta(title="a", groups=("sales",))))
    store.retract(Change("me", "privacy"), fact="Jonquil")
    store.retract(Change("me", "old"), document="c")
    return store


def _cut(text: str, meta: Meta):  # type: ignore[no-untyped-def]  # the rest of the words of put
    slices, vectors = cut("one", text)
    return slices, meta, ME, vectors


def state(store: RowStore) -> object:
    return [
        (
            version.name,
            version.state,
            version.embedder,
            version.chunker,
            document,
            meta,
            store.passages(document, version.name),
        )
        for version in store.versions()
        for document, meta in store.documents(version.name).items()
    ]


def test_a_base_is_the_same_after_a_round_trip(whole: RowStore, opener: Opener, tmp_path: Path) -> None:
    file = tmp_path / "base.zip"
    assert whole.export(file) == file.stat().st_size
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    other = opener(place="two")
    written = other.import_(file, Change("me", "moved"))
    assert state(other) == state(whole)
    assert written.seq == other.resolve().seq
    assert [one.document for one in other.pending("next")] == [one.document for one in whole.pending("next")] == ["a"]
    assert other.lacking() == ()
    with other.pin() as pinned:
        assert pinned.dense(embed(["One é."])[0], _all(), 1)[0].score == pytest.approx(1.0)
    stones = [(one.kind, one.name, one.sha256, one.who, one.why) for one in whole.tombstones()]
    assert [(one.kind, one.name, one.sha256, one.who, one.why) for one in other.tombstones()] == stones
    assert other.history(most=1)[0].what == "import"


def _all():  # type: ignore[no-untyped-def]  # one line
    from mainstay.grounding.port import Access

    return Access(every=True)


def test_words_that_were_retracted_are_not_in_an_archive_and_stay_out(
    whole: RowStore, opener: Opener, tmp_path: Path
) -> None:
    file = tmp_path / "base.zip"
    whole.export(file)
    with zipfile.ZipFile(file) as packed:
        raw = b"".join(packed.read(name) for name in packed.namelist()).lower()
    assert b"jonquil" not in raw
    assert b"tansy" not in raw
    other = opener(place="two")
    other.import_(file, ME)
    for name, text in (("c", "New."), ("d", "Gone Tansy."), ("e", "It says: jonquil.")):
        with pytest.raises(Conflict):
            other.put(name, text, cut("one", text)[0], Meta(), ME)
    assert "jonquil" not in str(asked(other, "jonquil", "Secret Jonquil.")[1]).lower()
    assert asked(other, "open", "Open.")[1][0][1] == "Open."


def test_what_was_retracted_here_stays_out_of_what_is_read_in(whole: RowStore, opener: Opener, tmp_path: Path) -> None:
    file = tmp_path / "base.zip"
    whole.export(file)
    other = opener(place="two")
    other.put("b", "Open.", cut("one", "Open.")[0], Meta(), ME)
    other.retract(ME, document="b")
    with pytest.raises(Conflict, match="has documents"):
        whole.import_(file, ME)
    other.collect(ME, window=0)
    other.import_(file, ME)
    assert set(other.documents()) == {"a"}


def test_an_archive_that_was_changed_is_refused_whole(whole: RowStore, opener: Opener, tmp_path: Path) -> None:
    file = tmp_path / "base.zip"
    whole.export(file)
    changed = tmp_path / "changed.zip"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b"Open", b"Shut") if name == "texts.jsonl" else data)
    other = opener(place="two")
    with pytest.raises(InvalidRequest, match="was changed"):
        other.import_(changed, ME)
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(InvalidRequest):
        other.import_(tmp_path / "text", ME)
    with zipfile.ZipFile(tmp_path / "newer.zip", "w") as newer:
        newer.writestr("manifest.json", json.dumps({"format": 99}))
    with pytest.raises(InvalidRequest, match="another Mainstay"):
        other.import_(tmp_path / "newer.zip", ME)
    assert other.documents() == {}
