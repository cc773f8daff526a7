"""The wires that a vendor's row may name, and where the codec of each is found.

A codec is imported when a configuration uses its wire: a gateway that speaks one wire loads one.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from mainstay.providers.port import Codec

__all__ = ["WIRES", "make_codec", "speaks"]

#: The module of each wire's codec, and its class.
WIRES: Mapping[str, tuple[str, str]] = {
    "openai": ("mainstay.providers.openai.codec", "OpenAICodec"),
    "anthropic": ("mainstay.providers.anthropic.codec", "AnthropicCodec"),
    "responses": ("mainstay.providers.responses.codec", "ResponsesCodec"),
    "gemini": ("mainstay.providers.gemini.codec", "GeminiCodec"),
    "vertex": ("mainstay.providers.gemini.codec", "VertexCodec"),
    "cohere": ("mainstay.providers.cohere.codec", "CohereCodec"),
    "bedrock": ("mainstay.providers.bedrock.codec", "BedrockCodec"),
}
#: Wires on which an account seals reasoning for itself; their codecs are told whose they are. Claude's signatures are
#: good at every account, as its maker documents.
_SEALS = frozenset({"responses", "gemini", "vertex"})


def speaks(wire: str) -> bool:
    """Return whether this version has a codec for ``wire``."""
    try:
        return wire in WIRES and find_spec(WIRES[wire][0]) is not None
    except ModuleNotFoundError:
        return False


def make_codec(wire: str, maker: str = "") -> Codec:
    """Return a codec for ``wire``, which :func:`speaks` says is there.

    ``maker`` is the provider it is for, named on what no other can open; "" where nothing of that is read.
    """
    module, name = WIRES[wire]
    made = getattr(import_module(module), name)
    return cast("Codec", made(maker) if wire in _SEALS else made())
