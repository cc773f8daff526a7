"""One call on its way down the line."""

from collections.abc import Awaitable, Callable, Mapping
from enum import IntEnum
from typing import Protocol

import msgspec

from mainstay.core.errors import CallerError
from mainstay.core.events import Dialect
from mainstay.core.prompt import Prompt
from mainstay.core.record import Attempt, Record
from mainstay.core.sources import Found
from mainstay.core.target import Feature, Operation, Target
from mainstay.core.timeouts import Timeouts

__all__ = ["Adapter", "Ask", "Call", "Caller", "Priority", "ToolGate", "ToolScreen"]


#: Returns a prompt as one model can take it: in words what it has no field for, its own variant of a template.
Adapter = Callable[[Prompt, Target], Awaitable[Prompt]]


class Priority(IntEnum):
    """How much a call matters when there is not room for all: the smaller goes first."""

    CRITICAL = 0
    STANDARD = 1
    SHEDDABLE = 2


class Caller(msgspec.Struct, frozen=True):
    """Who calls: one key, of a team, of an organisation. ``routes`` is what it may call, None meaning everything."""

    key: str
    name: str = ""
    team: str = ""
    routes: frozenset[str] | None = None
    organisation: str = ""
    #: What stands on the key itself: US dollars per period (``20/month``), requests and tokens a minute; 0: no limit.
    budget: str = ""
    rpm: int = 0
    tpm: int = 0


class ToolScreen(Protocol):
    """Looks at what passes between a model and the tools that are run for it, and at what was found for it."""

    async def found(self, text: str) -> str:
        """Return a passage that a search found as the model is to read it.

        Raises:
            MainstayError: the model may not read it.
        """
        ...

    def arguments(self, text: str) -> str:
        """Return the arguments of a run, JSON as the model wrote it, as the tool is to have them."""
        ...

    async def result(self, tool: str, text: str) -> str:
        """Return what a tool gave as the model is to read it.

        Raises:
            MainstayError: the model may not read it.
        """
        ...


class ToolGate(Protocol):
    """Decides which tools may be run for a model, by what it has read."""

    def told(self, prompt: Prompt) -> None:
        """Note that the model is asked ``prompt``, which says more than its caller did."""
        ...

    def heard(self, tool: str) -> None:
        """Note that the model reads what ``tool`` gave, or how its server describes it."""
        ...

    async def permit(self, tool: str, arguments: str) -> str:
        """Return why ``tool`` may not be run with ``arguments`` (JSON), in a sentence for the model; "" where it may.

        Raises:
            MainstayError: a person is to decide first.
        """
        ...


class Ask(msgspec.Struct):
    """What is asked: the caller's own bytes, the few fields the line reads, and the rest on demand.

    ``read`` turns ``raw`` into a :class:`Prompt` and ``scan`` says which features it needs; both run at most once and
    only when something asks.
    """

    raw: bytes
    dialect: Dialect
    model: str
    stream: bool
    include_usage: bool
    read: Callable[[bytes], Prompt]
    scan: Callable[["Ask"], frozenset[Feature]]
    #: What is to be done; only conversations, counts and completions have a ``prompt``.
    operation: Operation = Operation.CHAT
    #: Finds the caller's field that asks for a feature, where it is not the one that OpenAI's chat has for it.
    locate: Callable[["Ask", Feature], str | None] | None = None
    #: Names what stands at a place of ``prompt`` in the caller's words: the position of a message, of a part of it and
    #: perhaps of a part within that (none for the message itself), and the field that is meant, "" for all of it.
    place: Callable[["Ask", int, tuple[int, ...], str], str] | None = None
    #: The request as the caller sent it, where a stage of the line has changed it.
    origin: "Ask | None" = None
    #: What makes the prompt fit the model it goes to, in order; each returns the prompt itself where nothing changes.
    adapters: tuple["Adapter", ...] = ()
    #: Features that a model may lack because an adapter does without them.
    spared: frozenset[Feature] = frozenset()
    #: The end user that the caller says it is for, may be empty.
    user: str = ""
    #: The content type of ``raw``.
    kind: bytes = b"application/json"
    #: What was read of ``raw`` at the door, for operations without a prompt; of the operation's own type.
    found: object = None
    #: Reads another body of the same operation, where that is no conversation: what changes its texts changes bytes.
    again: "Callable[[bytes], Ask] | None" = None
    _prompt: Prompt | None = None
    _features: frozenset[Feature] | None = None

    @property
    def prompt(self) -> Prompt:
        """The request in no one's dialect."""
        if self._prompt is None:
            self._prompt = self.read(self.raw)
        return self._prompt

    def asking(self, prompt: Prompt) -> "Ask":
        """Return a request of the same caller for ``prompt`` instead, with the same adapters."""
        first = self.origin or self
        return msgspec.structs.replace(self, raw=b"", model=prompt.model, origin=first, _prompt=prompt, _features=None)

    @property
    def features(self) -> frozenset[Feature]:
        """What a model must be able to do to answer."""
        if self._features is None:
            self._features = self.scan(self)
        return self._features


class Call(msgspec.Struct, frozen=True):
    """A call that was admitted: frozen, a change is a ``msgspec.structs.replace``.

    ``record`` is the one exception to the freeze: it is opened at the socket, filled on the way and settled once.
    ``headers`` are the caller's headers that may go up (lower-case names), chosen by the endpoint; ``given`` are all of
    them, its key among them, to be read and never sent. ``started`` and ``deadline`` are monotonic seconds. ``target``
    and ``attempt`` are set by the routing stage, once per attempt.
    """

    ask: Ask
    record: Record
    caller: Caller
    route: str
    headers: tuple[tuple[bytes, bytes], ...]
    started: float
    deadline: float
    timeouts: Timeouts
    #: The caller's own id for a chain of gateways: how many Mainstays this request has passed.
    hops: int = 0
    priority: Priority = Priority.STANDARD
    #: Ask the upstream for a stream also for a caller who wants the answer whole: only then is silence noticed in time.
    paced: bool = False
    given: Mapping[bytes, bytes] = {}
    #: What the caller wants it counted under.
    tags: tuple[str, ...] = ()
    #: A model to ask before the route's own, and a prompt to use instead of the route's, by their names; "" for none.
    wished_model: str = ""
    wished_prompt: str = ""
    #: What looks at the tools that are run for a model; None: nobody does.
    tools: ToolScreen | None = None
    #: What decides whether they are run; None: nobody does.
    gate: ToolGate | None = None
    #: Returns why the call may not go to a target, None where it may; set by the policies, where there are any.
    forbids: Callable[[Target], CallerError | None] | None = None
    #: What was found for it in the route's knowledge, by who asked first; None: nobody has looked.
    found: Found | None = None
    target: Target | None = None
    attempt: Attempt | None = None
