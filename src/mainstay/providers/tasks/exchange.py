"""What all tasks have in common: how they are asked of an upstream, and the parts of their answers that are alike.

A *task* is an operation that is no conversation: embeddings, speech, images. Its answers can only be judged by who
knows what was asked (three texts want three vectors), so each call has an :class:`Exchange` of its own, which is the
:class:`~mainstay.providers.port.Codec` of that one call.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from math import ceil
from typing import Any, ClassVar, NoReturn, Protocol
from urllib.parse import quote

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import Internal, InvalidRequest, MainstayError, UpstreamBroken
from mainstay.core.estimate import text_tokens
from mainstay.core.events import Dialect
from mainstay.core.prompt import Prompt
from mainstay.core.target import Feature, Operation, Target
from mainstay.core.usage import Usage
from mainstay.providers.openai.errors import classify, inner_error
from mainstay.providers.openai.wire import read_fields
from mainstay.providers.port import Codec, StreamReader
from mainstay.providers.tasks.form import Form
from mainstay.providers.wire import count, money

__all__ = [
    "UNREADABLE",
    "Exchange",
    "Task",
    "broken",
    "estimated",
    "make_ask",
    "milliseconds",
    "read_body_usage",
    "refuse_answer",
]

#: What decoding raises for bytes that are not what was expected, or are nested beyond reason.
UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class Task(Protocol):
    """One operation on one vendor's wire."""

    def about(self, ask: Ask, target: Target) -> Codec:
        """Return the codec of one call.

        Raises:
            Unsupported: the wire cannot say it; ``param`` names the caller's field.
        """
        ...


class Exchange:
    """One call of a task on OpenAI's wire or one like it: the caller's bytes go up with the model renamed.

    Args:
        ask: what the caller asked.
        target: who is asked.
        path: below the base URL; ``{model}`` stands for the model's name.
    """

    dialect: ClassVar[Dialect] = Dialect.OPENAI

    def __init__(self, ask: Ask, target: Target, path: str) -> None:
        self._ask = ask
        self._vendor = target.vendor
        self._model = target.upstream or ask.model
        # Names of models may hold slashes and colons, which belong into a path.
        self._path = path.replace("{model}", quote(self._model, safe="/:@")).encode()

    def request(self, ask: Ask, target: Target, *, stream: bool) -> tuple[bytes, bytes]:
        """Return path and body; see :class:`~mainstay.providers.port.Codec`."""
        return self._path, self.body()

    def body(self) -> bytes:
        """Return what goes up."""
        ask = self._ask
        if isinstance(ask.found, Form):
            return ask.raw if self._model == ask.model else ask.found.with_field("model", self._model)
        if self._model == ask.model:
            return ask.raw
        fields: dict[str, Any] = dict(read_fields(ask.raw))
        fields["model"] = self._model
        return msgspec.json.encode(fields)

    def credentials(self, api_key: str) -> tuple[tuple[bytes, bytes], ...]:
        """Return the bearer header, or nothing for a server that wants no key."""
        return ((b"authorization", b"Bearer " + api_key.encode()),) if api_key else ()

    def whole(self, body: bytes) -> Whole:
        """Read the body of a successful answer; see :class:`~mainstay.providers.port.Codec`."""
        raise Internal("This task has no whole answers.")

    def reader(self) -> StreamReader:
        """Return a reader for one streamed answer, where there are such."""
        raise broken("a stream where none was asked for")

    def error(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> MainstayError:
        """Return the error that a response with ``status`` >= 400 means."""
        return classify(status, headers, body)

    def answered(self, wire: bytes, usage: Usage | None, *, id: str = "", model: str = "") -> Whole:  # noqa: A002  # the wire's own word
        """Return an answer whose body is ``wire``."""
        return Whole(wire, self.dialect, id, model, (), usage)


def make_ask(
    raw: bytes,
    operation: Operation,
    model: str,
    found: object,
    *,
    dialect: Dialect = Dialect.OPENAI,
    stream: bool = False,
    kind: bytes = b"application/json",
    again: Callable[[bytes], Ask] | None = None,
) -> Ask:
    """Return what a caller asks of a task; ``found`` is what was read at the door, ``again`` what reads another body.

    Raises:
        InvalidRequest: no model is named.
    """
    if not model:
        raise InvalidRequest("'model' is empty; name a model or a route.", param="model")
    return Ask(
        raw, dialect, model, stream, False, _no_prompt, _no_features, operation, kind=kind, found=found, again=again
    )


def _no_prompt(_: bytes) -> Prompt:
    raise Internal("This operation has no prompt.")


def _no_features(_: Ask) -> frozenset[Feature]:
    return frozenset()


def broken(what: str) -> UpstreamBroken:
    """Return the error for an answer that cannot be read; ``what`` completes the sentence."""
    return UpstreamBroken(f"The upstream sent {what}; try again.")


def refuse_answer(body: bytes, what: str) -> NoReturn:
    """Raise the error that ``body``, which came under a status of 200, holds; :func:`broken` where it holds none."""
    raise inner_error(body) or broken(what)


class _Details(msgspec.Struct, gc=False):
    audio_tokens: Any = None
    cached_tokens: Any = None
    image_tokens: Any = None
    text_tokens: Any = None


_NONE = _Details()


class _BodyUsage(msgspec.Struct, gc=False):
    """Both pairs of names that OpenAI has, and the total, which is all that some report of embeddings.

    Of images it has ``input_tokens_details``, of sound ``input_token_details``, or just ``seconds``. What it cost is
    OpenRouter's ``cost`` and DeepInfra's ``estimated_cost``.
    """

    prompt_tokens: Any = None
    input_tokens: Any = None
    completion_tokens: Any = None
    output_tokens: Any = None
    total_tokens: Any = None
    input_token_details: _Details | None = None
    input_tokens_details: _Details | None = None
    prompt_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None
    seconds: Any = None
    cost: Any = None
    estimated_cost: Any = None


_usage = msgspec.json.Decoder(_BodyUsage | None)


def read_body_usage(usage: msgspec.Raw) -> Usage | None:
    """Return the counts of an answer's ``usage``, or None where it says nothing that can be read."""
    try:
        said = _usage.decode(usage) if bytes(usage) else None
    except UNREADABLE:
        return None
    if said is None:
        return None
    made = count(said.output_tokens)
    made = count(said.completion_tokens) if made is None else made
    asked = count(said.input_tokens)
    asked = count(said.prompt_tokens) if asked is None else asked
    total = count(said.total_tokens)
    if asked is None and total is not None:
        asked = max(0, total - (made or 0))
    heard = milliseconds(said.seconds)
    cost = money(said.cost if said.cost is not None else said.estimated_cost)
    if asked is None and made is None and not heard and cost is None:
        return None
    before = said.input_token_details or said.input_tokens_details or said.prompt_tokens_details or _NONE
    after = said.output_tokens_details or _NONE
    asked, made = asked or 0, made or 0
    return Usage(
        input=asked,
        output=made,
        cache_read=min(count(before.cached_tokens) or 0, asked),
        audio_input=min(count(before.audio_tokens) or 0, asked),
        image_input=min(count(before.image_tokens) or 0, asked),
        image_output=min(count(after.image_tokens) or 0, made),
        audio_output=min(count(after.audio_tokens) or 0, made),
        audio_ms=heard,
        reported=cost,
    )


def milliseconds(seconds: object) -> int:
    """Return a length in seconds as whole milliseconds, rounded up; 0 for what is none."""
    if count(seconds) is None:
        return 0
    return ceil(Decimal(repr(seconds)) * 1000)


def estimated(size: int) -> Usage:
    """Return about how many tokens ``size`` bytes of text are, where an upstream does not say."""
    return Usage(text_tokens(size), estimated=True)
