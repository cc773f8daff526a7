"""Gemini's wire from the server's side: an answer, and the stream that would bring it.

Written from the published protocol, apart from the code under test; ``test_answers`` checks it against the types of the
official SDK.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

Answer = dict[str, Any]
Cut = Callable[[str], list[str]]

USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}


def text(words: str, **fields: Any) -> Answer:
    """Return a part of text."""
    return {"text": words, **fields}


def thought(words: str, **fields: Any) -> Answer:
    """Return a part of thought."""
    return {"text": words, "thought": True, **fields}


def call(name: str, arguments: Any = None, *, id: str = "", signature: str = "") -> Answer:  # noqa: A002  # the wire's own word
    """Return a call of a function."""
    said = {"name": name, **({"id": id} if id else {}), **({} if arguments is None else {"args": arguments})}
    return {"functionCall": said, **({"thoughtSignature": signature} if signature else {})}


def candidate(*parts: Answer, finish: str | None = "STOP", index: int = 0, **fields: Any) -> Answer:
    """Return one choice."""
    ended = {"finishReason": finish} if finish else {}
    return {"content": {"role": "model", "parts": list(parts)}, **ended, "index": index, **fields}


def answer(*parts: Answer, finish: str | None = "STOP", **fields: Any) -> Answer:
    """Return a complete answer with one choice of this content, or with ``candidates``."""
    return {
        "candidates": [candidate(*parts, finish=finish)],
        "usageMetadata": dict(USAGE),
        "modelVersion": "gemini-test-001",
        "responseId": "resp-1",
        **fields,
    }


def body(said: object) -> bytes:
    """Return an answer as the body of a response."""
    return json.dumps(said).encode()


def whole_piece(words: str) -> list[str]:
    """Cut nothing."""
    return [words]


def chunks(said: Answer, cut: Cut = whole_piece) -> list[Answer]:
    """Return the pieces that stream an answer; ``cut`` says into which pieces a text falls.

    As the service does it: a signature and the reason come last, with an empty text if there is nothing else to say,
    and every piece counts what was used so far.
    """
    head = {"modelVersion": said["modelVersion"], "responseId": said["responseId"]}
    asked = {"promptTokenCount": said["usageMetadata"]["promptTokenCount"]}
    found: list[Answer] = []
    for choice in said["candidates"]:
        index = choice["index"]
        for part in choice["content"]["parts"]:
            for piece in _pieces(part, cut):
                found.append({"candidates": [candidate(piece, finish=None, index=index)], "usageMetadata": asked})
        end = {key: value for key, value in choice.items() if key != "content"}
        found.append({"candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}, **end}]})
    found[-1]["usageMetadata"] = said["usageMetadata"]
    return [{**chunk, **head} for chunk in found]


def _pieces(part: Answer, cut: Cut) -> list[Answer]:
    if "text" not in part:
        return [part]
    kind = {"thought": True} if part.get("thought") else {}
    pieces: list[Answer] = [{"text": piece, **kind} for piece in cut(part["text"])]
    if "thoughtSignature" in part:
        pieces.append({"text": "", **kind, "thoughtSignature": part["thoughtSignature"]})
    return pieces


def sse(stream: Iterable[object]) -> bytes:
    """Return pieces as the bytes of a stream."""
    return b"".join(b"data: %s\r\n\r\n" % json.dumps(piece).encode() for piece in stream)


def status(code: int, word: str, message: str = "", *details: Answer) -> Answer:
    """Return a ``google.rpc.Status`` in its envelope."""
    return {"error": {"code": code, "message": message, "status": word, **({"details": details} if details else {})}}
