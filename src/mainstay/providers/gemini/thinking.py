"""How much a model shall think, from what callers of other dialects say.

* ``reasoning_effort`` is ``thinkingLevel`` from the third generation on. The second counts tokens: ``minimal`` and
  ``low`` are a budget of 1024, ``medium`` 8192, ``high`` and above 24576, as the vendor's own OpenAI wire has them.
* ``none`` is a budget of 0; a model that cannot do without thinking says so itself.
* Anthropic's ``thinking``: ``enabled`` is a budget of its ``budget_tokens``, ``disabled`` one of 0, ``adaptive`` leaves
  it to the model. An effort given beside it counts, for the wire takes only one of the two.
* Whoever asks for thinking is shown it: the wire sends nothing else in the meantime. ``display: omitted`` says not to.
"""

import msgspec

from mainstay.core.errors import Unsupported
from mainstay.core.prompt import Prompt
from mainstay.providers.wire import json_object

__all__ = ["thinking_config"]

_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}
_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "XHIGH", "max": "XHIGH"}
_BY_ITSELF = -1


def thinking_config(prompt: Prompt, generation: int) -> dict[str, object]:
    """Return the ``thinkingConfig`` that says what ``prompt`` says, empty when it says nothing.

    Raises:
        Unsupported: a word has no counterpart; ``param`` names the field.
    """
    fields = json_object(bytes(prompt.extra.get("thinking", b""))) or {}
    kind = bytes(fields.get("type", b'""')).decode("utf-8", "replace").strip('"')
    if kind not in ("", "enabled", "disabled", "adaptive"):
        raise Unsupported("The type of thinking is enabled, adaptive or disabled; send one of these.", param="thinking")
    effort = prompt.reasoning_effort
    config: dict[str, object] = {}
    if kind == "disabled" and effort in (None, "none"):
        return {"thinkingBudget": 0}
    if effort == "none" or (effort is not None and generation < 3):
        if effort not in _BUDGETS:
            raise _unknown()
        config["thinkingBudget"] = _BUDGETS[effort]
    elif effort is not None:
        if effort not in _LEVELS:
            raise _unknown()
        config["thinkingLevel"] = _LEVELS[effort]
    elif kind == "enabled" and "budget_tokens" in fields:
        config["thinkingBudget"] = _number(fields["budget_tokens"])
    elif kind == "adaptive" and generation < 3:
        config["thinkingBudget"] = _BY_ITSELF
    if (kind in ("enabled", "adaptive") or config) and config.get("thinkingBudget") != 0:
        config["includeThoughts"] = bytes(fields.get("display", b"")) != b'"omitted"'
    return config


def _number(value: msgspec.Raw) -> int:
    try:
        return msgspec.json.decode(value, type=int)
    except msgspec.DecodeError:
        raise Unsupported("The budget_tokens of thinking must be a whole number.", param="thinking") from None


def _unknown() -> Unsupported:
    return Unsupported(
        "This model's reasoning_effort is none, minimal, low, medium, high or xhigh; send one of these.",
        param="reasoning_effort",
    )
