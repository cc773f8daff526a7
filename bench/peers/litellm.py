"""LiteLLM's proxy server, one worker."""

import json
from pathlib import Path

from bench import install, wire
from bench.peers.port import Endpoint, Running, Upstreams, get_ok
from bench.processes import free_port, start

__all__ = ["LiteLLM"]

_KEY = "sk-bench-0123456789"


class LiteLLM:
    """`litellm --config …` as its documentation starts it, without a database."""

    name = "litellm"
    patience = 120.0
    setup = "One worker, master key checked, no database, telemetry off, logs at errors only."

    def __init__(self) -> None:
        self._python = Path()

    def prepare(self, *, allow_install: bool) -> str:
        """Its own virtual environment with `litellm[proxy]`; raises Unavailable."""
        self._python = install.pip_package("litellm", "litellm[proxy]", "litellm", install=allow_install)
        return install.pip_version(self._python, "litellm")

    def start(self, upstreams: Upstreams, cores: frozenset[int], scratch: Path) -> Running:
        """Two models, one for each upstream."""
        port = free_port()
        path = scratch / "litellm.yaml"
        models = ((wire.MODEL_FIXED, upstreams.fixed), (wire.MODEL_STREAM, upstreams.stream))
        # JSON is YAML too.
        path.write_text(
            json.dumps(
                {
                    "model_list": [
                        {
                            "model_name": model,
                            "litellm_params": {"model": f"openai/{model}", "api_base": url, "api_key": "sk-none"},
                        }
                        for model, url in models
                    ],
                    "general_settings": {"master_key": _KEY},
                    "litellm_settings": {"telemetry": False},
                }
            )
        )
        command = [str(self._python.with_name("litellm")), "--config", str(path), "--host", "127.0.0.1"]
        environment = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_DOCS": "True"}
        process = start(
            [*command, "--port", str(port), "--num_workers", "1", "--telemetry", "False"],
            cores=cores,
            log=scratch / "output.log",
            env=environment,
            cwd=scratch,
        )
        url, headers = f"http://127.0.0.1:{port}/v1", {"authorization": f"Bearer {_KEY}"}
        return Running(
            fixed=Endpoint(url, wire.MODEL_FIXED, headers),
            stream=Endpoint(url, wire.MODEL_STREAM, headers),
            process=process,
            ready=lambda: get_ok(port, "/health/liveliness"),
        )

    def import_command(self) -> tuple[str, str] | None:
        """`import litellm`."""
        return str(self._python), "import litellm"
