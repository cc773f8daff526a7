"""Citations end to end: official SDKs before a running gateway, a real knowledge base in it, a scripted model behind.

What streams is held against what comes whole, in each dialect.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic
from openai import OpenAI

from mainstay.grounding.port import Change, Meta, Slice
from mainstay.grounding.sqlite import open_store
from support.gateway import Gateway, completion, sse_chunks
from support.upstream import Chunk, Head, Received, Upstream, json_reply

REFUNDS = "Refunds take 14 days. Élise 🙂 pays them to the card that was charged."
HOURS = "The shop opens at nine and closes at six. On Sundays the shop stays closed."
TEXT = f"# Refunds\n\n{REFUNDS}\n\n# Hours\n\n{HOURS}\n"
QUESTION = "How long do refunds take, and when does the shop open?"
#: With the numbers that the model is given the passages under.
SAID = ["Refunds take", " 14 days [", "{r}]. The shop op", "ens at nine [{h}", "][9].", " Anything else?"]
FIRST, SECOND = "Refunds take 14 days [n].", "The shop opens at nine [n]."
VISIBLE = f"{FIRST} {SECOND} Anything else?"


def fill(var: Path) -> None:
    (var / "knowledge").mkdir(mode=0o700)
    store = open_store(var / "knowledge", "handbook")
    meta = Meta(title="Handbook", uri="https://docs.example/handbook", read_at=1_000)
    for name, text, page in (("refunds.md", TEXT, 0), ("secret.md", "Refunds of 900 dollars are for staff only.", 0)):
        groups = ("staff",) if name == "secret.md" else ()
        slices = [
            Slice(text.index(part), text.index(part) + len(part), page) for part in (REFUNDS, HOURS) if part in text
        ]
        one = Meta(meta.title, meta.uri, groups, read_at=1_000)
        store.put(name, text, slices or [Slice(0, len(text))], one, Change("test", "a test"))
    pages = "Parking costs two dollars an hour behind the shop."
    store.put("parking.pdf", pages, [Slice(0, len(pages), 4)], Meta(title="Parking"), Change("test", "a test"))
    store.shut()


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    config = {
        "providers": {"vendor": {"kind": "openai", "base_url": f"{vendor.url}/v1"}},
        "models": {"able": {"provider": "vendor"}},
        "knowledge": {"handbook": {"embedder": "none"}},
        "routes": {
            "docs": {"targets": ["able"], "attempts": 1, "knowledge": {"base": "handbook", "within": "60s"}},
            "bare": {
                "targets": ["able"],
                "attempts": 1,
                "knowledge": {
                    "base": "handbook",
                    "within": "60s",
                    "marks": "remove",
                    "nothing": {"do": "say", "text": "Nothing."},
                },
            },
        },
    }
    running = Gateway(tmp_path_factory.mktemp("gateway"), config)
    fill(running.var)
    with running:
        yield running


def numbered(text: str, received: Received) -> str:
    """Return ``text`` with the numbers of the passages on refunds and on hours in a request."""
    content = received.json()["messages"][-1]["content"]
    said = content if isinstance(content, str) else "".join(part["text"] for part in content)
    where = {}
    for name, words in (("r", "Refunds take 14"), ("h", "The shop opens"), ("p", "Parking costs")):
        before = said.partition(words)[0]
        where[name] = before.rpartition("<<passage ")[2].partition(" ")[0]
    return text.format(**where) if "{" in text else text


def script(vendor: Upstream, *words: str) -> None:
    vendor.forget()

    def answer(received: Received) -> Any:
        own = [numbered(word, received) for word in words]
        if received.json().get("stream"):
            return [Head(200), *(Chunk(event) for event in sse_chunks(*own))]
        return json_reply(completion("".join(own)))

    vendor.handler = answer


@pytest.fixture
def said(vendor: Upstream) -> None:
    script(vendor, *SAID)


def plain(text: str) -> str:
    """Return ``text`` with the same number in every mark."""
    return re.sub(r"\[\d\]", "[n]", text)


def exact(extension: dict[str, Any]) -> tuple[str, int, str]:
    """Check a citation against the document to the byte; return its quote, its place, and how it came about."""
    assert TEXT[extension["start"] : extension["end"]] == extension["quote"]
    quoted = TEXT.encode()[extension["byte_start"] : extension["byte_end"]]
    assert quoted.decode() == extension["quote"]
    assert hashlib.sha256(quoted).hexdigest() == extension["sha256"]
    assert (extension["base"], extension["document"], extension["revision"]) == ("handbook", "refunds.md", 1)
    return extension["quote"], extension["number"], extension["how"]


@pytest.mark.usefixtures("said")
def test_chat_completions_have_annotations_whole_and_streamed_alike(gateway: Gateway, vendor: Upstream) -> None:
    client = OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    ask: Any = {"model": "docs", "messages": [{"role": "user", "content": QUESTION}]}
    whole = client.chat.completions.create(**ask)
    message = whole.choices[0].message
    text = message.content or ""
    assert plain(text) == VISIBLE
    assert message.annotations is not None
    told = [one.to_dict() for one in message.annotations]
    spans = [one.url_citation for one in message.annotations]
    assert [plain(text[one.start_index : one.end_index]) for one in spans] == [FIRST, SECOND]
    assert {one.url for one in spans} == {"https://docs.example/handbook"}
    assert {exact(one["mainstay"])[2] for one in told} == {"marked"}
    rests = message.to_dict()["mainstay"]["grounding"]
    assert (rests["invented_marks"], rests["base"], rests["nothing_found"]) == (1, "handbook", False)
    assert rests["oldest_source_seconds"] > 1_000_000_000
    with client.chat.completions.stream(**ask) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == text
    assert final.choices[0].message.to_dict()["annotations"] == told
    streamed = final.choices[0].message.to_dict()["mainstay"]["grounding"]
    assert {**streamed, "oldest_source_seconds": 0} == {**rests, "oldest_source_seconds": 0}


@pytest.mark.usefixtures("said")
def test_responses_have_annotations_whole_and_streamed_alike(gateway: Gateway) -> None:
    client = OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    whole = client.responses.create(model="docs", input=QUESTION)
    text = whole.output_text
    assert plain(text) == VISIBLE
    told = [one.to_dict() for one in whole.output[0].content[0].annotations]  # type: ignore[union-attr,misc]
    assert [one["type"] for one in told] == ["url_citation"] * 2
    assert [plain(text[one["start_index"] : one["end_index"]]) for one in told] == [FIRST, SECOND]
    assert [exact(one["mainstay"])[2] for one in told] == ["marked"] * 2
    events = list(client.responses.create(model="docs", input=QUESTION, stream=True))
    added = [event.annotation for event in events if event.type == "response.output_text.annotation.added"]
    assert [one.to_dict() for one in added] == told  # type: ignore[attr-defined]
    (part,) = [event.part for event in events if event.type == "response.content_part.done"]
    assert [one.to_dict() for one in part.annotations] == told  # type: ignore[union-attr]
    (item,) = [event.item for event in events if event.type == "response.output_item.done"]
    assert [one.to_dict() for one in item.content[0].annotations] == told  # type: ignore[union-attr]
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == text
    assert [one.to_dict() for one in last.response.output[0].content[0].annotations] == told  # type: ignore[union-attr]
    assert last.response.to_dict()["mainstay"]["grounding"]["sources"] >= 2  # type: ignore[index]


@pytest.mark.usefixtures("said")
def test_messages_have_a_block_for_each_claim_whole_and_streamed_alike(gateway: Gateway) -> None:
    client = Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    ask: Any = {"model": "docs", "max_tokens": 100, "messages": [{"role": "user", "content": QUESTION}]}
    whole = client.messages.create(**ask)
    blocks = [block.to_dict() for block in whole.content]
    assert [plain(str(block["text"])) for block in blocks] == [f"{FIRST} ", f"{SECOND} ", "Anything else?"]
    told = [block.get("citations") or [] for block in blocks]
    assert [[one["cited_text"] for one in some] for some in told][2] == []  # type: ignore[attr-defined]
    for some in told[:2]:
        (one,) = some  # type: ignore[misc]
        assert one["type"] == "char_location"
        assert TEXT[one["start_char_index"] : one["end_char_index"]] == one["cited_text"]
        assert exact(one["mainstay"])[0] == one["cited_text"]
        assert one["document_title"] == "Handbook"
    assert whole.to_dict()["mainstay"]["grounding"]["invented_marks"] == 1  # type: ignore[index]
    with client.messages.stream(**ask) as stream:
        final = stream.get_final_message()
    streamed = [block.to_dict() for block in final.content]
    assert [block["text"] for block in streamed] == [block["text"] for block in blocks]
    assert [block.get("citations") or [] for block in streamed] == told
    raw = list(client.messages.create(**ask, stream=True))
    (end,) = [event.to_dict() for event in raw if event.type == "message_delta"]
    assert (
        [one["quote"] for one in end["mainstay"]["grounding"]["citations"]]
        == [  # type: ignore[index]
            some[0]["cited_text"]  # type: ignore[index]
            for some in told[:2]
        ]
    )


def test_what_was_added_to_an_answer_goes_to_no_model_when_it_comes_back(gateway: Gateway, vendor: Upstream) -> None:
    script(vendor, *SAID)
    client = OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    turns: list[Any] = [{"role": "user", "content": QUESTION}]
    first = client.chat.completions.create(model="docs", messages=turns)
    turns += [first.choices[0].message.to_dict(), {"role": "user", "content": "And the hours of the shop?"}]
    client.chat.completions.create(model="docs", messages=turns)
    body = vendor.requests[-1].json()
    assert "mainstay" not in json.dumps(body)
    assert plain(body["messages"][2]["content"]) == VISIBLE
    other = Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    said = other.messages.create(model="docs", max_tokens=9, messages=[{"role": "user", "content": QUESTION}])
    turns = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": [block.to_dict() for block in said.content]},
        {"role": "user", "content": "And the hours of the shop?"},
    ]
    other.messages.create(model="docs", max_tokens=9, messages=turns)
    assert "char_location" not in json.dumps(vendor.requests[-1].json())


def test_pages_are_cited_by_page_and_marks_may_be_taken_out(gateway: Gateway, vendor: Upstream) -> None:
    script(vendor, "Parking costs two dollars [{p}].")
    client = Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    asked: list[Any] = [{"role": "user", "content": "What does parking cost?"}]
    (block,) = client.messages.create(model="bare", max_tokens=9, messages=asked).content
    assert block.type == "text"
    assert block.text == "Parking costs two dollars."
    assert block.citations is not None
    (one,) = block.citations
    assert one.type == "page_location"
    assert (one.start_page_number, one.end_page_number) == (4, 5)


def test_nobody_is_given_what_their_groups_may_not_read(gateway: Gateway, vendor: Upstream) -> None:
    script(vendor, "Refunds of 900 dollars are for staff only [1].")
    client = OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    asked: list[Any] = [{"role": "user", "content": "Who gets refunds of 900 dollars, staff only?"}]
    client.chat.completions.create(model="docs", messages=asked)
    assert "for staff only" not in json.dumps(vendor.requests[-1].json())


def test_a_route_that_finds_nothing_says_so_in_every_dialect(gateway: Gateway, vendor: Upstream) -> None:
    vendor.forget()
    asked: list[Any] = [{"role": "user", "content": "Zyxgarble qwertzuiop?"}]
    client = OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    assert client.chat.completions.create(model="bare", messages=asked).choices[0].message.content == "Nothing."
    assert client.responses.create(model="bare", input="Zyxgarble qwertzuiop?").output_text == "Nothing."
    with Anthropic(base_url=gateway.url, api_key=gateway.key).messages.stream(
        model="bare", max_tokens=9, messages=asked
    ) as stream:
        assert stream.get_final_text() == "Nothing."
    assert vendor.requests == []


def test_the_record_keeps_places_and_hashes_and_no_words(gateway: Gateway, vendor: Upstream) -> None:
    script(vendor, *SAID)
    client = OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    asked: list[Any] = [{"role": "user", "content": QUESTION}]
    given = client.chat.completions.with_raw_response.create(model="docs", messages=asked)
    wanted = given.headers["x-request-id"]
    gateway.until(lambda: any(one.request_id == wanted for one in gateway.journal()))
    (record,) = [one for one in gateway.journal() if one.request_id == wanted]
    assert record.grounding is not None
    assert len(record.grounding.citations) == 2
    assert record.grounding.verdicts == {"unchecked": 2, "uncheckable": 1}
    assert "Refunds take" not in str(record)
