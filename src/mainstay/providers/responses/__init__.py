"""OpenAI's Responses wire.

Towards callers ``door``, ``asks``, ``prompt_reader``, ``input_reader`` and ``tools`` read what is asked, ``history``
what it refers to; ``envelope``, ``items``, ``passing``, ``stream_writer`` and ``written`` write what comes back;
``config`` says what is kept.

Towards upstreams ``requests`` and ``input_writer`` write what is asked, ``answers`` and ``stream_reader`` read what
comes back; ``wire`` has the types they share, ``codec`` says which of them answers which question.
"""

from mainstay.providers.responses.asks import ResponsesAsk, locate, read_ask, scan
from mainstay.providers.responses.prompt_reader import read_prompt
from mainstay.providers.responses.stream_writer import ResponsesStreamWriter
from mainstay.providers.responses.written import write_whole

__all__ = [
    "ResponsesAsk",
    "ResponsesStreamWriter",
    "locate",
    "read_ask",
    "read_prompt",
    "scan",
    "write_whole",
]
