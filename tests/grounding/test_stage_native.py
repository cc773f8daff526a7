"""Anthropic's own citations end to end: the official SDK before a running gateway, a scripted Claude behind it.

Documents and results of searches that a caller gives pass without loss; passages of the gateway's own go up as such
results, and what Claude cites of them comes back as citations of the knowledge base. Towards another vendor the same
request is text, and its answer says that nothing is cited.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import Anthropic
from openai import OpenAI

from mainstay.grounding.port import Change, Meta, Slice
from mainstay.grounding.sqlite import open_store
from support import messages_wire as wire
from support.gateway import Gateway, completion, sse_chunks
from support.upstream import Chunk, Head, Received, Upstream, json_reply

TEXT = "Refunds take 14 days. They are paid to the card that was charged."
QUESTION = "How long do refunds take?"


@pytest.fixture(scope="module")
def claude() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def other() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, claude: Upstream, other: Upstream) -> Iterator[Gateway]:
    knowledge = {"base": "handbook", "within": "60s"}
    config = {
        "providers": {
            "claude": {"kind": "anthropic", "base_url": claude.url, "api_key": "k"},
            "other": {"kind": "openai", "base_url": f"{other.url}/v1"},
        },
        "models": {
            "haiku": {"provider": "claude", "name": "claude-haiku-4-5"},
            "able": {"provider": "other"},
        },
        "knowledge": {"handbook": {"embedder": "none"}},
        "routes": {
            "plain": {"targets": ["haiku"], "attempts": 1},
            "text": {"targets": ["able"], "attempts": 1},
            "docs": {"targets": ["haiku"], "attempts": 1, "knowledge": knowledge},
            "marks": {"targets": ["haiku"], "attempts": 1, "knowledge": {**knowledge, "native": False}},
        },
    }
    running = Gateway(tmp_path_factory.mktemp("gateway"), config)
    (running.var / "knowledge").mkdir(mode=0o700)
    store = open_store(running.var / "knowledge", "handbook")
    store.put("refunds.md", TEXT, [Slice(0, len(TEXT), 0)], Meta(title="Handbook"), Change("test", "a test"))
    store.shut()
    with running:
        yield running


def script(claude: Upstream, *blocks: Any) -> None:
    """Let Claude say ``blocks``; ``{source}`` in a citation is the name of the first result of a search."""
    claude.forget()

    def answer(received: Received) -> Any:
        asked = received.json()
        parts = [part for turn in asked["messages"] if isinstance(turn["content"], list) for part in turn["content"]]
        names = [part["source"] for part in parts if part["type"] == "search_result"]
        said = json.loads(json.dumps(wire.message(*blocks)).replace("{source}", names[0] if names else ""))
        if not asked.get("stream"):
            return json_reply(said)
        events = wire.events(said, lambda text: [text[at : at + 5] for at in range(0, len(text), 5)])
        return [Head(200), *(Chunk(wire.sse([event])) for event in events)]

    claude.handler = answer


def text(words: str, *citations: Any) -> Any:
    return {"type": "text", "text": words, **({"citations": list(citations)} if citations else {})}


def place(kind: str, quote: str, **fields: Any) -> Any:
    return {"type": kind, "cited_text": quote, **fields}


RESULT = {
    "type": "search_result",
    "source": "https://a.example/returns",
    "title": "Returns",
    "content": [{"type": "text", "text": "Send it back. "}, {"type": "text", "text": "Keep the slip."}],
    "citations": {"enabled": True},
}
PLAIN = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "Grass is green."},
    "title": "Grass",
    "context": "Of a meadow.",
    "citations": {"enabled": True},
}
BLOCKS = {
    "type": "document",
    "source": {"type": "content", "content": [{"type": "text", "text": "One. "}, {"type": "text", "text": "Two."}]},
    "citations": {"enabled": True},
}
PDF = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="},
    "citations": {"enabled": True},
}
TURNS: list[Any] = [
    {"role": "user", "content": [PLAIN, BLOCKS, PDF, RESULT, {"type": "text", "text": "Look it up."}]},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [RESULT]}]},
]
TOOLS: list[Any] = [{"name": "find", "input_schema": {"type": "object", "properties": {}}}]
PLACES = [
    place("char_location", "Grass is green.", document_index=0, document_title="Grass", file_id=None,
          start_char_index=0, end_char_index=15),
    place("content_block_location", "Two.", document_index=1, document_title=None, file_id=None,
          start_block_index=1, end_block_index=2),
    place("page_location", "Page one.", document_index=2, document_title=None, file_id=None,
          start_page_number=1, end_page_number=2),
    place("search_result_location", "Send it back. ", search_result_index=1, source="https://a.example/returns",
          title="Returns", start_block_index=0, end_block_index=1),
]  # fmt: skip


def test_a_caller_s_documents_and_claude_s_citations_of_them_pass_without_loss(
    gateway: Gateway, claude: Upstream
) -> None:
    said = [text("So: "), *(text(f"claim {n}", one) for n, one in enumerate(PLACES)), text(".")]
    script(claude, *said)
    client = Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    ask: Any = {"model": "plain", "max_tokens": 9, "messages": TURNS, "tools": TOOLS}
    whole = client.messages.create(**ask)
    assert claude.requests[-1].json()["messages"] == TURNS
    assert [block.to_dict() for block in whole.content] == said
    with client.messages.stream(**ask) as stream:
        final = stream.get_final_message()
    assert [(one.text, [c.to_dict() for c in one.citations or ()]) for one in final.content] == [  # type: ignore[union-attr]
        (one["text"], one.get("citations", [])) for one in said
    ]


def test_another_vendor_reads_them_as_text_and_its_answer_says_that_nothing_is_cited(
    gateway: Gateway, other: Upstream
) -> None:
    other.forget()
    other.handler = lambda received: (
        [Head(200), *(Chunk(event) for event in sse_chunks("Green."))]
        if received.json().get("stream")
        else json_reply(completion("Green."))
    )
    client = Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    turns: Any = [{"role": "user", "content": [PLAIN, BLOCKS, RESULT, {"type": "text", "text": "Which?"}]}, *TURNS[1:]]
    ask: Any = {"model": "text", "max_tokens": 9, "messages": turns, "tools": TOOLS}
    whole = client.messages.create(**ask)
    body = other.requests[-1].json()
    content = body["messages"][0]["content"]
    assert {"type": "text", "text": "Of a meadow."} in content
    assert {"type": "text", "text": "Returns (https://a.example/returns)\n\nSend it back. Keep the slip."} in content
    assert [part["file"]["filename"] for part in content if part["type"] == "file"] == ["Grass", "document.txt"]
    assert "Keep the slip." in json.dumps(body["messages"][-1])
    assert whole.to_dict()["mainstay"] == {"citations": "not_given"}
    (end,) = [one.to_dict() for one in client.messages.create(**ask, stream=True) if one.type == "message_delta"]
    assert end["mainstay"] == {"citations": "not_given"}
    bare = client.messages.create(model="text", max_tokens=9, messages=[{"role": "user", "content": "Which?"}])
    assert "mainstay" not in bare.to_dict()


def located(quote: str) -> Any:
    return place(
        "search_result_location", quote, search_result_index=0, source="{source}", title="Handbook",
        start_block_index=0, end_block_index=1,
    )  # fmt: skip


CITED = [text("As I read, "), text("refunds take 14 days", located("Refunds take 14 days. ")), text(". "),
         text("Not 15.", located("Refunds take 15 days."))]  # fmt: skip


def test_passages_go_up_as_results_of_a_search_and_their_citations_come_back_as_ours(
    gateway: Gateway, claude: Upstream
) -> None:
    script(claude, *CITED)
    client = Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    ask: Any = {"model": "docs", "max_tokens": 9, "messages": [{"role": "user", "content": QUESTION}]}
    whole = client.messages.create(**ask)
    asked = claude.requests[-1].json()
    result, own = asked["messages"][0]["content"]
    assert (result["type"], result["title"], result["citations"]) == ("search_result", "Handbook", {"enabled": True})
    assert "".join(one["text"] for one in result["content"]) == TEXT
    assert own["text"].strip() == QUESTION
    assert "square brackets" not in str(asked["system"])
    blocks = [block.to_dict() for block in whole.content]
    (cited,) = [block for block in blocks if block.get("citations")]
    (one,) = cited["citations"]  # type: ignore[misc]
    assert cited["text"] == "refunds take 14 days"
    assert (one["type"], one["cited_text"], one["start_char_index"]) == ("char_location", "Refunds take 14 days.", 0)
    assert (one["mainstay"]["document"], one["mainstay"]["how"]) == ("refunds.md", "marked")
    assert whole.to_dict()["mainstay"]["grounding"]["invented_marks"] == 1  # type: ignore[index]
    with client.messages.stream(**ask) as stream:
        final = stream.get_final_message()
    streamed = [block.to_dict() for block in final.content]
    assert [(one["text"], one.get("citations") or []) for one in streamed] == [
        (one["text"], one.get("citations") or []) for one in blocks
    ]


def test_callers_of_other_wires_have_them_in_their_own(gateway: Gateway, claude: Upstream) -> None:
    script(claude, *CITED)
    client = OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    asked: Any = [{"role": "user", "content": QUESTION}]
    message = client.chat.completions.create(model="docs", messages=asked).choices[0].message
    assert message.annotations is not None
    (one,) = message.annotations
    assert (message.content or "")[one.url_citation.start_index : one.url_citation.end_index] == "refunds take 14 days"
    response = client.responses.create(model="docs", input=QUESTION)
    (note,) = response.output[0].content[0].annotations  # type: ignore[union-attr,misc]
    assert note.to_dict()["mainstay"]["quote"] == "Refunds take 14 days."


def test_a_route_may_ask_claude_for_marks_like_any_other_model(gateway: Gateway, claude: Upstream) -> None:
    script(claude, text("Refunds take 14 days [1]."))
    client = Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    (block,) = client.messages.create(
        model="marks", max_tokens=9, messages=[{"role": "user", "content": QUESTION}]
    ).content
    assert "<<passage 1" in json.dumps(claude.requests[-1].json())
    assert block.to_dict()["citations"][0]["cited_text"] == "Refunds take 14 days."  # type: ignore[index]


def test_what_we_added_goes_to_no_upstream_of_a_route_without_knowledge(gateway: Gateway, claude: Upstream) -> None:
    script(claude, *CITED)
    client = Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    said = client.messages.create(model="docs", max_tokens=9, messages=[{"role": "user", "content": QUESTION}])
    turns: Any = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": [block.to_dict() for block in said.content]},
        {"role": "user", "content": "Thanks."},
    ]
    client.messages.create(model="plain", max_tokens=9, messages=turns)
    sent = json.dumps(claude.requests[-1].json())
    assert "mainstay" not in sent
    assert "char_location" not in sent
    assert "refunds take 14 days" in sent
