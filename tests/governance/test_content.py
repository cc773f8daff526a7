from uuid import uuid4

from mainstay.core.record import Content, Record
from mainstay.governance.content import ContentRedactor, ContentSealer
from mainstay.store.sealing import KeyedSeal, key_of, request_about, response_about
from support.records import make_record


def keyed() -> KeyedSeal:
    name, seal = str(uuid4()), KeyedSeal()
    seal.take({name: b"k" * 32}, {"": name}, enabled=True, tenant="team")
    return seal


def test_content_is_sealed_before_it_is_written() -> None:
    seal, record = keyed(), make_record(content=Content("asked", "said"))
    ContentSealer(seal).settle(record)
    assert record.content is not None
    assert key_of(record.content.request) == key_of(record.content.response) != ""
    assert seal.open_text(record.content.request, request_about(record.id)) == "asked"
    assert seal.open_text(record.content.response, response_about(record.id)) == "said"


def test_without_a_key_content_is_not_kept_rather_than_kept_plain() -> None:
    seal, record = KeyedSeal(), make_record(content=Content("asked", "said"))
    seal.enabled = True
    ContentSealer(seal).settle(record)
    assert record.content is None


def test_switched_off_content_stays_as_it_is() -> None:
    record = make_record(content=Content("asked", "said"))
    ContentSealer(KeyedSeal()).settle(record)
    assert record.content == Content("asked", "said")
    without = make_record()
    ContentSealer(keyed()).settle(without)
    assert without.content is None


def test_content_of_a_route_that_is_redacted_is_what_the_redactor_leaves() -> None:
    def stars(record: Record) -> Content:
        assert record.content is not None
        return Content(record.content.request.replace("Jane", "****"), "")

    redactor = ContentRedactor(stars)
    redactor.routes = frozenset({"assistant"})
    mine = make_record(content=Content("I am Jane", "Hi Jane"))
    other = make_record(route="other", content=Content("I am Jane", ""))
    for record in (mine, other):
        redactor.settle(record)
    assert mine.content == Content("I am ****", "")
    assert other.content == Content("I am Jane", "")


def test_where_nothing_recognises_what_to_redact_nothing_is_kept() -> None:
    redactor = ContentRedactor()
    redactor.routes = frozenset({"assistant"})
    record = make_record(content=Content("I am Jane", ""))
    redactor.settle(record)
    assert record.content is None
