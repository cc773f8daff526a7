"""The closed loop by `wrk`, where it is installed: it costs a tenth of what the Python generator costs.

On two cores the load side is soon the narrow place; a cheap client moves it away. The result has the same shape as
that of load.py and names the tool.
"""

import asyncio
import json
import re
import shutil
from pathlib import Path

from bench.load import Load
from bench.stats import Quantiles
from bench.wire import Request

__all__ = ["available", "closed_loop"]

_SCRIPT = """
local file = io.open(os.getenv("BENCH_BODY"), "rb")
local whole = file:read("*a")
file:close()
request = function() return whole end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'BENCH {"requests":%d,"micros":%d,"bytes":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,' ..
    '"mean":%f,"p50":%f,"p90":%f,"p99":%f,"p999":%f,"max":%f}\\n',
    summary.requests, summary.duration, summary.bytes, e.connect, e.read, e.write, e.status, e.timeout,
    latency.mean, latency:percentile(50), latency:percentile(90), latency:percentile(99),
    latency:percentile(99.9), latency.max))
end
"""


def available() -> bool:
    """Whether `wrk` is on the path."""
    return shutil.which("wrk") is not None


async def closed_loop(request: Request, *, connections: int, seconds: float, scratch: Path) -> Load:
    """As load.closed_loop. On streams only whole answers are timed: no first event, no gaps.

    wrk runs for whole seconds, one at least. Raises RuntimeError when it fails.
    """
    script, body = scratch / "wrk.lua", scratch / "request.bin"
    script.write_text(_SCRIPT)
    body.write_bytes(request.data)
    process = await asyncio.create_subprocess_exec(
        *("wrk", "-t1", f"-c{connections}", f"-d{max(round(seconds), 1)}s", "--timeout", "10s"),
        *("-s", str(script), f"http://{request.host}:{request.port}"),
        env={"BENCH_BODY": str(body), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode(errors="replace")
    found = re.search(r"^BENCH (\{.*\})$", output, re.MULTILINE)
    if process.returncode != 0 or found is None:
        raise RuntimeError(f"wrk failed: {output.strip()[-200:]}")
    return _load(json.loads(found.group(1)), request, connections)


def _load(summary: dict[str, float], request: Request, connections: int) -> Load:
    failed = {name: int(summary[name]) for name in ("connect", "read", "write", "status", "timeout") if summary[name]}
    seconds = summary["micros"] / 1e6
    # wrk counts answers with an error status among its requests, and those that timed out not at all.
    good = int(summary["requests"]) - failed.get("status", 0)
    return Load(
        tool="wrk",
        mode="closed",
        connections=connections,
        asked_rate=None,
        rate=good / seconds,
        requests=good,
        seconds=seconds,
        errors=failed,
        latency=Quantiles(
            count=good,
            mean=summary["mean"] / 1e6,
            p50=summary["p50"] / 1e6,
            p90=summary["p90"] / 1e6,
            p99=summary["p99"] / 1e6,
            p999=summary["p999"] / 1e6,
            max=summary["max"] / 1e6,
        ),
        events=good * request.events,
        events_rate=good * request.events / seconds,
    )
