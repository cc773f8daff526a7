"""The semantic tier end to end: OpenAI's SDK before a running gateway, the real encoder and verifier in it, a scripted
model behind, a knowledge base that is corrected."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import InternalServerError, OpenAI

from mainstay.caching.config import CacheConfig
from mainstay.caching.service import open_shelf
from mainstay.encoders.minilm import is_installed
from mainstay.grounding.port import Change, Meta, Slice
from mainstay.grounding.sqlite import open_store
from mainstay.identity.roles import parse_grant
from support.gateway import Gateway, completion
from support.upstream import Received, Upstream, json_reply

pytestmark = pytest.mark.skipif(not is_installed(), reason="the extra guards is not installed")

REFUNDS = "Refunds take 14 days and are paid to the card."
CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Done."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 3, "cache_read_input_tokens": 1500, "cache_creation_input_tokens": 0},
}
#: A lookup never times out here; nothing is compared by chance.
SEMANTIC = {"start": "trust", "wait": "60s", "shadow": 1e-9}


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, vendor: Upstream) -> Iterator[Gateway]:
    own: dict[str, Any] = {"targets": ["able"], "attempts": 1}
    running = Gateway(
        tmp_path_factory.mktemp("gateway"),
        {
            "providers": {
                "vendor": {"kind": "openai", "base_url": f"{vendor.url}/v1"},
                "claude": {"kind": "anthropic", "base_url": vendor.url, "api_key": "sk-ant-test"},
            },
            "models": {"able": {"provider": "vendor"}, "wordy": {"provider": "claude", "name": "claude-sonnet-4-5"}},
            "knowledge": {"handbook": {"embedder": "none"}},
            "cache": {"wait": "60s"},
            "routes": {
                "help": {**own, "cache": {"semantic": SEMANTIC}},
                "docs": {
                    **own,
                    "cache": {"semantic": {**SEMANTIC, "similarity": 0.8}},
                    "knowledge": {"base": "handbook", "within": "60s"},
                },
                "agent": {"targets": ["wordy"], "attempts": 1, "cache": {"answers": False, "prefix": True}},
                "unproven": {**own, "cache": {"semantic": {"wait": "60s"}}},
            },
        },
    )
    (running.var / "knowledge").mkdir(mode=0o700)
    store = open_store(running.var / "knowledge", "handbook")
    store.put("refunds.md", REFUNDS, [Slice(0, len(REFUNDS))], Meta(title="Refunds"), Change("test", "a test"))
    store.shut()
    with running:
        yield running


@pytest.fixture(autouse=True)
def script(vendor: Upstream) -> None:
    """Have the model answer each call differently."""
    vendor.forget()
    words = iter(("alpha river", "yellow engine", "seven apples", "paper moon", "cold iron", "late trains") * 9)

    def answer(received: Received) -> Any:
        if received.path.endswith("/messages"):
            return json_reply(CLAUDE)
        return json_reply(completion(f"{next(words)} {len(vendor.requests)}"))

    vendor.handler = answer


class Caller:
    """Asks a route with a key of its own."""

    def __init__(self, gateway: Gateway, route: str, key: str = "") -> None:
        self._route = route
        self._client = OpenAI(base_url=f"{gateway.url}/v1", api_key=key or gateway.key, max_retries=0)

    def ask(self, text: str, system: str = "Be brief.", **headers: str) -> tuple[str, str]:
        """Return what came of the cache, and the answer."""
        raw = self._client.chat.completions.with_raw_response.create(
            model=self._route,
            messages=[{"role": "system", "content": system}, {"role": "user", "content": text}],
            extra_headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        return raw.headers["x-mainstay-cache"], raw.parse().choices[0].message.content or ""

    def kept(self, text: str, system: str = "Be brief.", **headers: str) -> tuple[str, str] | None:
        """Return the same without asking a model; None where nothing that is kept fits."""
        try:
            return self.ask(text, system, cache_control="only-if-cached", **headers)
        except InternalServerError as error:
            if error.code != "not_cached":
                raise
            return None

    def keep(self, gateway: Gateway, text: str) -> str:
        """Have an answer kept, and return it."""
        _, answer = self.ask(text)
        gateway.until(lambda: self.kept(text) == ("hit", answer))
        return answer


@pytest.fixture(scope="module")
def admin(gateway: Gateway) -> Iterator[httpx.Client]:
    key = gateway.keys.create("admin", grants=[parse_grant("admin")]).key
    with httpx.Client(base_url=gateway.url, headers={"authorization": f"Bearer {key}"}, timeout=60) as client:
        yield client


def told(admin: httpx.Client, route: str) -> dict[str, Any]:
    """Return how a tier stands."""
    return next(one for one in admin.get("/api/cache").json()["semantic"] if one["route"] == route)


def test_a_question_in_other_words_is_given_the_kept_answer(gateway: Gateway, vendor: Upstream) -> None:
    caller = Caller(gateway, "help")
    answer = caller.keep(gateway, "How do I reset my router to factory settings?")
    calls = len(vendor.requests)
    assert caller.ask("How can I reset my router to factory settings?") == ("semantic", answer)
    assert len(vendor.requests) == calls


@pytest.mark.parametrize(
    "other",
    [
        "How do I not pair 2 Sony headsets with the television?",
        "How do I unpair 2 Sony headsets from the television?",
        "How do I pair 3 Sony headsets with the television?",
        "How do I pair 2 Bose headsets with the television?",
        "Why do I pair 2 Sony headsets with the television?",
    ],
)
def test_opposites_numbers_and_names_are_other_questions(gateway: Gateway, other: str) -> None:
    caller = Caller(gateway, "help")
    caller.keep(gateway, "How do I pair 2 Sony headsets with the television?")
    assert caller.kept("How can I pair 2 Sony headsets with the television?") is not None
    assert caller.kept(other) is None


def test_another_tenant_and_another_system_prompt_are_given_nothing(gateway: Gateway) -> None:
    caller, words = Caller(gateway, "help"), "How can I renew my library card?"
    caller.keep(gateway, "How do I renew my library card?")
    assert caller.kept(words) is not None
    assert Caller(gateway, "help", gateway.keys.create("other", team="other").key).kept(words) is None
    assert caller.kept(words, "Be long.") is None
    assert caller.kept(words, x_mainstay_cache_similarity="1") is None


def test_an_evicted_answer_is_not_given_in_other_words(gateway: Gateway) -> None:
    caller, words = Caller(gateway, "help"), "How can I polish an old brass lamp?"
    caller.keep(gateway, "How do I polish an old brass lamp?")
    assert caller.kept(words) is not None
    shelf = open_shelf(CacheConfig(), gateway.var)
    gateway.until(lambda: shelf.counts().routes.get("help"))
    assert shelf.evict(route="help")
    shelf.close()
    assert caller.kept(words) is None


def test_a_correction_drops_what_rests_on_it_before_it_returns(gateway: Gateway, admin: httpx.Client) -> None:
    caller, words = Caller(gateway, "docs"), "How long do the refunds take?"
    caller.keep(gateway, "How long do refunds take?")
    assert caller.kept(words, x_mainstay_cache_similarity="0.8") is not None
    change = {"name": "refunds.md", "replace": "14 days", "by": "21 days", "why": "New terms."}
    assert admin.post("/api/knowledge/handbook/edit", json=change).status_code == 200
    assert "docs" not in admin.get("/api/cache").json()["routes"]
    assert caller.kept(words) is None
    assert caller.kept("How long do refunds take?") is None


def test_a_tier_whose_answers_disagree_is_never_served_and_switches_itself_off(
    gateway: Gateway, admin: httpx.Client
) -> None:
    caller = Caller(gateway, "unproven")
    for thing in ("bicycle chain", "kitchen sink", "garden fence", "wooden floor", "leather sofa", "wool carpet"):
        caller.keep(gateway, f"How do I clean a {thing}?")
        assert caller.ask(f"How can I clean a {thing}?")[0] == "miss"
    gateway.until(lambda: told(admin, "unproven")["state"] == "off")
    standing = told(admin, "unproven")
    assert standing["disagreements"] == standing["compared"] > 1
    assert "disagreed" in standing["reason"]
    gateway.until(lambda: told(admin, "unproven")["workers_off"] == ["0"])
    anew = admin.post("/api/cache/semantic/unproven/reset").json()
    assert (anew["state"], anew["compared"]) == ("proving", 0)
    # The worker knows it at the next call.
    assert caller.ask("How do I clean a marble table?")[0] == "miss"
    gateway.until(lambda: told(admin, "unproven")["workers_off"] == [])


def test_an_edit_of_where_answers_lie_holds_without_a_restart(gateway: Gateway, tmp_path: Path) -> None:
    caller = Caller(gateway, "help")
    caller.keep(gateway, "How do I wind a grandfather clock?")
    gateway.write({**gateway.config, "cache": {"wait": "60s", "memory": 0, "disk": 0}})
    gateway.until(lambda: caller.kept("How do I wind a grandfather clock?") is None)
    gateway.write(gateway.config)
    gateway.until(lambda: caller.kept("How do I wind a grandfather clock?") is not None)
    assert "restart_needed" not in gateway.log()


def test_callers_say_what_is_kept_and_what_is_given(gateway: Gateway) -> None:
    caller, question = Caller(gateway, "help"), "How do I sharpen a bread knife?"
    caller.ask(question, cache_control="no-store")
    assert caller.kept(question) is None
    first = caller.keep(gateway, question)
    assert caller.ask(question, cache_control="no-store")[0] == "off"
    result, second = caller.ask(question, cache_control="no-cache")
    assert (result, second == first) == ("miss", False)
    gateway.until(lambda: caller.kept(question) == ("hit", second))
    assert caller.ask(question, cache_control="max-age=600")[0] == "hit"
    assert caller.ask(question, cache_control="max-age=0")[0] == "miss"


def test_the_beginning_that_stays_the_same_is_marked_for_the_vendors_cache(gateway: Gateway, vendor: Upstream) -> None:
    client = OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    tools: list[Any] = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
        for name in ("send", "find")
    ]
    messages: list[Any] = [{"role": "system", "content": "Be exact. " * 600}, {"role": "user", "content": "Go on."}]
    bodies = []
    for order in (tools, tools[::-1]):
        answer = client.chat.completions.create(model="agent", messages=messages, tools=order)
        assert answer.usage is not None
        assert answer.usage.prompt_tokens_details is not None
        assert answer.usage.prompt_tokens_details.cached_tokens == 1500
        bodies.append(vendor.requests[-1].body)
    assert bodies[0] == bodies[1]
    sent = vendor.requests[-1].json()
    assert sent["system"][-1]["cache_control"] == {"type": "ephemeral"}
    assert [tool["name"] for tool in sent["tools"]] == ["find", "send"]
