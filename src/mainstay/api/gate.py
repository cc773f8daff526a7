"""What one generation of the configuration serves: the compiled lines and what each name means."""

import difflib
from collections.abc import Mapping

import msgspec

from mainstay.core.call import Caller, Priority
from mainstay.core.errors import Forbidden, ModelNotFound
from mainstay.core.ports import KeyRing
from mainstay.core.stage import Onward
from mainstay.core.timeouts import Timeouts
from mainstay.providers.responses.config import ResponsesConfig
from mainstay.routing.priority import clamp

__all__ = ["Gate", "Served"]


class Served(msgspec.Struct, frozen=True):
    """One name a caller may ask for: a route, or a model as its own route."""

    name: str
    line: Onward
    timeouts: Timeouts
    #: Keep request and response bodies in the record.
    keep_content: bool
    owned_by: str
    #: Keep what callers of the Responses API come back to.
    keep_responses: bool = True
    #: Whether it can be asked in words, and not only for embeddings and the like.
    talks: bool = True


class Gate(msgspec.Struct, frozen=True):
    """Replaced as a whole when the configuration changes; calls in flight keep the one they began with."""

    served: Mapping[str, Served]
    #: Who is calling.
    keys: KeyRing
    config_hash: str
    #: Seconds since 1970 at which this generation was loaded; the ``created`` of its models.
    created: int
    #: The highest priority by name of key or team.
    classes: Mapping[str, str] = {}
    #: What is kept of responses, and how they are spoken.
    responses: ResponsesConfig = msgspec.field(default_factory=ResponsesConfig)
    #: Pages of the web that may call the MCP endpoint.
    origins: frozenset[str] = frozenset()

    def priority(self, asked: bytes | None, caller: Caller) -> Priority:
        """Return how much a call matters: what it asks for, held to what its caller may use.

        Raises:
            InvalidRequest: there is no such class.
        """
        if asked is None and not self.classes:
            return Priority.STANDARD
        return clamp(asked.decode("latin-1") if asked is not None else None, caller, self.classes)

    def find(self, name: str, caller: Caller) -> Served:
        """Return what ``name`` serves to ``caller``.

        Raises:
            ModelNotFound: no such name; the message lists near ones that this caller may use.
            Forbidden: the caller's key is for other routes.
        """
        found = self.served.get(name)
        allowed = caller.routes
        if found is not None and (allowed is None or name in allowed):
            return found
        if found is not None:
            raise Forbidden(f"This key may not call '{name}'; ask its owner to add the route.", param="model")
        names = [known for known in self.served if allowed is None or known in allowed]
        near = difflib.get_close_matches(name[:200], names, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else "; GET /v1/models lists them."
        raise ModelNotFound(f"There is no model or route named '{name[:200]}'{hint}", param="model")

    def visible(self, caller: Caller) -> list[Served]:
        """Return what ``caller`` may call, in the order of the configuration."""
        return [s for s in self.served.values() if caller.routes is None or s.name in caller.routes]
