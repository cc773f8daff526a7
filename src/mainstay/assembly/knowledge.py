"""Knowledge in a worker: what each route answers from, and who opens what it cites."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mainstay.assembly.embedders import Embedders, ask_gateway
from mainstay.assembly.searching import manner_of_row
from mainstay.config.schema import Config, RouteSection
from mainstay.core.call import Caller
from mainstay.core.errors import NotFound, StartError
from mainstay.grounding import verify
from mainstay.grounding.access import access_of
from mainstay.grounding.asking import Asking
from mainstay.grounding.config import KnowledgeConfig, KnowledgeStoreConfig
from mainstay.grounding.library import LocalLibrary
from mainstay.grounding.people import Reviews
from mainstay.grounding.policies import rule_of
from mainstay.grounding.port import Access, Embedder, Version
from mainstay.grounding.postgres import driver
from mainstay.grounding.stage import Ground
from mainstay.identity.keys import load_pepper
from mainstay.providers.citations import references

if TYPE_CHECKING:  # the library of files costs as much as the rest
    from mainstay.grounding.pages import Page
    from mainstay.grounding.search import Manner

__all__ = ["Grounds"]

_DEFAULTS = KnowledgeConfig()


class Grounds:
    """What one worker knows, across generations of the configuration.

    Args:
        reviews: where calls wait for a person.
    """

    def __init__(self, reviews: Reviews | None = None) -> None:
        self._reviews = reviews
        self._library: LocalLibrary | None = None
        self._rows: Mapping[str, KnowledgeConfig] = {}
        self._routes: Mapping[str, frozenset[str]] = {}
        self._embedders: Embedders | None = None
        self._secret = b""
        self._home = Path()

    def renew(self, config: Config, home: Path) -> None:
        """Take a new configuration, and begin to load what its routes answer from.

        Raises:
            StartError: claims are to be checked, or a base lies in a database, and what does that is not installed.
        """
        self._rows = config.knowledge
        self._embedders = Embedders(config, ask_gateway(home))
        used: dict[str, set[str]] = {}
        for name, route in config.routes.items():
            if route.knowledge is None:
                continue
            used.setdefault(route.knowledge.base, set()).add(name)
            if route.knowledge.verify is not None and not verify.is_installed():
                raise StartError(f"The check of claims of the route '{name}' {verify.MISSING}.")
        if any(self._keeps(base) is not None for base in used) and not driver.is_installed():
            raise StartError(driver.MISSING)
        self._routes = {base: frozenset(names) for base, names in used.items()}
        if used and self._library is None:
            self._secret, self._home = load_pepper(home), home
            self._library = LocalLibrary(
                home / "knowledge", self._embedder, verify.open_verifier, self._manner, self._keeps
            )
        if self._library is not None:
            for base in used:
                self._library.warm(base)

    def asking(self, route: RouteSection) -> Asking | None:
        """Return what asks a route's knowledge, None where it has none."""
        config = route.knowledge
        if config is None or self._library is None:
            return None
        rule = rule_of(config)
        members = self._rows.get(rule.base, _DEFAULTS).groups

        def access(caller: Caller) -> Access:
            return access_of(caller, members, where=rule.where, without=rule.without)

        return Asking(rule, self._library, access)

    def steps(self, route: RouteSection, asking: Asking | None) -> tuple[Ground, ...]:
        """Return the step that grounds a route's answers, if it wants one."""
        if asking is None or self._library is None:
            return ()
        check = self._library.check if asking.rule.unsupported is not None else None
        plain = route.form.output is None
        return (Ground(asking, check, self._secret, self._reviews, references, plain=plain),)

    def routes(self, base: str) -> frozenset[str]:
        """Return the routes that answer from a base."""
        return self._routes.get(base, frozenset())

    async def open(self, base: str, passage: str, caller: Caller, around: int, revision: int) -> "Page":
        """Return a passage as a citation points at it, with what stands around it, if ``caller`` may read its document.

        Raises:
            NotFound: there is none of this name that the caller may read.
            Unavailable: the base cannot be read now.
        """
        if self._library is None:
            raise NotFound(f"There is no passage '{passage}'.")
        members = self._rows.get(base, _DEFAULTS).groups
        return await self._library.open_passage(base, passage, access_of(caller, members), around, revision)

    async def aclose(self) -> None:
        """Close the files."""
        if self._library is not None:
            await self._library.aclose()

    def _embedder(self, base: str, version: Version) -> Embedder | None:
        assert self._embedders is not None
        return self._embedders.embedder(self._rows.get(base, _DEFAULTS), version)

    def _keeps(self, base: str) -> KnowledgeStoreConfig | None:
        return self._rows.get(base, _DEFAULTS).store

    def _manner(self, base: str) -> "Manner":
        return manner_of_row(self._rows.get(base, _DEFAULTS), self._home)
