"""Fields of a caller's dialect that another wire has no word for: left out where they change nothing, else refused.

Stands under the codecs whose wire is no caller's own. Knows what callers can say, not what any wire can.
"""

import re
from collections.abc import Collection, Iterator, Mapping

import msgspec

from mainstay.core.errors import Unsupported
from mainstay.core.events import Dialect
from mainstay.core.prompt import Prompt

__all__ = ["caller_word", "refuse_settings", "settle_fields"]

#: Hints: they cannot change the answer.
_HINTS = frozenset(
    {
        "context_management",
        "diagnostics",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "stream_options",
    }
)
#: Fields besides: the values that, like null, change nothing; and what to do instead.
_LACKING: dict[str, tuple[tuple[object, ...], str]] = {
    "store": ((False,), "Answers are not stored at this model's vendor; leave out store."),
    "prediction": ((), "This model takes no predicted output; leave out prediction."),
    "modalities": (([], ["text"]), "This model answers in text only; leave out modalities."),
    "audio": ((), "This model answers in text only; leave out audio."),
    "moderation": ((), "This model's vendor takes no moderation field; leave it out."),
    "verbosity": (("medium",), "This model has no verbosity setting; ask for the length in the prompt."),
    "web_search_options": ((), "This model searches no web; leave out web_search_options."),
    "response_format": ((), "This model does not know this response_format; send json_schema."),
    "functions": (([],), "This model takes tools; send functions as tools."),
    "function_call": (("auto", "none"), "This model takes tool_choice; send it instead of function_call."),
    "tool_choice": ((), "This model's tool_choice names one function at most; send only the tools it may call."),
    "container": ((), "This model runs no code of its own; leave out container."),
    "mcp_servers": (([],), "This model calls no MCP servers; leave out mcp_servers."),
    "inference_geo": (("global",), "Where this model runs is not the caller's to choose; leave out inference_geo."),
    "speed": (("standard",), "This model has one speed; leave out speed."),
}
#: What callers of Anthropic's wire call the fields that OpenAI's callers know by another name.
_ANTHROPIC = {
    "max_completion_tokens": "max_tokens",
    "stop": "stop_sequences",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "response_format": "output_config.format",
    "reasoning_effort": "output_config.effort",
    "user": "metadata.user_id",
}
#: The same for callers of the Responses wire.
_RESPONSES = {
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity",
    "logprobs": "include",
}
#: What the Responses wire calls a field, for callers of other wires whose upstream speaks it.
_FROM_RESPONSES = {**{theirs: ours for ours, theirs in _RESPONSES.items()}, "input": "messages"}
_STEPS = re.compile(r"[.\[]")


def caller_word(param: str, dialect: Dialect, *, sent: bool = False) -> str:
    """Return what a caller of ``dialect`` calls the field that OpenAI's callers call ``param``.

    A field within the conversation keeps its place only where that is the caller's own. ``sent`` says that the word may
    be an upstream's, which saw another body.
    """
    if dialect is not Dialect.RESPONSES and sent:
        param = _swapped(param, _FROM_RESPONSES)
    if dialect is Dialect.ANTHROPIC:
        if sent and param.startswith("messages"):
            return "messages"
        return _swapped(param, _ANTHROPIC).replace(".function.parameters", ".input_schema")
    if dialect is Dialect.RESPONSES:
        # Items of an input are finer than turns, so their numbers are not known here.
        return "input" if param.startswith("messages") else _swapped(param, _RESPONSES).replace(".function.", ".")
    if dialect is Dialect.COMPLETIONS and param.startswith("messages"):
        return "prompt"
    return param


def _swapped(param: str, words: Mapping[str, str]) -> str:
    """Return ``param`` with the word that it begins with swapped; a place in the conversation is dropped."""
    for word in sorted(words, key=len, reverse=True):
        rest = param.removeprefix(word)
        if rest != param and (not rest or _STEPS.match(rest)):
            return words[word] + (rest.replace(".json_schema", "", 1) if word != "input" else "")
    return param


def settle_fields(
    extra: Mapping[str, msgspec.Raw], *, known: Collection[str] = ()
) -> Iterator[tuple[str, msgspec.Raw]]:
    """Yield the fields that say something and are for the wire to express; ``known`` are those that it does.

    Raises:
        Unsupported: a field asks for what no wire but the caller's own does; ``param`` names it.
    """
    for field, value in extra.items():
        if bytes(value) == b"null" or field in _HINTS:
            continue
        if field in _LACKING and field not in known:
            harmless, message = _LACKING[field]
            if msgspec.json.decode(value) not in harmless:
                raise Unsupported(message, param=field)
            continue
        yield field, value


def refuse_settings(prompt: Prompt, *, can: Collection[str] = ()) -> None:
    """Refuse the settings that are not in ``can``, unless their value is the one that changes nothing.

    Raises:
        Unsupported: ``param`` names the setting.
    """
    bias = prompt.logit_bias
    checks: tuple[tuple[str, bool, str], ...] = (
        ("n", prompt.n is not None and prompt.n != 1, "This model gives one choice; send several requests."),
        ("logprobs", bool(prompt.logprobs), "This model gives no token probabilities; leave out logprobs."),
        ("top_logprobs", bool(prompt.top_logprobs), "This model gives no token probabilities; leave it out."),
        ("seed", prompt.seed is not None, "This model cannot be seeded; leave out seed."),
        (
            "logit_bias",
            bias is not None and bytes(bias) not in (b"null", b"{}"),
            "This model takes no logit_bias; leave it out.",
        ),
        ("frequency_penalty", bool(prompt.frequency_penalty), "This model takes no penalties; leave it out."),
        ("presence_penalty", bool(prompt.presence_penalty), "This model takes no penalties; leave it out."),
    )
    for param, asked, message in checks:
        if asked and param not in can:
            raise Unsupported(message, param=param)
