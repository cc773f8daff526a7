"""How a base is searched: what is asked of a running gateway, and what is not."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mainstay.assembly import embedders
from mainstay.assembly.searching import manner_of_row
from mainstay.core.errors import Unavailable
from mainstay.grounding.config import KnowledgeConfig
from mainstay.grounding.search import Manner, Tuning

ROW = KnowledgeConfig.model_validate({"search": {"rerank": {"model": "reader", "most": 5}}})
SCORED = {"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.2}]}


class Scripted(BaseHTTPRequestHandler):
    """Answers what it was told to, and keeps what it was asked."""

    asked: list[tuple[str, str | None, Any]] = []
    answer: tuple[int, Any] = (200, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).asked.append((self.path, self.headers["authorization"], json.loads(body)))
        status, said = type(self).answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002  # as the base class has it


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of which a gateway seems to run."""
    server = HTTPServer(("127.0.0.1", 0), Scripted)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(embedders, "is_running", lambda _: True)
    monkeypatch.setattr(embedders, "read_state", lambda _: {"url": f"http://127.0.0.1:{server.server_port}"})
    monkeypatch.delenv("MAINSTAY_API_KEY", raising=False)
    (tmp_path / "first-key").write_text("ms-1\n")
    Scripted.asked = []
    yield tmp_path
    server.shutdown()
    thread.join()
    server.server_close()


def rank(home: Path) -> list[float]:
    reranker = manner_of_row(ROW, home).reranker
    assert reranker is not None
    return list(reranker.rank("why?", ["one", "two"]))


def test_a_base_without_a_reranker_asks_nobody(tmp_path: Path) -> None:
    assert manner_of_row(KnowledgeConfig(), tmp_path) == Manner(Tuning(reranked=0))


def test_a_model_of_the_gateway_scores_passages_with_the_key_that_is_kept(home: Path) -> None:
    Scripted.answer = (200, SCORED)
    assert rank(home) == [0.2, 0.9]
    body = {"model": "reader", "query": "why?", "documents": ["one", "two"], "top_n": 2}
    assert Scripted.asked == [("/v1/rerank", "Bearer ms-1", body)]
    assert manner_of_row(ROW, home).tuning.reranked == 5


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"results": SCORED["results"][:1]}),
        (200, {"results": None}),
        (200, []),
        (404, {"message": "no such model"}),
        (500, {"error": {"message": "broken"}}),
        (500, {"error": "broken"}),
    ],
    ids=["too few", "none", "a list", "cohere", "openai", "neither"],
)
def test_a_model_that_does_not_answer_is_unavailable(home: Path, answer: tuple[int, Any]) -> None:
    Scripted.answer = answer
    with pytest.raises(Unavailable):
        rank(home)


def test_without_a_gateway_the_search_goes_on_without_it(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        rank(tmp_path)
