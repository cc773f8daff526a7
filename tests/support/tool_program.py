"""An MCP server over standard input and output, written from the published protocol: well behaved, or as it is told.

Run as ``python tool_program.py [HOW]``. It remembers what it was asked, so that a test sees who shares a process.
"""

import json
import os
import sys
import time
from typing import Any

ASKED: list[str] = []


def say(message: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": words}], **more}


def called(name: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    ASKED.append(name)
    if name == "add":
        return text(str(arguments["a"] + arguments["b"]))
    if name == "who":
        return text(f"{os.getpid()} {len(ASKED)} {os.getcwd()}")
    if name == "secrets":
        return text(json.dumps(dict(os.environ)))
    if name == "die":
        os._exit(3)
    if name == "flood":
        sys.stdout.write("x" * (9 * 1024 * 1024))
        sys.stdout.flush()
    if name == "child":
        child = os.fork()
        if not child:
            time.sleep(600)
        return text(str(child))
    return None if name in ("slow", "flood") else text("It is broken.", isError=True)


def main(how: str) -> None:
    if how == "dead":
        sys.exit(1)
    names = ("add", "who", "secrets", "die", "slow", "fail", "flood", "child")
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
    for line in sys.stdin:
        message = json.loads(line)
        method, number = message.get("method"), message.get("id")
        if how == "deaf" or method is None:
            continue
        if method == "initialize":
            print("Starting up, and saying so where nobody should.", flush=True)
            version = "1999-01-01" if how == "old" else message["params"]["protocolVersion"]
            about = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "t"}}
            say({"id": number, "result": about})
        elif method == "tools/list":
            say({"id": "ask-1", "method": "sampling/createMessage", "params": {}})
            say({"id": number, "result": {"tools": [{"name": name, "inputSchema": schema} for name in names]}})
        elif method == "tools/call":
            result = called(message["params"]["name"], message["params"]["arguments"])
            if result is not None:
                say({"id": number, "result": result})
        elif method == "notifications/cancelled":
            ASKED.append("cancelled")
        elif number is not None:
            say({"id": number, "error": {"code": -32601, "message": "No such method."}})
    if how == "stays":
        # It was asked to go.
        time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
