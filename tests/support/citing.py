"""What each dialect says of a grounded answer, whole and streamed: its text, and its citations in order."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

import msgspec

from mainstay.core.events import Event, Finished, FinishReason, Frame, Opaque, Started, TextDelta
from mainstay.core.fold import fold
from mainstay.core.record import Grounding
from mainstay.core.sources import Reference, Source
from mainstay.grounding.answering import Answering
from mainstay.grounding.attach import attached
from mainstay.grounding.attribution import Passages
from mainstay.grounding.checking import Checks
from mainstay.grounding.native import Natives
from mainstay.grounding.policies import Rule
from mainstay.grounding.streams import cited
from mainstay.grounding.structured import Structured
from mainstay.providers.anthropic.stream_writer import AnthropicStreamWriter
from mainstay.providers.anthropic.written import write_whole as write_message
from mainstay.providers.citations import references
from mainstay.providers.openai.answers import write_whole as write_chat
from mainstay.providers.openai.stream_writer import OpenAIStreamWriter
from mainstay.providers.responses import ResponsesStreamWriter, read_ask
from mainstay.providers.responses import write_whole as write_response
from support.grounding import CATS, HOURS, PIN, REFUNDS

Read = Callable[[Opaque], Sequence[Reference]]

SOURCES = (REFUNDS, HOURS, CATS)
#: Read once for thousands of answers.
_READ = Passages(SOURCES)
_decode = msgspec.json.decode
_ASK = read_ask(b'{"model":"m","input":"x"}')


class Said(NamedTuple):
    """The text of an answer, its citations as the dialect has them, and the summary of what it rests on."""

    text: str
    citations: list[Any]
    summary: Any


def answering(
    sources: Sequence[Source] = SOURCES,
    *,
    keep: bool = True,
    unsupported: Any = None,
    check: Any = None,
    read: Read = references,
    attribute: bool = True,
    json: bool = False,
) -> Any:
    """Return what takes the events of one answer that was given ``sources``."""
    rule = Rule("handbook", keep=keep, unsupported=unsupported, text="Nothing.")
    passages = _READ if sources is SOURCES else Passages(sources)
    checks = Checks(rule, passages, check)
    grounding = Grounding("handbook")
    if json:
        return Structured(rule, passages, checks, PIN, grounding)
    texts = [source.text for source in sources]
    natives = Natives(passages, texts, attached(texts, "key", cite=True), read)
    return Answering(rule, passages, checks, PIN, grounding, natives, attribute=attribute)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Return what ``work`` returns, which waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    work.close()
    raise AssertionError("it waits")


async def streamed(taking: Any, events: Sequence[Event]) -> list[Event]:
    """Return the events that leave while these come."""
    out: list[Event] = []
    for event in events:
        await taking.take(event, out)
    await taking.stop()
    return out


async def whole(taking: Any, events: Sequence[Event]) -> list[Event]:
    """Return the events that leave of a whole answer."""
    return await cited(taking, fold(events).events)


def saying(texts: Sequence[str]) -> list[Event]:
    """Return the events of an answer that comes in these pieces."""
    return [Started("id", "m"), *map(TextDelta, texts), Finished(FinishReason.STOP)]


def _events_in(data: bytes) -> list[Any]:
    """Return the payloads of server-sent events."""
    found = [part.split(b"data: ", 1)[1] for part in data.split(b"\n\n") if b"data: " in part]
    return [_decode(one) for one in found if one != b"[DONE]"]


def chat_whole(events: Sequence[Event]) -> Said:
    """Return what a chat completion says."""
    body = _decode(write_chat(fold(events), model="m", id="1", created=1))
    message = body["choices"][0]["message"]
    return Said(message["content"], message.get("annotations", []), message.get("mainstay"))


def chat_streamed(events: Sequence[Event]) -> Said:
    """Return what the chunks of a chat completion say."""
    writer = OpenAIStreamWriter(False, model="m", id="1", created=1)
    data = b"".join([writer.frame(Frame((event,))) for event in events]) + writer.end()
    deltas = [chunk["choices"][0]["delta"] for chunk in _events_in(data)]
    told = [delta for delta in deltas if "mainstay" in delta]
    assert len(told) == 1
    text = "".join([delta.get("content") or "" for delta in deltas])
    return Said(text, told[0].get("annotations", []), told[0]["mainstay"])


def message_whole(events: Sequence[Event]) -> Said:
    """Return what a message says; its citations with the block of text that each is of."""
    body = _decode(write_message(fold(events), model="m", id="1"))
    return _of_blocks(body["content"], body.get("mainstay"))


def message_streamed(events: Sequence[Event]) -> Said:
    """Return what the events of a message say."""
    writer = AnthropicStreamWriter(model="m", id="1", request_id="r")
    data = b"".join([writer.frame(Frame((event,))) for event in events]) + writer.end()
    blocks: list[Any] = []
    summary = None
    for event in _events_in(data):
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "message_delta":
            summary = event.get("mainstay")
        elif event["type"] == "content_block_delta" and event["delta"]["type"] == "text_delta":
            blocks[event["index"]]["text"] += event["delta"]["text"]
        elif event["type"] == "content_block_delta":
            blocks[event["index"]].setdefault("citations", []).append(event["delta"]["citation"])
    return _of_blocks(blocks, summary)


def _of_blocks(blocks: Sequence[Any], summary: Any) -> Said:
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    pairs = [(block["text"], block.get("citations", [])) for block in blocks if block["type"] == "text"]
    return Said("".join(texts), [pair for pair in pairs if pair[1]], summary)


def response_whole(events: Sequence[Event]) -> Said:
    """Return what a response says."""
    return _of_response(_decode(write_response(fold(events), _ASK, model="m", id="0" * 32, created=1)))


def response_streamed(events: Sequence[Event]) -> Said:
    """Return what the events of a response say: all of them have to agree."""
    writer = ResponsesStreamWriter(_ASK, model="m", id="0" * 32, created=1)
    data = b"".join([writer.frame(Frame((event,))) for event in events]) + writer.end()
    told = _events_in(data)
    said = _of_response(told[-1]["response"])
    deltas = "".join([one["delta"] for one in told if one["type"] == "response.output_text.delta"])
    added = [one["annotation"] for one in told if one["type"] == "response.output_text.annotation.added"]
    assert deltas == said.text
    # Verdicts may come after the words.
    assert [_place(one) for one in added] == [_place(one) for one in said.citations]
    return said


def _of_response(response: Any) -> Said:
    parts = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    notes = [note for part in parts for note in part.get("annotations", ())]
    return Said("".join([part["text"] for part in parts]), notes, response.get("mainstay"))


def _place(annotation: Any) -> Any:
    own = annotation["mainstay"]
    return annotation["type"], own["passage"], own["start"], own["end"], own["claim"]


#: How each dialect says an answer: whole, and streamed.
DIALECTS: dict[str, tuple[Callable[[Sequence[Event]], Said], Callable[[Sequence[Event]], Said]]] = {
    "chat": (chat_whole, chat_streamed),
    "messages": (message_whole, message_streamed),
    "responses": (response_whole, response_streamed),
}
