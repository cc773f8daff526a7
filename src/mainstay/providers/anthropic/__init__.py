"""Anthropic's Messages wire, as an upstream: requests out, answers, streams and errors in.

``requests`` and ``messages`` write what is asked, ``answers`` and ``stream`` read what comes back, ``errors``
names what went wrong, ``wire`` holds the types they share. Serving callers who speak this dialect is another
matter (``mainstay.api``); their bodies pass through here unread.
"""

from mainstay.providers.anthropic.codec import AnthropicCodec

__all__ = ["AnthropicCodec"]
