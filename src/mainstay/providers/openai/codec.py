"""OpenAI's chat completions as a codec: what an upstream is asked, and what its answers mean."""

from collections.abc import Sequence

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError
from mainstay.core.events import Dialect
from mainstay.core.target import Target
from mainstay.providers.openai.answers import read_whole
from mainstay.providers.openai.errors import classify
from mainstay.providers.openai.local import ask_local
from mainstay.providers.openai.prompt_writer import adapt_prompt, write_prompt
from mainstay.providers.openai.requests import ask_same
from mainstay.providers.openai.stream_reader import OpenAIStreamReader

__all__ = ["OpenAICodec"]

_PATH = b"/chat/completions"


class OpenAICodec:
    """The chat completions wire of OpenAI and of every server that imitates it."""

    dialect = Dialect.OPENAI

    def request(self, ask: Ask, target: Target, *, stream: bool) -> tuple[bytes, bytes]:
        """Return the path below the base URL and the body; see :class:`~mainstay.providers.port.Codec`."""
        if target.vendor == "llamacpp":
            return _PATH, ask_local(ask, target, stream=stream)
        model = target.upstream or ask.model
        if ask.dialect is Dialect.OPENAI and ask.raw:
            return _PATH, ask_same(ask, model, stream=stream)
        prompt = ask.prompt if ask.dialect is Dialect.OPENAI else adapt_prompt(ask.prompt)
        # OpenAI's own newer models refuse the old name, and servers that imitate it all know the old name.
        limit = "max_completion_tokens" if target.vendor == "openai" else "max_tokens"
        prompt = msgspec.structs.replace(prompt, model=model)
        return _PATH, write_prompt(prompt, stream=stream, limit=limit)

    def credentials(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the bearer header, or nothing for a server that wants no key."""
        return ((b"authorization", b"Bearer " + api_key.encode()),) if api_key else ()

    def whole(self, body: bytes) -> Whole:
        """Read the body of a successful answer."""
        return read_whole(body)

    def reader(self) -> OpenAIStreamReader:
        """Return a reader for one streamed answer."""
        return OpenAIStreamReader()

    def error(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> MainstayError:
        """Return the error that a response with ``status`` >= 400 means."""
        return classify(status, headers, body)
