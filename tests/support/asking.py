"""How tests ask through the official SDKs, whole and streamed: a stream is put together by the SDK itself."""

from typing import Any

from anthropic import Anthropic
from openai import OpenAI

__all__ = ["HELLO", "ask_chat", "ask_message"]

HELLO: list[Any] = [{"role": "user", "content": "Hello?"}]


def ask_chat(client: OpenAI, stream: bool, **fields: Any) -> Any:
    """Return the complete chat completion."""
    asked: dict[str, Any] = {"messages": HELLO, **fields}
    if not stream:
        return client.chat.completions.create(**asked)
    with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as events:
        return events.get_final_completion()


def ask_message(client: Anthropic, stream: bool, **fields: Any) -> Any:
    """Return the complete message."""
    asked: dict[str, Any] = {"max_tokens": 100, "messages": HELLO, **fields}
    if not stream:
        return client.messages.create(**asked)
    with client.messages.stream(**asked) as events:
        return events.get_final_message()
