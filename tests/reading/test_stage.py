"""What a model cannot take is read for it, once, and its caller hears which part could not be."""

import asyncio
import base64
import itertools
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest

from mainstay.core.call import Ask, Call, Caller
from mainstay.core.clock import monotonic
from mainstay.core.errors import MainstayError, Unavailable, Unreadable
from mainstay.core.events import Dialect
from mainstay.core.prompt import AudioPart, DocumentPart, ImagePart, Message, Part, Prompt, TextPart
from mainstay.core.record import Record
from mainstay.core.target import Feature, Operation, Target
from mainstay.core.timeouts import Timeouts
from mainstay.providers.openai.requests import scan
from mainstay.reading.config import ModalitiesConfig
from mainstay.reading.port import Limits, Text, Work
from mainstay.reading.stage import Read, Rule, reading_rule
from support.files import data_url, docx, locked_pdf, pdf, picture, scanned_pdf
from support.gateway import Gateway, completion, sse_chunks
from support.upstream import Chunk, Head, Received, Reply, Upstream, json_reply

ALL = frozenset({Feature.IMAGES, Feature.DOCUMENTS, Feature.AUDIO})
BLIND = Target("blind", "p", "v", "blind", lacks=ALL)
SEEING = Target("seeing", "p", "v", "seeing")
IMAGE = ImagePart(data=base64.b64encode(b"picture").decode(), media_type="image/png")
WAVE = b"RIFF....WAVEfmt "
AUDIO = AudioPart(base64.b64encode(WAVE).decode(), "wav")


class Scripted:
    """A reader that says what a file holds, in capitals, and counts."""

    def __init__(self, *errors: MainstayError) -> None:
        self.works: list[Work] = []
        self.errors = list(errors)

    async def read(self, work: Work, seconds: float) -> Text:
        assert seconds > 0
        self.works.append(work)
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        return Text(work.data.decode().upper(), "ocr")

    async def aclose(self) -> None:
        """Hold nothing."""


class Ears:
    """A transcriber that says how it was asked."""

    async def transcribe(self, call: Call, audio: bytes, kind: str) -> str:
        return f"{len(audio)} bytes of {kind}"


def call_of(*parts: Part, operation: Operation = Operation.CHAT, seconds: float = 60, **extra: Any) -> Call:
    prompt = Prompt("m", (Message("user", parts),), extra=extra)
    ask = Ask(b"", Dialect.OPENAI, "m", False, False, lambda raw: prompt, scan, operation)
    now = monotonic()
    return Call(ask, Record("1", "1", 0), Caller("k"), "r", (), now, now + seconds, Timeouts())


def pass_through(step: Read, call: Call, act: Callable[[Call], Awaitable[Any]]) -> Any:
    """Run the step; ``act`` is the rest of the line."""

    async def run() -> Any:
        return await step(call, act)

    return asyncio.run(run())


async def adapted(call: Call, target: Target = BLIND) -> tuple[Part, ...]:
    prompt = call.ask.prompt
    for adapt in call.ask.adapters:
        prompt = await adapt(prompt, target)
    return prompt.messages[0].parts


def test_a_model_that_cannot_see_gets_what_was_read_and_one_that_can_gets_the_picture() -> None:
    reader = Scripted()

    async def act(call: Call) -> None:
        assert call.ask.spared == {Feature.IMAGES}
        assert reader.works == []
        assert (await adapted(call, SEEING)) == (TextPart("t"), IMAGE)
        assert reader.works == []
        for _ in range(3):
            text = (await adapted(call))[1]
            assert isinstance(text, TextPart)
            assert "PICTURE" in text.text
        assert len(reader.works) == 1
        assert call.record.steps.startswith("messages[0].content[1] ocr ")
        assert call.record.steps.endswith(" ms 7 characters")

    pass_through(Read(Rule(ALL), [SEEING, BLIND], reader), call_of(TextPart("t"), IMAGE), act)


def test_where_no_model_can_see_it_is_read_before_one_is_chosen() -> None:
    reader = Scripted()

    async def act(call: Call) -> None:
        assert len(reader.works) == 1
        await adapted(call)
        assert len(reader.works) == 1

    pass_through(Read(Rule(ALL), [BLIND, BLIND], reader), call_of(IMAGE), act)


def test_two_attempts_at_the_same_time_read_once() -> None:
    reader = Scripted()

    async def act(call: Call) -> None:
        await asyncio.gather(adapted(call), adapted(call))
        assert len(reader.works) == 2

    twin = ImagePart(data=IMAGE.data, media_type="image/png")
    pass_through(Read(Rule(ALL), [SEEING, BLIND], reader), call_of(IMAGE, twin), act)


def test_requests_with_nothing_to_read_pass_as_they_are() -> None:
    step = Read(Rule(ALL), [BLIND], Scripted())

    async def act(call: Call) -> Call:
        return call

    for call in (call_of(TextPart("t")), call_of(IMAGE, operation=Operation.EMBEDDING)):
        assert pass_through(step, call, act) is call
    only = Read(Rule(frozenset({Feature.DOCUMENTS})), [BLIND], Scripted())
    image = call_of(IMAGE)
    assert pass_through(only, image, act) is image


def test_a_recording_is_heard_and_an_answer_in_sound_is_nobodys_to_give() -> None:
    async def act(call: Call) -> Any:
        return call.ask.spared, await adapted(call)

    step = Read(Rule(ALL), [SEEING, BLIND], Scripted(), Ears())
    spared, (text,) = pass_through(step, call_of(AUDIO), act)
    assert spared == {Feature.AUDIO}
    assert "16 bytes of wav" in text.text
    spared, parts = pass_through(step, call_of(AUDIO, modalities=b'["audio"]'), act)
    assert spared == frozenset()
    assert parts == (AUDIO,)


def test_without_an_audio_model_a_model_that_hears_is_asked_and_else_that_is_told() -> None:
    async def act(call: Call) -> Any:
        return call.ask.spared

    assert pass_through(Read(Rule(ALL), [SEEING, BLIND], Scripted()), call_of(AUDIO), act) == frozenset()
    with pytest.raises(Unreadable, match=r"'modalities\.audio'") as refused:
        pass_through(Read(Rule(ALL), [BLIND], Scripted()), call_of(AUDIO), act)
    assert refused.value.param == "messages[0].content[0]"


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (ImagePart(url="https://example.com/a.png"), "gives an address, and this route fetches none"),
        (DocumentPart(file_id="file-1"), "names one that only its vendor has"),
        (ImagePart(data="!"), "is not in base64"),
        (ImagePart(data="eHh4eHh4eHh4eHh4eHh4eHh4"), "is larger than the 10 bytes"),
        (AudioPart(base64.b64encode(b"no sound").decode(), "wav"), "is no recording of a kind that is heard"),
        (IMAGE, "is odd"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(part: Part, said: str) -> None:
    async def act(call: Call) -> None:
        await adapted(call)

    call = call_of(TextPart("t"), part)
    step = Read(Rule(ALL, size=10), [BLIND], Scripted(Unreadable("is odd")), Ears())
    with pytest.raises(Unreadable) as refused:
        pass_through(step, call, act)
    assert (refused.value.status, refused.value.code) == (422, "unreadable_part")
    assert refused.value.param == "messages[0].content[1]"
    assert refused.value.message.startswith("'messages[0].content[1]' ")
    assert said in refused.value.message
    assert refused.value.message.endswith(".")
    assert "failed" in call.record.steps


def test_more_files_than_the_route_reads_are_refused_and_the_limit_itself_is_not() -> None:
    async def act(call: Call) -> None:
        await adapted(call)

    def images(count: int) -> list[Part]:
        return [ImagePart(data=IMAGE.data, detail=str(n)) for n in range(count)]

    step = Read(Rule(ALL, parts=3), [BLIND], Scripted())
    pass_through(step, call_of(*images(3)), act)
    with pytest.raises(Unreadable, match="more than the 3 files"):
        pass_through(step, call_of(*images(4)), act)


def test_other_troubles_pass_as_they_are() -> None:
    async def act(call: Call) -> None:
        """Not reached."""

    with pytest.raises(Unavailable):
        pass_through(Read(Rule(ALL), [BLIND], Scripted(Unavailable("Full."))), call_of(IMAGE), act)


def test_hearing_ends_with_the_call() -> None:
    class Deaf:
        async def transcribe(self, call: Call, audio: bytes, kind: str) -> str:
            await asyncio.Event().wait()
            return ""

    async def act(call: Call) -> None:
        """Not reached."""

    with pytest.raises(Unreadable, match="that hearing may take"):
        pass_through(Read(Rule(ALL), [BLIND], Scripted(), Deaf()), call_of(AUDIO, seconds=0.05), act)


def test_a_configuration_becomes_a_rule() -> None:
    written = {"images": False, "limits": {"size": "1MiB", "parts": 2, "pages": 3, "pixels": 4000, "characters": 500}}
    rule = reading_rule(ModalitiesConfig.model_validate(written))
    assert rule.features == {Feature.DOCUMENTS, Feature.AUDIO}
    assert rule.limits == Limits(3, 4000, 500)
    assert (rule.size, rule.parts, rule.timeout) == (1024 * 1024, 2, 60.0)


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    for package in ("pypdfium2", "rapidocr", "onnxruntime"):
        pytest.importorskip(package, reason="the extra 'modalities' is not installed")
    blind = {"provider": "vendor", "lacks": ["images", "documents", "audio"]}
    hosts = [f"localhost:{vendor.port}"]
    fetch = {"allow": hosts, "networks": ["127.0.0.0/8", "::1/128"]}
    config = {
        "providers": {"vendor": {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "sk-test"}},
        "models": {
            "blind": blind,
            "seeing": {"provider": "vendor"},
            "ears": {"provider": "vendor", "name": "whisper-1"},
        },
        "routes": {
            "plain": {"targets": ["blind"]},
            "reads": {"targets": ["blind"], "modalities": {"audio": "ears", "limits": {"pages": 3}}},
            "fetches": {"targets": ["blind"], "modalities": {"fetch": fetch}},
            "inside": {"targets": ["blind"], "modalities": {"fetch": {"allow": hosts}}},
            "either": {"targets": ["blind", "seeing"], "modalities": {}},
            "formed": {"targets": ["blind"], "modalities": {}, "form": {"output": {"kind": "number"}}},
        },
    }
    with Gateway(tmp_path_factory.mktemp("reading"), config) as running:
        yield running


def answer(request: Received) -> Any:
    if request.path == "/v1/audio/transcriptions":
        assert WAVE in request.body
        assert b"whisper-1" in request.body
        return json_reply({"text": "Hold the line, please."})
    if request.path == "/a.png":
        return Reply(200, (("content-type", "image/png"),), picture("Platform 12"))
    return json_reply(completion())


@pytest.fixture
def client(gateway: Gateway, vendor: Upstream) -> Iterator[openai.OpenAI]:
    vendor.requests.clear()
    vendor.handler = answer
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def ask(client: openai.OpenAI, route: str, *parts: dict[str, Any]) -> Any:
    content = [{"type": "text", "text": "What is this?"}, *parts]
    return client.chat.completions.create(model=route, messages=[{"role": "user", "content": content}])  # type: ignore[typeddict-item]  # parts, as they are


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def file(data: bytes, kind: str, name: str) -> dict[str, Any]:
    return {"type": "file", "file": {"filename": name, "file_data": data_url(data, kind)}}


def shown(vendor: Upstream) -> str:
    """Return the text that the model was shown, all parts together."""
    content = vendor.requests[-1].json()["messages"][-1]["content"]
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content)


def test_an_openai_caller_shows_a_picture_to_a_model_that_cannot_see(
    client: openai.OpenAI, gateway: Gateway, vendor: Upstream
) -> None:
    sent = image(data_url(picture("Invoice 2041"), "image/png"))
    assert ask(client, "reads", sent).choices[0].message.content == "Hello."
    assert "Invoice 2041" in shown(vendor)
    steps = gateway.journal()[-1].steps
    assert steps.startswith("messages[0].content[1] ocr ")
    assert "Invoice" not in steps
    with pytest.raises(openai.BadRequestError):
        ask(client, "plain", sent)


def test_an_anthropic_caller_sends_documents_to_a_model_that_cannot_open_them(
    client: openai.OpenAI, gateway: Gateway, vendor: Upstream
) -> None:
    def source(data: bytes, kind: str) -> dict[str, Any]:
        encoded = base64.b64encode(data).decode()
        return {"type": "document", "source": {"type": "base64", "media_type": kind, "data": encoded}}

    word = docx("<w:p><w:r><w:t>From Word</w:t></w:r></w:p>")
    blocks = [
        source(pdf("From a PDF page"), "application/pdf"),
        source(scanned_pdf("Scanned page"), "application/pdf"),
        source(word, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Plain words"}},
    ]
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as sdk:
        message = sdk.messages.create(model="reads", max_tokens=9, messages=[{"role": "user", "content": blocks}])  # type: ignore[typeddict-item]  # blocks, as they are
        assert message.content[0].text == "Hello."  # type: ignore[union-attr]  # a text block
        for text in ("From a PDF page", "Scanned page", "From Word", "Plain words"):
            assert text in shown(vendor)
        assert gateway.journal()[-1].steps.count(";") == 3
        with pytest.raises(anthropic.UnprocessableEntityError, match="password") as refused:
            sdk.messages.create(
                model="reads",
                max_tokens=9,
                messages=[{"role": "user", "content": [*blocks[3:], source(locked_pdf(), "application/pdf")]}],  # type: ignore[list-item]  # blocks, as they are
            )
    assert "messages[0].content[1]" in str(refused.value)


def test_a_recording_is_written_down_by_the_audio_model(
    client: openai.OpenAI, gateway: Gateway, vendor: Upstream
) -> None:
    sound = {"type": "input_audio", "input_audio": {"data": base64.b64encode(WAVE).decode(), "format": "wav"}}
    ask(client, "reads", sound)
    assert "Hold the line, please." in shown(vendor)
    record = gateway.journal()[-1]
    assert "transcription" in record.steps
    assert [attempt.target for attempt in record.attempts] == ["blind"]


def test_a_route_may_fetch_and_the_others_never_do(client: openai.OpenAI, gateway: Gateway, vendor: Upstream) -> None:
    url = f"http://localhost:{vendor.port}/a.png"
    ask(client, "fetches", image(url))
    assert "Platform 12" in shown(vendor)
    assert " fetched " in gateway.journal()[-1].steps
    vendor.requests.clear()
    for route, said in {"reads": "fetches none", "inside": "private network"}.items():
        with pytest.raises(openai.UnprocessableEntityError, match=said) as refused:
            ask(client, route, image(url))
        assert refused.value.param == "messages[0].content[1]"
    assert not vendor.requests


def test_a_part_that_cannot_be_read_goes_to_a_model_that_can_take_it(
    client: openai.OpenAI, gateway: Gateway, vendor: Upstream
) -> None:
    ask(client, "either", file(locked_pdf(), "application/pdf", "a.pdf"))
    record = gateway.journal()[-1]
    assert [attempt.target for attempt in record.attempts] == ["seeing"]
    assert "failed" in record.steps
    assert "file_data" in json.dumps(vendor.requests[-1].json())


def test_limits_are_told(client: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="has 4 pages and this route reads at most 3"):
        ask(client, "reads", file(pdf("a", "b", "c", "d"), "application/pdf", "a.pdf"))


def test_a_file_is_read_once_however_often_the_answer_is_asked_for_again(
    client: openai.OpenAI, gateway: Gateway, vendor: Upstream
) -> None:
    answers = itertools.chain(["no number"], itertools.repeat("42"))
    vendor.handler = lambda request: json_reply(completion(next(answers)))
    found = ask(client, "formed", file(b"The answer is 42.", "text/plain", "a.txt"))
    assert found.choices[0].message.content == "42"
    record = gateway.journal()[-1]
    assert len(record.attempts) == 2
    assert record.steps.count("messages[") == 1
    assert all("The answer is 42." in json.dumps(request.json()) for request in vendor.requests)


def test_streams_are_answered_as_ever(client: openai.OpenAI, vendor: Upstream) -> None:
    vendor.handler = lambda request: [Head(200), *(Chunk(event) for event in sse_chunks("Hel", "lo."))]
    stream = client.chat.completions.create(
        model="reads",
        stream=True,
        messages=[{"role": "user", "content": [file(b"Words.", "text/plain", "a.txt")]}],  # type: ignore[typeddict-item]  # parts, as they are
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == "Hello."
    assert "Words." in shown(vendor)
