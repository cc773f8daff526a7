"""Anthropic's Messages wire, both ways: the codec for upstreams, the readers and writers for callers.

Towards upstreams ``requests`` and ``messages`` write what is asked, ``answers`` and ``stream`` read what comes back.
Towards callers ``door``, ``asks`` and ``prompt_reader`` read what is asked, ``written`` and ``stream_writer`` write
what comes back. ``counting`` counts tokens, ``errors`` is what went wrong either way, ``wire`` the types they share.
"""

from mainstay.providers.anthropic.asks import locate, read_ask, read_count, scan, without_betas
from mainstay.providers.anthropic.codec import AnthropicCodec
from mainstay.providers.anthropic.counting import CountCodec, estimate, write_count
from mainstay.providers.anthropic.errors import render as render_error
from mainstay.providers.anthropic.errors import status_of
from mainstay.providers.anthropic.prompt_reader import read_prompt
from mainstay.providers.anthropic.stream_writer import AnthropicStreamWriter
from mainstay.providers.anthropic.written import write_whole

__all__ = [
    "AnthropicCodec",
    "AnthropicStreamWriter",
    "CountCodec",
    "estimate",
    "locate",
    "read_ask",
    "read_count",
    "read_prompt",
    "render_error",
    "scan",
    "status_of",
    "without_betas",
    "write_count",
    "write_whole",
]
