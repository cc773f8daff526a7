"""The line's step that looks at what enters and leaves. So far: the language of the request.

Finds the language, writes it down, and then refuses the call, or passes it on with a wish for a model or a prompt,
which the steps after it grant. Knows neither models nor prompts but by name.
"""

from collections.abc import Awaitable, Mapping

import msgspec
from msgspec.structs import replace

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.errors import LanguageNotAllowed
from mainstay.core.stage import Onward
from mainstay.core.target import TALKS
from mainstay.guardrails.config import LanguageConfig
from mainstay.guardrails.iso639 import LANGUAGES
from mainstay.guardrails.language import find_language
from mainstay.guardrails.port import UNKNOWN, Detector

__all__ = ["LanguageRule", "Screen", "language_rule"]


class LanguageRule(msgspec.Struct, frozen=True):
    """What a route does with a language; see :class:`~mainstay.guardrails.config.LanguageConfig`.

    ``allow`` holds ``und`` where an unknown language may pass; None allows everything.
    """

    allow: frozenset[str] | None = None
    refusal: str = ""
    refusals: Mapping[str, str] = {}
    targets: Mapping[str, str] = {}
    prompts: Mapping[str, str] = {}


class Screen:
    """Looks at requests before anything else reads them.

    Args:
        language: what the route does with languages.
        detector: what finds them.
    """

    def __init__(self, language: LanguageRule, detector: Detector) -> None:
        self._language = language
        self._detector = detector

    def __call__(self, call: Call, onward: Onward) -> Awaitable[Answer]:
        if call.ask.operation not in TALKS:
            return onward(call)
        rule = self._language
        code = find_language(call.ask.prompt, self._detector)
        call.record.language = code
        if rule.allow is not None and code not in rule.allow:
            raise LanguageNotAllowed(rule.refusals.get(code, rule.refusal), extra={"language": code})
        target, prompt = rule.targets.get(code, ""), rule.prompts.get(code, "")
        if target or prompt:
            call = replace(call, wished_model=target, wished_prompt=prompt)
        return onward(call)


def language_rule(config: LanguageConfig) -> LanguageRule:
    """Return what a route's configuration says as the step wants it."""
    allow = config.allow
    if allow is None:
        return LanguageRule(targets=config.targets, prompts=config.prompts)
    own = config.refuse
    names = [f"{LANGUAGES[code]} ({code})" for code in allow]
    shown = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return LanguageRule(
        frozenset(allow) | (frozenset({UNKNOWN}) if config.unknown == "allow" else frozenset()),
        own if isinstance(own, str) else f"This route takes requests in {shown}; write in one of these languages.",
        own if isinstance(own, dict) else {},
        config.targets,
        config.prompts,
    )
