"""Google's Gemini wire (``generateContent``), towards upstreams: the Gemini API and Vertex AI.

``requests``, ``contents``, ``tools`` and ``thinking`` write what is asked; ``answers``, ``logprobs`` and ``stream``
read what comes back; ``seals`` carries signatures there and back, ``errors`` is what went wrong, ``wire`` the types
they share.
"""

from mainstay.providers.gemini.codec import GeminiCodec, VertexCodec

__all__ = ["GeminiCodec", "VertexCodec"]
