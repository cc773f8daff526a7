"""A citation, opened by a caller: through a real gateway, where what a worker knows is what a file says."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mainstay.assembly.bases import open_knowledge
from mainstay.assembly.embedders import ask_gateway
from mainstay.config import load_config
from mainstay.core.errors import Unavailable
from mainstay.grounding.port import Meta
from support.gateway import Gateway

WARRANTY = b"# Warranty\n\nThe warranty of the lantern lasts two years \xe2\x80\x93 from the day of delivery.\n"
CONFIG: dict[str, Any] = {
    "providers": {"echo": {"kind": "echo"}},
    "models": {"small": {"provider": "echo"}},
    "routes": {"clerk": {"targets": ["small"], "knowledge": "handbook"}, "plain": {"targets": ["small"]}},
    "knowledge": {"handbook": {"embedder": "none", "groups": {"staff": ["key:insider"]}}},
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(tmp_path_factory.mktemp("knowledge"), CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def passages(gateway: Gateway) -> dict[str, str]:
    """Put two documents while the gateway runs; return a passage of each."""
    with open_knowledge(load_config(gateway.file), "uid:0") as knowledge:
        knowledge.put("handbook", "open.md", WARRANTY, Meta())
        knowledge.put("handbook", "inner.md", b"# Salaries\n\nForty crowns.\n", Meta(groups=("staff",)))
        names = ("open.md", "inner.md")
        return {name: knowledge.document("handbook", name).passages[0].name for name in names}


def get(gateway: Gateway, key: str, passage: str, base: str = "handbook", accept: str = "*/*") -> httpx.Response:
    headers = {"authorization": f"Bearer {key}", "accept": accept}
    return httpx.get(f"{gateway.url}/v1/knowledge/{base}/passages/{passage}", headers=headers, timeout=30)


def test_a_citation_opens_to_the_letter_for_a_key_of_a_route_that_uses_the_base(
    gateway: Gateway, passages: dict[str, str]
) -> None:
    answer = get(gateway, gateway.key, passages["open.md"])
    assert answer.status_code == 200
    body = answer.json()
    assert (body["object"], body["base"], body["document"], body["state"]) == (
        "knowledge.passage",
        "handbook",
        "open.md",
        "alive",
    )
    text = WARRANTY.decode().rstrip("\n")
    assert text[body["start"] : body["end"]] == body["text"]
    assert WARRANTY[body["byte_start"] : body["byte_end"]].decode() == body["text"]


def test_a_citation_has_what_stands_around_it_and_the_passages_beside_it(gateway: Gateway) -> None:
    text = "# Lamp\n\n" + "\n\n".join(f"{'Oil burns. ' * 90}Part {number}." for number in range(3))
    with open_knowledge(load_config(gateway.file), "uid:0") as knowledge:
        knowledge.put("handbook", "long.md", text.encode(), Meta(licence="CC0", uri="https://a.test/lamp"))
        first, second, third = (one.name for one in knowledge.document("handbook", "long.md").passages)
    body = get(gateway, gateway.key, second).json()
    assert (body["previous"], body["next"], body["licence"]) == (first, third, "CC0")
    assert (len(body["before"]), len(body["after"])) == (500, 500)
    assert text[body["start"] - 500 : body["end"] + 500] == body["before"] + body["text"] + body["after"]
    narrow = get(gateway, gateway.key, f"{first}?around=3").json()
    assert (narrow["previous"], narrow["before"], len(narrow["after"])) == (None, "", 3)
    assert get(gateway, gateway.key, f"{first}?around=0&revision=1").json()["after"] == ""
    assert get(gateway, gateway.key, f"{first}?revision=2").status_code == 404
    for query in ("around=5001", "around=-1", "around=x", "around=٣", "start=3", "start=3&end=3", "revision=1.0"):
        refused = get(gateway, gateway.key, f"{first}?{query}")
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, query.partition("=")[0]), query


def test_a_citation_is_a_page_for_who_prefers_one(gateway: Gateway, passages: dict[str, str]) -> None:
    hostile = b"# <script>alert(1)</script>\n\nThe <b>wick</b> burns.\n"
    with open_knowledge(load_config(gateway.file), "uid:0") as knowledge:
        knowledge.put("handbook", "hostile.md", hostile, Meta())
        (one,) = knowledge.document("handbook", "hostile.md").passages
    start = one.text.index("wick")
    page = get(gateway, gateway.key, f"{one.name}?start={start}&end={start + 4}", accept="text/html")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "private, no-store"
    assert '<mark id="quote">wick</mark>' in page.text
    assert "<script" not in page.text
    # Who may not read it gets no page either, and an error as ever.
    hidden = get(gateway, gateway.key, passages["inner.md"], accept="text/html")
    assert (hidden.status_code, hidden.json()["error"]["code"]) == (404, "not_found")


def test_a_citation_is_not_there_for_who_may_not_read_it(gateway: Gateway, passages: dict[str, str]) -> None:
    other = gateway.keys.create("outsider", routes=["plain"])
    insider = gateway.keys.create("insider")
    gateway.keys.publish()
    gateway.know_keys()
    assert get(gateway, other.key, passages["open.md"]).status_code == 404
    assert get(gateway, gateway.key, passages["inner.md"]).status_code == 404
    assert get(gateway, insider.key, passages["inner.md"]).json()["document"] == "inner.md"
    assert get(gateway, "ms-nobody", passages["open.md"]).status_code == 401
    unknown = get(gateway, gateway.key, "p" + "0" * 24)
    hidden = get(gateway, gateway.key, passages["inner.md"])
    assert hidden.json()["error"]["code"] == unknown.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("path", ["", "/handbook", "/handbook/passages", "/handbook/passages/", "/handbook/x/y"])
def test_nothing_else_is_below_the_path(gateway: Gateway, path: str) -> None:
    headers = {"authorization": f"Bearer {gateway.key}"}
    answer = httpx.get(f"{gateway.url}/v1/knowledge{path}", headers=headers, timeout=30)
    assert answer.status_code == 404
    posted = httpx.post(f"{gateway.url}/v1/knowledge/handbook/passages/p0", headers=headers, timeout=30)
    assert posted.status_code == 405


def test_a_base_that_no_route_uses_or_that_is_no_file_opens_nothing(gateway: Gateway) -> None:
    for base in ("nowhere", "..%2Fx", "handbook%00"):
        assert get(gateway, gateway.key, "p" + "0" * 24, base).status_code == 404


def test_a_model_of_the_gateway_embeds_for_the_commands_with_the_key_that_is_kept(gateway: Gateway) -> None:
    ask = ask_gateway(gateway.var)
    with pytest.raises(Unavailable, match="MAINSTAY_API_KEY"):
        ask("small", ["a"], None)
    (gateway.var / "first-key").write_text(f"{gateway.key}\n")
    first, second = ask("small", ["a", "b"], None)
    assert len(first) == len(second) > 1
    with pytest.raises(Unavailable):
        ask("lost", ["a"], None)
