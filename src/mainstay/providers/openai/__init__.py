"""OpenAI's chat completions, both ways: the codec for upstreams, the readers and writers for callers."""

from mainstay.providers.openai.answers import write_whole
from mainstay.providers.openai.codec import OpenAICodec
from mainstay.providers.openai.errors import classify as classify_error
from mainstay.providers.openai.errors import render as render_error
from mainstay.providers.openai.prompt_reader import read_prompt
from mainstay.providers.openai.prompt_writer import write_prompt
from mainstay.providers.openai.requests import read_ask, scan, wants_legacy
from mainstay.providers.openai.stream_reader import OpenAIStreamReader
from mainstay.providers.openai.stream_writer import OpenAIStreamWriter

__all__ = [
    "OpenAICodec",
    "OpenAIStreamReader",
    "OpenAIStreamWriter",
    "classify_error",
    "read_ask",
    "read_prompt",
    "render_error",
    "scan",
    "wants_legacy",
    "write_prompt",
    "write_whole",
]
