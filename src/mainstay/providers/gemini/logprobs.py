"""Gemini's ``logprobsResult`` as OpenAI's object for the same tokens, which is how events carry it."""

from typing import Any

import msgspec

from mainstay.providers.wire import UNREADABLE

__all__ = ["read_logprobs"]


class _Token(msgspec.Struct, rename="camel", gc=False):
    token: str = ""
    log_probability: float | None = None


class _Top(msgspec.Struct, gc=False):
    candidates: list[_Token] | None = None


class _Result(msgspec.Struct, rename="camel", gc=False):
    chosen_candidates: list[_Token] | None = None
    top_candidates: list[_Top] | None = None


_result = msgspec.json.Decoder(_Result)
#: What OpenAI writes for a token that is as good as impossible; JSON has no minus infinity.
_LEAST = -9999.0


def read_logprobs(raw: msgspec.Raw) -> msgspec.Raw | None:
    """Return OpenAI's object, or None when ``raw`` cannot be read or says nothing: the answer is not at fault."""
    try:
        result = _result.decode(raw)
    except UNREADABLE:
        return None
    if not result.chosen_candidates:
        return None
    tops = result.top_candidates or []
    content = []
    for position, chosen in enumerate(result.chosen_candidates):
        others = tops[position].candidates or [] if position < len(tops) else []
        content.append({**_entry(chosen), "top_logprobs": [_entry(other) for other in others]})
    return msgspec.Raw(msgspec.json.encode({"content": content, "refusal": None}))


def _entry(token: _Token) -> dict[str, Any]:
    logprob = _LEAST if token.log_probability is None else token.log_probability
    return {"token": token.token, "logprob": logprob, "bytes": list(token.token.encode())}
