"""``mainstay replay``: ask a recorded call again, and show what is different."""

import difflib
import json
import os
from typing import Annotated, Any

import typer

from mainstay.cli.client import Client, default_url, kept_key
from mainstay.cli.database import load_newest, opened
from mainstay.cli.options import AsJson, ConfigOption, find_config
from mainstay.cli.output import print_json
from mainstay.config import load_config
from mainstay.core.errors import StartError
from mainstay.core.record import Record

__all__ = ["replay"]

#: What says in an answer who made it, beside its words.
_MARKS = ("model", "system_fingerprint")
_HEADERS = ("x-mainstay-model", "x-mainstay-provider")


def replay(
    reference: Annotated[str, typer.Argument(metavar="RECORD", help="The record's id, or the request id.")],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Ask this route or model instead of the one asked for.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(envvar="MAINSTAY_URL", help="The gateway; where ./mainstay.yaml says when not given.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="MAINSTAY_API_KEY", help="The key; the one of var/first-key when not given.")
    ] = None,
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Ask a recorded call again, and show what is different.

    The record must have kept its content (`content: full` on the route). The call goes to the running gateway as it was
    made, whole instead of streamed. Exit code 0 when the answer's words are the same, 1 when they are not.

    \b
    Examples:
      mainstay replay 0199c0de-7a01-7b3c-8d4e-5f6071829304
      mainstay replay req-42 --model small --json
    """
    path = find_config(config)
    record = _found(reference, path)
    request, before = _kept(record)
    body = {**request, "stream": False}
    body.pop("stream_options", None)
    if model is not None:
        body["model"] = model
    client = Client(url or default_url(path), key or kept_key(path))
    answer, headers = client.post(record.path, body)
    after = {"words": _words(answer), **_marks(answer), **{name: headers.get(name, "") for name in _HEADERS}}
    was = {"x-mainstay-model": record.target, "x-mainstay-provider": record.provider}
    difference = list(
        difflib.unified_diff(before["words"].splitlines(), after["words"].splitlines(), "recorded", "now", lineterm="")
    )
    same = before["words"] == after["words"]
    if as_json:
        print_json({"record": record.id, "same": same, "before": before | was, "after": after, "diff": difference})
    else:
        _show({**before, **was}, after, difference)
    if not same:
        raise typer.Exit(1)


def _found(reference: str, path: Any) -> Record:
    from mainstay.assembly.kept import open_seal
    from mainstay.telemetry.service import get_record

    loaded = load_config(path, os.environ)
    with opened(loaded) as engine:
        load_newest(engine, loaded)
        record = get_record(engine, reference, open_seal(engine, loaded))
    if record is None:
        raise StartError(f"There is no record with the id or request id '{reference}'.")
    return record


def _kept(record: Record) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the request that was recorded, and what its answer said."""
    content = record.content
    if content is None or not content.request:
        raise StartError(
            f"The record '{record.id}' has no content; set 'content: full' on the route, and replay a later call."
        )
    if record.dialect in ("mcp", "oip"):
        raise StartError("Only calls over the HTTP API can be asked again; this one came over MCP or gRPC.")
    try:
        request = json.loads(content.request)
    except ValueError:
        raise StartError("The recorded request is cut or no JSON, and cannot be asked again.") from None
    if record.outcome != "ok":
        raise StartError(f"The recorded call ended as '{record.outcome}' ({record.error}): no answer to compare with.")
    answer = _joined(content.response) if record.stream else json.loads(content.response)
    return request, {"words": _words(answer), **_marks(answer)}


def _marks(answer: Any) -> dict[str, str]:
    return {name: str(answer.get(name) or "") for name in _MARKS} if isinstance(answer, dict) else {}


def _words(answer: Any) -> str:
    """Return what an answer says, tools it calls included, in any of the dialects."""
    said: list[str] = []
    for choice in answer.get("choices") or ():
        message = choice.get("message") or {}
        said += [str(message.get("content") or message.get("refusal") or choice.get("text") or "")]
        said += [_call(call.get("function") or {}) for call in message.get("tool_calls") or ()]
    blocks = answer.get("content")
    for block in blocks if isinstance(blocks, list) else ():
        said.append(str(block.get("text") or "") if block.get("type") != "tool_use" else _call(block))
    for item in answer.get("output") or ():
        said += [str(part.get("text") or part.get("refusal") or "") for part in item.get("content") or ()]
        said += [_call(item)] if item.get("type") == "function_call" else []
    return "\n".join(text for text in said if text)


def _call(call: dict[str, Any]) -> str:
    arguments = call.get("arguments", call.get("input", {}))
    return f"{call.get('name')}({arguments if isinstance(arguments, str) else json.dumps(arguments)})"


def _joined(stream: str) -> dict[str, Any]:
    """Return the answer that a recorded stream gave, as far as its words go."""
    texts: dict[int, str] = {}
    calls: dict[tuple[int, int], dict[str, str]] = {}
    marks: dict[str, Any] = {}
    for line in stream.splitlines():
        if not line.startswith("data:") or line[5:].strip() == "[DONE]":
            continue
        event = json.loads(line[5:])
        if isinstance(event.get("response"), dict) and event["response"].get("output"):
            return dict(event["response"])
        for holder in (event, event.get("message") or {}):
            marks |= {name: holder[name] for name in _MARKS if isinstance(holder.get(name), str)}
        for choice in event.get("choices") or ():
            delta, index = choice.get("delta") or {}, choice.get("index", 0)
            texts[index] = texts.get(index, "") + (delta.get("content") or delta.get("refusal") or "")
            for piece in delta.get("tool_calls") or ():
                _add(calls, (index, piece.get("index", 0)), piece.get("function") or {})
        block = event.get("content_block") or {}
        if block.get("type") == "tool_use":
            _add(calls, (0, event.get("index", 0)), {"name": block.get("name")})
        delta = event.get("delta") or {}
        if isinstance(delta, dict) and "partial_json" in delta:
            _add(calls, (0, event.get("index", 0)), {"arguments": delta["partial_json"]})
        elif isinstance(delta, dict) and isinstance(delta.get("text"), str):
            texts[0] = texts.get(0, "") + delta["text"]
    made = [{"function": call} for _, call in sorted(calls.items())]
    choices = [
        {"message": {"content": texts.get(index, ""), "tool_calls": made if index == 0 else ()}}
        for index in sorted(texts) or ([0] if made else [])
    ]
    return {**marks, "choices": choices}


def _add(calls: dict[tuple[int, int], dict[str, str]], place: tuple[int, int], piece: dict[str, Any]) -> None:
    call = calls.setdefault(place, {"name": "", "arguments": ""})
    call["name"] = call["name"] or str(piece.get("name") or "")
    call["arguments"] += str(piece.get("arguments") or "")


def _show(before: dict[str, Any], after: dict[str, Any], difference: list[str]) -> None:
    for name, was in before.items():
        now = after.get(name, "")
        if name != "words" and was != now:
            typer.echo(f"{name.removeprefix('x-mainstay-')}: {was or '—'} → {now or '—'}")
    typer.echo("The words are the same." if not difference else "\n".join(difference))
