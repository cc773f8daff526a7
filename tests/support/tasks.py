"""A gateway for operations that are no conversation, and what upstreams answer to them."""

from typing import Any

from mainstay.encoders.minilm import is_installed

__all__ = ["KEY", "PLENTY", "embeddings", "task_config", "text_completion"]

KEY = "sk-upstream-secret"
#: Rows of their own for what is remembered of a model: tests that make one fail take one nobody else has.
PLENTY = tuple(f"m{number}" for number in range(10))


def task_config(first: str, second: str) -> dict[str, Any]:
    """Return a configuration with two OpenAI-compatible upstreams, one of each other wire, and an echo."""
    timeouts = {"headers": "5s", "first_token": "5s", "idle": "5s"}
    return {
        "providers": {
            "one": {"kind": "openai", "base_url": f"{first}/v1", "api_key": "${UPSTREAM_KEY}"},
            "two": {"kind": "openai", "base_url": f"{second}/v1", "api_key": "${UPSTREAM_KEY}"},
            "claude": {"kind": "anthropic", "base_url": first, "api_key": "${UPSTREAM_KEY}"},
            "google": {"kind": "gemini", "base_url": first, "api_key": "${UPSTREAM_KEY}"},
            "co": {"kind": "cohere", "base_url": first, "api_key": "${UPSTREAM_KEY}"},
            "reader": {"kind": "jina", "base_url": f"{first}/v1", "api_key": "${UPSTREAM_KEY}"},
            "azure": {
                "kind": "azure-deployments",
                "base_url": f"{first}/openai",
                "api_key": "${UPSTREAM_KEY}",
                "parameters": {"resource": "x"},
            },
            "talker": {"kind": "groq", "base_url": f"{first}/v1", "api_key": "${UPSTREAM_KEY}"},
            "echo": {"kind": "echo"},
            **({"guards": {"kind": "guards", "ocr": False}} if is_installed() else {}),
        },
        "models": {
            "first": {"provider": "one", "name": "upstream-first"},
            "same": {"provider": "one"},
            "second": {"provider": "two", "name": "upstream-second"},
            "haiku": {"provider": "claude", "name": "claude-haiku-4-5"},
            "gemini": {"provider": "google", "name": "gemini-embedding-001"},
            "cohere": {"provider": "co", "name": "embed-v4.0"},
            "jina": {"provider": "reader", "name": "jina-reranker-v2"},
            "deployed": {"provider": "azure", "name": "my-deployment"},
            "groq": {"provider": "talker", "name": "llama"},
            "echo": {"provider": "echo"},
            **({"guards": {"provider": "guards"}} if is_installed() else {}),
            "chat-only": {"provider": "two", "operations": ["chat"]},
            **{name: {"provider": "one", "name": f"upstream-{name}"} for name in PLENTY},
            **{f"{name}b": {"provider": "two", "name": f"upstream-{name}b"} for name in PLENTY},
        },
        "routes": {
            "assistant": {"targets": ["first"], "attempts": 1, "timeouts": timeouts},
            "kept": {"targets": ["first"], "attempts": 1, "content": "full"},
            "either": {"targets": ["chat-only", "second"], "attempts": 2},
            "consoled": {"targets": ["m9"], "attempts": 1, "last_resort": "Back in a minute."},
            **{
                f"r{name}": {"targets": [name], "fallback": [f"{name}b"], "attempts": 2, "timeouts": timeouts}
                for name in PLENTY
            },
        },
    }


def embeddings(*vectors: Any, **fields: Any) -> dict[str, Any]:
    """Return embeddings as OpenAI's server writes them."""
    data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return {"object": "list", "data": data, "model": "text-embedding-3-small", "usage": usage, **fields}


def text_completion(*texts: str, **fields: Any) -> dict[str, Any]:
    """Return a legacy completion as OpenAI's server writes one."""
    choices = [{"text": text, "index": i, "logprobs": None, "finish_reason": "stop"} for i, text in enumerate(texts)]
    usage = {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7}
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1700000000, "model": "gpt-3.5-turbo-instruct"}
    return {**head, "choices": choices, "usage": usage, **fields}
