"""What a provider's own citations point at, read for whoever holds them against a source."""

from typing import Any

import msgspec
import pytest

from mainstay.core.events import Dialect, Grounded, Opaque
from mainstay.core.sources import Reference
from mainstay.core.target import Target
from mainstay.providers.anthropic import read_ask
from mainstay.providers.bedrock.codec import BedrockCodec
from mainstay.providers.citations import references, summary
from mainstay.providers.cohere.codec import CohereCodec
from mainstay.providers.gemini.codec import GeminiCodec
from mainstay.providers.openai.codec import OpenAICodec
from mainstay.providers.responses.codec import ResponsesCodec


def event(dialect: Dialect, payload: Any) -> Opaque:
    return Opaque(msgspec.Raw(msgspec.json.encode(payload)), dialect)


def test_a_result_of_a_search_is_known_by_its_source_and_other_places_have_no_name() -> None:
    location = {"type": "search_result_location", "source": "p1", "cited_text": "x", "start_block_index": 0}
    assert references(event(Dialect.ANTHROPIC, {**location, "end_block_index": 2})) == (Reference("p1", "x", (0, 2)),)
    assert references(event(Dialect.ANTHROPIC, location)) == (Reference("p1", "x"),)
    for kind in ("char_location", "page_location", "content_block_location", "web_search_result_location"):
        assert references(event(Dialect.ANTHROPIC, {"type": kind, "cited_text": "x"})) == (Reference(""),)


def test_a_span_of_cohere_s_points_at_each_of_its_documents() -> None:
    span = {"start": 2, "end": 5, "text": "abc", "sources": [{"type": "document", "id": "p1"}, {"type": "tool"}]}
    found = [Reference("p1", span=(2, 5), text="abc"), Reference("", span=(2, 5), text="abc")]
    assert references(event(Dialect.COHERE, span)) == found
    assert references(event(Dialect.COHERE, [span, span])) == found * 2
    assert not references(event(Dialect.COHERE, {**span, "type": "PLAN"}))


@pytest.mark.parametrize(
    ("dialect", "payload"),
    [
        (Dialect.ANTHROPIC, {"type": "server_tool_use", "source": "p1"}),
        (Dialect.ANTHROPIC, {"type": "search_result_location", "source": 5}),
        (Dialect.ANTHROPIC, []),
        (Dialect.COHERE, {"start": "x"}),
        (Dialect.OPENAI, {"message": {"annotations": [{"type": "url_citation"}]}}),
        (Dialect.RESPONSES, {"annotations": [{"type": "file_citation", "file_id": "p1"}]}),
        (Dialect.GEMINI, {"groundingMetadata": {}}),
    ],
)
def test_what_is_no_citation_of_a_source_points_at_nothing(dialect: Dialect, payload: Any) -> None:
    assert not references(event(dialect, payload))


def test_a_search_that_was_late_is_told_from_one_that_found_nothing() -> None:
    late = summary(Grounded(None, late=("search",), search="late"))["grounding"]
    assert (late["search"], late["nothing_found"], late["late"]) == ("late", False, ["search"])
    done = summary(Grounded(None, nothing=True))["grounding"]
    assert (done["search"], done["nothing_found"]) == ("done", True)


@pytest.mark.parametrize("codec", [OpenAICodec(), ResponsesCodec(), GeminiCodec(), CohereCodec(), BedrockCodec()])
def test_every_wire_can_say_what_a_caller_of_anthropic_s_gives_to_be_cited(codec: Any) -> None:
    cited = {"citations": {"enabled": True}}
    texts = [{"type": "text", "text": "Send it back. "}, {"type": "text", "text": "Keep the slip."}]
    result = {"type": "search_result", "source": "https://a.example", "title": "Returns", "content": texts, **cited}
    document = {"type": "document", "source": {"type": "content", "content": texts}, **cited}
    body = {
        "model": "m",
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": [result, document, {"type": "text", "text": "How?"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "find", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [result]}]},
        ],
        "tools": [{"name": "find", "input_schema": {"type": "object", "properties": {}}}],
    }
    ask = read_ask(msgspec.json.encode(body))
    _, sent = codec.request(ask, Target("m", "p", "v", "up"), stream=False)
    assert sent.count(b"Send it back. Keep the slip.") >= 2
    assert b"enabled" not in sent or isinstance(codec, BedrockCodec)
