"""From a route's configuration to its step on the line. What looks is imported with the first route that wants it."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mainstay.guardrails.config import LanguageConfig, RailConfig
from mainstay.guardrails.language import open_detector
from mainstay.guardrails.null import NullReviews
from mainstay.guardrails.port import Detector, Reviews, Scanner
from mainstay.guardrails.sends_config import SendsConfig
from mainstay.guardrails.stage import Screen, language_rule
from mainstay.identity.keys import load_pepper

if TYPE_CHECKING:
    from mainstay.guardrails.compile import Instruments
    from mainstay.guardrails.pictures import Pictures

__all__ = ["Screens"]


class Screens:
    """Makes the steps of one worker; what looks is loaded with the first route that needs it, and once.

    Args:
        reviews: where calls wait for a person; absent, nobody is there to ask.
        words: reads the words in an image, within some seconds; absent, nobody does.
    """

    def __init__(
        self, reviews: Reviews | None = None, words: Callable[[bytes, float], Awaitable[str]] | None = None
    ) -> None:
        self._words = words
        self._pictures: Pictures | None = None
        self._detector: Detector | None = None
        self._reviews = reviews or NullReviews()
        self._instruments: Instruments | None = None

    def instruments(self, home: Path) -> "Instruments":
        """Return what looks; ``home`` is the folder Mainstay writes to."""
        if self._instruments is None:
            from mainstay.guardrails.compile import Instruments

            self._instruments = Instruments(home)
        return self._instruments

    def steps(
        self,
        route: str,
        home: Path,
        language: LanguageConfig | None,
        rails: Mapping[str, RailConfig],
        *,
        reads: bool = False,
        runs: bool = False,
        schema: bool = False,
        sends: SendsConfig | None = None,
    ) -> tuple[Screen, ...]:
        """Return the step that looks at a route's requests and answers, if the route wants one.

        Args:
            route: its name.
            home: the folder Mainstay writes to.
            language: what the route does with languages.
            rails: its rails, by name.
            reads: whether files are read for its models.
            runs: whether tools are run for them.
            schema: whether its answers are held to a form in JSON.
            sends: when its models may call tools that send data out.

        Raises:
            StartError: something that is to look is not installed.
        """
        if language is None and not rails and sends is None:
            return ()
        if language is not None and self._detector is None:
            self._detector = open_detector()
        rule = language_rule(language) if language is not None else None
        if not rails and sends is None:
            return (Screen(rule, self._detector),)
        from mainstay.guardrails.canary import canary_for
        from mainstay.guardrails.compile import compile_rails
        from mainstay.guardrails.screening import Rails
        from mainstay.guardrails.sending import policy_of

        master = load_pepper(home)
        railing = compile_rails(route, rails, self.instruments(home), canary_for(master, route))
        policy = policy_of(sends) if sends is not None else None
        if policy is not None and policy.marks:
            railing.mark_untrusted(runs=runs)
        if railing.images and self._pictures is None and self._words is not None:
            from mainstay.guardrails.pictures import Pictures

            self._pictures = Pictures(self._words)
        looking = Rails(
            railing,
            master,
            self._reviews,
            reads=reads,
            runs=runs,
            schema=schema,
            sends=policy,
            pictures=self._pictures,
        )
        return (Screen(rule, self._detector, looking),)

    def redacting(self, home: Path, rails: Mapping[str, RailConfig]) -> tuple[Scanner, ...]:
        """Return what finds that which a route does not keep: what its rails mask or hide, and what is usual."""
        from mainstay.guardrails.compile import compile_rails

        instruments = self.instruments(home)
        own = {name: row for name, row in rails.items() if row.action in ("mask", "pseudonymise", "block")}
        own = {name: row for name, row in own.items() if not row.judged and row.what not in ("injection", "canary")}
        found = [rail.scanner for rail in compile_rails("", own, instruments).rails if rail.scanner is not None]
        return tuple(dict.fromkeys((instruments.personal(), instruments.secrets(), *found)))
