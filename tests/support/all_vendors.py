"""A gateway in front of every vendor's wire at once: one scripted upstream that answers each in its own form.

The model's name is the vendor's; with ``broken-`` before it the answer breaks within its stream, with ``refused-`` it
is an error from the start.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.gateway import Gateway
from support.upstream import Chunk, Head, Received, Reply, Step, Upstream
from support.vendors import VENDORS, Said

__all__ = ["all_vendors"]

_KEY = "sk-upstream-0123456789"
_BEDROCK_STREAM = "application/vnd.amazon.eventstream"


@contextmanager
def all_vendors(home: Path, said: Said) -> Iterator[tuple[Gateway, Upstream]]:
    """Run both; every vendor answers every question with ``said``."""
    with Upstream() as upstream:
        upstream.handler = lambda request: _answer(request, said)
        with Gateway(home, _config(upstream.url), env={"UPSTREAM_KEY": _KEY}) as gateway:
            yield gateway, upstream


def _config(url: str) -> dict[str, Any]:
    kinds = {"responses": "openai-responses", **{name: name for name in VENDORS if name != "responses"}}
    providers: dict[str, Any] = {}
    models: dict[str, Any] = {}
    for name, kind in kinds.items():
        # The prefix of the address tells the upstream whose wire it is to speak.
        for trouble in ("", "broken-", "refused-"):
            row = {"kind": kind, "base_url": f"{url}/{trouble}{name}", "api_key": "${UPSTREAM_KEY}"}
            providers[trouble + name] = {**row, "region": "eu-central-1"} if kind == "bedrock" else row
            models[trouble + name] = {"provider": trouble + name, "name": "claude-test", "concurrency": "off"}
    routes = {name: {"targets": [name], "attempts": 1} for name in models}
    return {"providers": providers, "models": models, "routes": routes}


def _answer(request: Received, said: Said) -> Step | list[Step]:
    trouble, _, name = request.path.split("/")[1].rpartition("-")
    vendor = VENDORS[name]
    plain = (("content-type", "application/json"),)
    if trouble == "refused":
        return Reply(429, (*plain, ("retry-after", "7")), vendor.errors[429])
    # Every answer has a name of its own, by which it is kept and continued.
    own = f"resp_{request.at}_{request.connection}".replace(".", "").encode()
    stream = b'"stream":true' in request.body or "stream" in request.path.lower()
    if not stream:
        return Reply(200, plain, vendor.whole(said).replace(b"resp_up", own))
    pieces = vendor.pieces(said, list)
    if trouble == "broken":
        # Within the text of the answer: after it has begun.
        pieces = [*pieces[: len(pieces) // 2], vendor.broken]
    kind = _BEDROCK_STREAM if name == "bedrock" else "text/event-stream"
    return [Head(200, (("content-type", kind),)), *(Chunk(piece.replace(b"resp_up", own)) for piece in pieces)]
