"""The step that looks at requests and answers: alone, and for languages in a running gateway under official SDKs."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anthropic
import openai
import pytest

from mainstay.core.answer import Answer
from mainstay.core.call import Ask, Call, Caller
from mainstay.core.errors import LanguageNotAllowed
from mainstay.core.events import Dialect, Frame, TextDelta
from mainstay.core.prompt import Message, Prompt, TextPart
from mainstay.core.record import Record
from mainstay.core.target import Operation
from mainstay.core.timeouts import Timeouts
from mainstay.guardrails.compile import Instruments, compile_rails
from mainstay.guardrails.config import LanguageConfig, RailConfig
from mainstay.guardrails.null import NullReviews
from mainstay.guardrails.port import Guess
from mainstay.guardrails.screening import Rails
from mainstay.guardrails.stage import Screen, language_rule
from mainstay.providers.openai import read_ask
from support.gateway import Gateway, completion
from support.rails import TARGET, Guard, body
from support.upstream import Upstream, json_reply

GERMAN = "Können Sie mir bitte sagen, wann der nächste Zug nach Hamburg fährt?"
ENGLISH = "Can you tell me when the next train to Hamburg leaves?"
JAPANESE = "次の電車は何時に出発しますか。"


def screened(config: dict[str, Any], code: str, operation: Operation = Operation.CHAT) -> Call:
    """Return the call as it leaves the step when its text is of language ``code``."""
    prompt = Prompt("m", (Message("user", (TextPart("…"),)),))
    ask = Ask(b"", Dialect.OPENAI, "m", False, False, lambda raw: prompt, lambda ask: frozenset(), operation)
    call = Call(ask, Record("1", "1", 0), Caller("k"), "r", (), 0.0, 1e9, Timeouts())
    seen: list[Call] = []

    async def onward(passed: Call) -> Any:
        seen.append(passed)
        return SimpleNamespace()

    async def run() -> None:
        rule = language_rule(LanguageConfig.model_validate(config))
        await Screen(rule, SimpleNamespace(detect=lambda text: Guess(code)))(call, onward)

    asyncio.run(run())
    return seen[0]


def test_a_rule_without_wishes_only_writes_the_language_down() -> None:
    call = screened({}, "de")
    assert call.record.language == "de"
    assert (call.wished_model, call.wished_prompt) == ("", "")


def test_a_language_may_wish_for_a_model_and_a_prompt() -> None:
    config = {"targets": {"ja": "tokyo"}, "prompts": {"ja": "support-ja@1", "de": "support-de"}}
    call = screened(config, "ja")
    assert (call.wished_model, call.wished_prompt) == ("tokyo", "support-ja@1")
    assert screened(config, "de").wished_model == ""
    assert screened(config, "und").wished_prompt == ""


def test_what_is_no_conversation_passes_unseen() -> None:
    call = screened({"allow": ["de"], "unknown": "refuse"}, "en", Operation.EMBEDDING)
    assert call.record.language == ""


@pytest.mark.parametrize(
    ("config", "code", "message"),
    [
        ({"allow": ["en"]}, "de", "This route takes requests in English (en); write in one of these languages."),
        (
            {"allow": ["en", "de", "fr"]},
            "ja",
            "This route takes requests in English (en), German (de) or French (fr); write in one of these languages.",
        ),
        ({"allow": ["en"], "refuse": "English only."}, "de", "English only."),
        ({"allow": ["en"], "refuse": {"de": "Nur Englisch."}}, "de", "Nur Englisch."),
        ({"allow": ["en"], "unknown": "refuse", "refuse": "English only."}, "und", "English only."),
    ],
)
def test_a_language_that_is_not_allowed_is_refused_in_the_words_of_the_route(
    config: dict[str, Any], code: str, message: str
) -> None:
    with pytest.raises(LanguageNotAllowed) as refused:
        screened(config, code)
    assert refused.value.message == message
    assert refused.value.extra == {"language": code}


def test_an_unknown_language_may_pass_unless_the_route_says_otherwise() -> None:
    assert screened({"allow": ["en"]}, "und").record.language == "und"


class Pieces:
    """A stream that waits for a word before it ends."""

    def __init__(self, may_end: asyncio.Event) -> None:
        self._left = [(Frame((TextDelta("One "),)),), (Frame((TextDelta("two."),)),)]
        self._may_end = may_end
        self.left = False

    def __aiter__(self) -> "Pieces":
        return self

    async def __anext__(self) -> Any:
        if self._left:
            return self._left.pop(0)
        self._may_end.set()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.left = True


class Slow(Guard):
    """A judge that is not done before the answer is."""

    def __init__(self, *heads: str) -> None:
        super().__init__(*heads)
        self.may_end = threading.Event()

    def judge(self, texts: Any) -> Any:
        assert self.may_end.wait(30)
        return super().judge(texts)


@pytest.mark.parametrize("early", [False, True])
def test_what_only_flags_is_noted_before_a_stream_is_over(early: bool) -> None:
    slow = Slow("profanity")
    frames = Pieces(asyncio.Event())
    rails = {"rude": RailConfig.model_validate({"what": "profanity", "do": "flag", "where": "input"})}
    railing = compile_rails("r", rails, Instruments(Path("nowhere"), lambda _: slow))
    screen = Screen(None, None, Rails(railing, bytes(32), NullReviews()))
    ask = read_ask(json.dumps(body(("user", "profanity"))).encode())
    call = Call(ask, Record("1", "1", 0), Caller("k"), "r", (), 0.0, 1e9, Timeouts())

    async def run() -> list[str]:
        async def onward(_: Call) -> Answer:
            return Answer(TARGET, frames=frames)

        answer = await screen(call, onward)
        assert answer.frames is not None
        first = await answer.frames.__anext__()
        assert call.record.verdicts == []
        slow.may_end.set()
        rest = [] if early else [batch async for batch in answer.frames]
        noted = list(call.record.verdicts)
        await answer.frames.aclose()
        assert early or noted == call.record.verdicts
        return [frame.events[0].text for batch in (first, *rest) for frame in batch]  # type: ignore[attr-defined]  # text

    assert asyncio.run(run()) == (["One "] if early else ["One ", "two."])
    assert [one.outcome for one in call.record.verdicts] == ["flagged"]
    assert frames.left


def test_the_language_is_found_before_the_rails_look() -> None:
    rails = {"all": RailConfig.model_validate({"what": "words", "do": "block", "words": ["Zug"]})}
    rule = language_rule(LanguageConfig.model_validate({"allow": ["en"]}))
    railing = compile_rails("r", rails, Instruments(Path("nowhere")))
    detector = SimpleNamespace(detect=lambda text: Guess("de"))
    screen = Screen(rule, detector, Rails(railing, bytes(32), NullReviews()))
    ask = read_ask(json.dumps(body(("user", GERMAN))).encode())
    call = Call(ask, Record("1", "1", 0), Caller("k"), "r", (), 0.0, 1e9, Timeouts())
    with pytest.raises(LanguageNotAllowed):
        screen(call, lambda _: pytest.fail("nothing goes on"))
    assert (call.record.language, call.record.verdicts) == ("de", [])


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    pytest.importorskip("fasttext_pybind", reason="the extra 'languages' is not installed")
    config = {
        "providers": {"vendor": {"kind": "openai", "base_url": f"{vendor.url}/v1", "api_key": "sk-test"}},
        "models": {"usual": {"provider": "vendor"}, "tokyo": {"provider": "vendor"}},
        "prompts": {"support": "Answer in English.", "support-de@1": "Antworte auf Deutsch."},
        "routes": {
            "noted": {"targets": ["usual"], "language": {}},
            "strict": {
                "targets": ["usual"],
                "language": {"allow": ["en"], "refuse": {"de": "Bitte schreiben Sie auf Englisch."}},
            },
            "chosen": {
                "targets": ["usual"],
                "prompt": "support",
                "attempts": 2,
                "language": {"targets": {"ja": "tokyo"}, "prompts": {"de": "support-de@1"}},
            },
        },
    }
    with Gateway(tmp_path_factory.mktemp("languages"), config) as running:
        yield running


@pytest.fixture
def client(gateway: Gateway, vendor: Upstream) -> Iterator[openai.OpenAI]:
    vendor.requests.clear()
    vendor.handler = lambda request: json_reply(completion())
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def ask(client: openai.OpenAI, route: str, text: str, **fields: Any) -> Any:
    return client.chat.completions.create(model=route, messages=[{"role": "user", "content": text}], **fields)


def test_the_language_is_on_the_record_and_the_request_goes_up_as_it_came(
    client: openai.OpenAI, gateway: Gateway, vendor: Upstream
) -> None:
    ask(client, "noted", GERMAN)
    assert gateway.journal()[-1].language == "de"
    ask(client, "usual", GERMAN)
    assert gateway.journal()[-1].language == ""
    first, second = (request.json() for request in vendor.requests)
    assert first == {**second, "model": first["model"]}


def test_an_openai_caller_reads_the_refusal(client: openai.OpenAI, gateway: Gateway, vendor: Upstream) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, "strict", GERMAN)
    assert refused.value.code == "language_not_allowed"
    assert refused.value.body["message"] == "Bitte schreiben Sie auf Englisch."  # type: ignore[index]  # a mapping here
    assert not vendor.requests
    record = gateway.journal()[-1]
    assert (record.outcome, record.error, record.language) == ("refused", "language_not_allowed", "de")
    assert ask(client, "strict", ENGLISH).choices[0].message.content == "Hello."


def test_an_anthropic_caller_reads_the_refusal(client: openai.OpenAI, gateway: Gateway) -> None:
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as sdk:
        with pytest.raises(anthropic.BadRequestError, match="auf Englisch") as refused:
            sdk.messages.create(model="strict", max_tokens=9, messages=[{"role": "user", "content": GERMAN}])
        answer = sdk.messages.create(model="strict", max_tokens=9, messages=[{"role": "user", "content": ENGLISH}])
    assert refused.value.status_code == 400
    assert answer.content[0].text == "Hello."  # type: ignore[union-attr]  # a text block


def test_a_language_chooses_the_model_that_is_asked_first(
    client: openai.OpenAI, gateway: Gateway, vendor: Upstream
) -> None:
    ask(client, "chosen", JAPANESE)
    ask(client, "chosen", ENGLISH)
    assert [request.json()["model"] for request in vendor.requests] == ["tokyo", "usual"]


def test_the_routes_own_models_come_after_the_chosen_one(
    client: openai.OpenAI, gateway: Gateway, vendor: Upstream
) -> None:
    vendor.script(json_reply({"error": {"message": "This model is retired.", "code": "model_not_found"}}, 404))
    ask(client, "chosen", JAPANESE)
    assert [attempt.target for attempt in gateway.journal()[-1].attempts] == ["tokyo", "usual"]


def test_a_language_chooses_the_prompt(client: openai.OpenAI, gateway: Gateway, vendor: Upstream) -> None:
    ask(client, "chosen", GERMAN)
    ask(client, "chosen", ENGLISH)
    ask(client, "chosen", GERMAN, extra_body={"prompt": "support"})
    systems = [request.json()["messages"][0]["content"] for request in vendor.requests]
    assert systems == ["Antworte auf Deutsch.", "Answer in English.", "Antworte auf Deutsch."]
    assert gateway.journal()[-1].prompt == "support-de@1"
