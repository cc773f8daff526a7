"""The official Node SDKs against a running gateway in front of every vendor's wire, over real sockets."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.all_vendors import all_vendors
from support.vendors import USAGE, VENDORS, Call, Said

pytestmark = pytest.mark.slow

CLIENT = Path(__file__).parents[1] / "support" / "node_client.mjs"
SAID = Said('Hé "there" \U0001f600.', calls=(Call("call_1", "get", '{"city": "Köln"}'), Call("call_2", "get", "{}")))
FINISH = {"chat": "tool_calls", "message": "tool_use", "response": "completed"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with both SDKs installed."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    home = tmp_path_factory.mktemp("node")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "openai", "@anthropic-ai/sdk"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode != 0:
        pytest.skip(f"the SDKs cannot be installed: {done.stderr[-300:]}")
    shutil.copy(CLIENT, home)
    return home


def test_the_node_sdks_read_every_vendors_answers(folder: Path, tmp_path: Path) -> None:
    troubled = [f"{trouble}-openai" for trouble in ("broken", "refused")]
    with all_vendors(tmp_path, SAID) as (gateway, _):
        command = ["node", CLIENT.name, gateway.url, gateway.key, *VENDORS, *troubled]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    assert len(found) == (len(VENDORS) + len(troubled)) * 6
    for key, said in found.items():
        model, dialect, way = key.split()
        if model.startswith("refused"):
            assert said == {"error": "RateLimitError", "status": 429}, key
        elif model.startswith("broken") and way == "streamed":
            assert "error" in said, key
        else:
            calls = [json.loads(call.arguments) for call in SAID.calls]
            usage = [USAGE[0], USAGE[2]]
            assert said == {"text": SAID.text, "calls": calls, "finish": FINISH[dialect], "usage": usage}, key
