"""The line's step that looks at what enters and leaves: the language of the request, and the rails of the route.

Finds the language, and refuses the call or passes it on with a wish for a model or a prompt, which the steps after it
grant; then it has the rails look, where there are any (``screening``). Knows neither models nor prompts but by name.
"""

from collections.abc import Awaitable, Callable, Mapping

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
    """Looks at requests before anything else reads them, and at answers after everything else.

    Args:
        language: what the route does with languages; None: nobody looks.
        detector: what finds them.
        rails: takes the call through the route's rails; None: it has none.
    """

    def __init__(
        self,
        language: LanguageRule | None,
        detector: Detector | None = None,
        rails: Callable[[Call, Onward], Awaitable[Answer]] | None = None,
    ) -> None:
        self._language = language
        self._detector = detector
        self._rails = rails

    def __call__(self, call: Call, onward: Onward) -> Awaitable[Answer]:
        if self._language is not None and call.ask.operation in TALKS:
            call = self._spoken(call, self._language)
        return onward(call) if self._rails is None else self._rails(call, onward)

    def _spoken(self, call: Call, rule: LanguageRule) -> Call:
        assert self._detector is not None
        code = find_language(call.ask.prompt, self._detector)
        call.record.language = code
        if rule.allow is not None and code not in rule.allow:
            raise LanguageNotAllowed(rule.refusals.get(code, rule.refusal), extra={"language": code})
        target, prompt = rule.targets.get(code, ""), rule.prompts.get(code, "")
        return replace(call, wished_model=target, wished_prompt=prompt) if target or prompt else call


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
