"""OpenAI's legacy completions, both ways.

``asks`` reads requests and says them as conversations, ``codec`` is for upstreams that have completions, ``written``
for callers, ``several`` makes one answer of many prompts.
"""

from mainstay.providers.completions.asks import CompletionAsked, as_chat, read_ask, singles
from mainstay.providers.completions.codec import CompletionReader, CompletionsCodec
from mainstay.providers.completions.several import ask_each
from mainstay.providers.completions.written import CompletionWriter, write_whole

__all__ = [
    "CompletionAsked",
    "CompletionReader",
    "CompletionWriter",
    "CompletionsCodec",
    "as_chat",
    "ask_each",
    "read_ask",
    "singles",
    "write_whole",
]
