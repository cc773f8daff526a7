"""Batches: how many rows a second are worked through, from upload to the last line of results.

The upstream answers at once, so that what is measured is the gateway's own part: reading rows, asking them over its
own port as any caller would, and writing a line for each. Once with the lanes that the configuration has by itself,
once with many.
"""

import asyncio
import json
import time
from typing import Any

from bench.peers.gateway import Gateway, serving
from bench.rows.port import OwnRow, Trial
from bench.upstream import Script, serve

__all__ = ["ROW"]

_ROWS = 4000
_LANES = {"usual": 8, "many": 64}
_PATIENCE = 60.0
_LOOK = 0.05
_BORDER = "bench-border"


async def _ask(gateway: Gateway, method: str, path: str, kind: str = "", body: bytes = b"") -> Any:
    """Return the JSON of an answer.

    Raises:
        RuntimeError: it is none, or an error.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    lines = [f"{method} {path} HTTP/1.1", "host: bench", f"authorization: Bearer {gateway.keys['bench']}"]
    lines += [f"content-length: {len(body)}", "connection: close", *([f"content-type: {kind}"] if kind else []), "", ""]
    try:
        writer.write("\r\n".join(lines).encode() + body)
        head, _, said = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise RuntimeError(f"{method} {path}: {said[:200]!r}")
    return json.loads(said)


def _upload(count: int) -> bytes:
    """Return a form with a file of so many rows."""
    messages = [{"role": "user", "content": "Say in one sentence why the sky is blue."}]
    rows = [
        {
            "custom_id": str(n),
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "m", "messages": messages},
        }
        for n in range(count)
    ]
    lines = "\n".join(json.dumps(row) for row in rows)
    return (
        f'--{_BORDER}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f'--{_BORDER}\r\ncontent-disposition: form-data; name="file"; filename="in.jsonl"\r\n\r\n{lines}\r\n'
        f"--{_BORDER}--\r\n"
    ).encode()


async def _work_through(gateway: Gateway, count: int) -> tuple[float, dict[str, Any]]:
    """Return the seconds that a batch of so many rows took, and the batch as it ended."""
    kind = f"multipart/form-data; boundary={_BORDER}"
    file = await _ask(gateway, "POST", "/v1/files", kind, _upload(count))
    asked = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    began = time.perf_counter()
    batch = await _ask(gateway, "POST", "/v1/batches", "application/json", json.dumps(asked).encode())
    while batch["status"] in ("validating", "in_progress", "finalizing"):
        if time.perf_counter() - began > _PATIENCE:
            break
        await asyncio.sleep(_LOOK)
        batch = await _ask(gateway, "GET", f"/v1/batches/{batch['id']}")
    return time.perf_counter() - began, batch


async def _run(trial: Trial) -> None:
    count = trial.many(_ROWS)
    upstream = await serve(Script(latency=0.0), 0)
    try:
        for name, lanes in _LANES.items():
            settings = {
                "providers": {"scripted": {"kind": "openai", "base_url": upstream.base_url, "api_key": "sk-none"}},
                "models": {"m": {"provider": "scripted", "concurrency": "off"}},
                "batches": {"concurrency": lanes},
            }
            with serving(settings, trial.cores, trial.scratch) as gateway:
                before = sum(gateway.cpu().values())
                seconds, batch = await _work_through(gateway, count)
                cpu = sum(gateway.cpu().values()) - before
            counts = batch["request_counts"]
            trial.figures[f"batches_{name}_rows"] = counts["completed"] / seconds
            trial.figures[f"batches_{name}_cpu"] = cpu / max(counts["completed"], 1)
            if batch["status"] != "completed" or counts["completed"] != count:
                trial.notes.append(f"batches, {name}: {batch['status']} with {counts}")
    finally:
        upstream.close()


ROW = OwnRow("batches", _run)
