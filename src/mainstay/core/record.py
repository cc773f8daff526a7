"""The record of one call: what was asked of whom, what came back, when, and why it ended.

A record is opened at the socket and settled exactly once, on every path. It never holds a key, an upstream
credential or, unless the route says ``content: full``, a word of the prompt or the answer. Encoded as one JSON object
it is a line of the worker's journal and, later, a row of the database.
"""

import msgspec

from mainstay.core.clock import wall_ms
from mainstay.core.ids import uuid7
from mainstay.core.sources import Search
from mainstay.core.usage import Usage

__all__ = [
    "Attempt",
    "CitedSpan",
    "Content",
    "Denial",
    "Grounding",
    "Outcome",
    "RailSpan",
    "RailVerdict",
    "Record",
    "SourceRow",
]

#: ``ok``; ``refused`` (the caller's fault, 4xx); ``failed`` (ours or an upstream's); ``gone`` (the caller left).
Outcome = str


class Attempt(msgspec.Struct, omit_defaults=True):
    """One call of one upstream. Times are milliseconds; durations are from the start of this attempt."""

    target: str = ""
    provider: str = ""
    #: Why it was made: ``first``, ``retry``, ``fallback``, ``hedge``, ``last_resort``, ``reask`` (the answer before had
    #: not the form that was asked for), ``reword`` (the upstream could not take the schema; it was said in words) or
    #: ``tools`` (the tools that the answer before called have been run).
    cause: str = "first"
    #: ``ok``, the code of the error that ended it, ``caller_gone``, or ``outrun`` by its hedge.
    outcome: str = ""
    status: int = 0
    #: Milliseconds from the record's start to this attempt's.
    offset_ms: float = 0.0
    #: Until the upstream's status line and headers; None when they never came.
    headers_ms: float | None = None
    #: Until the first content-bearing event; None when none came.
    first_ms: float | None = None
    total_ms: float = 0.0
    #: The upstream's own name for the model and id for the answer, as it reported them.
    upstream_model: str = ""
    upstream_id: str = ""
    #: Where it went: host and port of the upstream, as OpenTelemetry's server.address and server.port.
    address: str = ""
    port: int = 0
    #: Content-bearing events of a stream.
    events: int = 0
    detail: str = ""
    #: What it took, as its provider says or, marked so, as we estimate; None when nothing was billed.
    usage: Usage | None = None
    #: What it cost, in units of 1e-12 US dollars; None where it was not priced.
    cost: int | None = None
    #: Our own computation, where the cost is the provider's word.
    computed: int | None = None
    #: Where the price is from: ``config``, ``catalogue``, ``own``, ``reported``, or ``ceiling`` when nobody knows it.
    priced: str = ""


class Content(msgspec.Struct, omit_defaults=True):
    """Bodies, kept only under ``content: full``: text as it crossed the caller's wire."""

    request: str = ""
    response: str = ""


class RailSpan(msgspec.Struct, omit_defaults=True, array_like=True):
    """Where a rail found something: characters from ``start`` up to ``end`` of the text at ``place``; never the text.

    ``place`` is ``MESSAGE.PART`` of a prompt (``-1.N``: the description of tool N), or ``CHOICE.text``,
    ``CHOICE.thinking``, ``CHOICE.tool.N`` or ``CHOICE.other`` (a citation, say) of an answer.
    """

    kind: str
    start: int
    end: int
    place: str = ""


class RailVerdict(msgspec.Struct, omit_defaults=True):
    """What one rail said of what entered or left at one place (``input``, ``retrieved``, ``tool_result``, ``output``).

    ``outcome`` is ``passed``, ``failed`` (it could not look), or what it does: ``blocked``, ``masked``,
    ``pseudonymised``, ``flagged``, ``annotated``, ``held``, ``rerouted``; where ``enforced`` is false it was noted, no
    more. ``kinds`` counts what was found; ``score`` is the surest of it; ``ms`` is what looking took.
    """

    rail: str
    where: str
    outcome: str = "passed"
    enforced: bool = True
    kinds: dict[str, int] = {}
    score: float | None = None
    spans: list[RailSpan] = []
    ms: float = 0.0


class SourceRow(msgspec.Struct, omit_defaults=True, array_like=True):
    """A passage that the model was given: its name, the revision of its document, the ranker's score; never its
    text."""

    passage: str
    revision: int = 0
    score: float = 0.0
    #: Of the passage's UTF-8, hex.
    sha256: str = ""


class CitedSpan(msgspec.Struct, omit_defaults=True):
    """A citation without words: characters ``start`` up to ``end`` of the text of ``choice`` rest on ``source[0]`` up
    to ``source[1]`` of a document's revision. ``sha256`` is of the quote. See :class:`~mainstay.core.sources.Citation`
    for the rest."""

    choice: int
    start: int
    end: int
    passage: str
    source: tuple[int, int]
    sha256: str
    how: str = "marked"
    verdict: str = "unchecked"
    score: float | None = None


class Grounding(msgspec.Struct, omit_defaults=True):
    """What an answer rests on: the one state of one knowledge base, the passages that the model was given, and what
    it cited of them. Positions and hashes, never a document's words.

    ``verdicts`` counts claims by what came of checking them, ``invented`` marks that named no source. ``late`` are
    parts of the search that were not waited for, ``dropped`` passages that the model was not given, by why.
    ``search`` says what became of the search (``done``, ``partial``, ``late``, ``unavailable``), and ``nothing`` that
    it is done and found nothing that may be used. ``did`` is what came of it besides the answer: ``said`` (that nothing
    was found), ``stripped``, ``reasked``, ``refused``, ``held``, ``abstained``.
    """

    base: str
    version: str = ""
    seq: int = 0
    sources: list[SourceRow] = []
    citations: list[CitedSpan] = []
    verdicts: dict[str, int] = {}
    invented: int = 0
    late: list[str] = []
    dropped: dict[str, int] = {}
    nothing: bool = False
    search: Search = "done"
    confidence: float = 0.0
    #: Age of the oldest passage, by its document's date, else by when it was read; None where neither is known.
    oldest_ms: int | None = None
    #: Until the search was done.
    ms: float = 0.0
    did: str = ""


class Denial(msgspec.Struct, omit_defaults=True):
    """A model that the usage policies kept a call from, for the audit log.

    ``policies`` are the ids of those that forbid it, none where none permits it; ``key`` is the id of the caller's key,
    ``data`` what the rails had found, and ``version`` says which policies were in force.
    """

    model: str
    policies: list[str] = []
    key: str = ""
    purpose: str = ""
    data: list[str] = []
    version: str = ""


class Record(msgspec.Struct, omit_defaults=True):
    """One call as the caller saw it; ``attempts`` has one entry per upstream call.

    ``id`` is a UUIDv7; ``request_id`` is what the caller sees (its own, when it gave a sane one). ``at`` is wall-clock
    milliseconds since 1970 in UTC; every duration is in milliseconds on a monotonic clock.
    """

    id: str
    request_id: str
    at: int
    operation: str = "chat"
    dialect: str = "openai"
    method: str = ""
    path: str = ""
    stream: bool = False
    #: The caller.
    key: str = ""
    team: str = ""
    #: What was asked for and what served.
    asked: str = ""
    route: str = ""
    target: str = ""
    provider: str = ""
    vendor: str = ""
    served: str = ""
    outcome: Outcome = ""
    status: int = 0
    #: The wire code of the error, or "".
    error: str = ""
    finish: str = ""
    attempts: list[Attempt] = []
    usage: Usage | None = None
    #: Until the first content-bearing event was handed on; None when there was none.
    first_ms: float | None = None
    total_ms: float = 0.0
    #: Waiting for the caller to send its body.
    waited_ms: float = 0.0
    #: Waiting for room at an upstream, for a retry's turn, for an identical call's answer, or for tools.
    queued_ms: float = 0.0
    #: Our own part of ``total_ms``: everything but waiting for an upstream or a slow caller.
    overhead_ms: float = 0.0
    #: Exact cost of all attempts as a decimal string of US dollars; None when nothing was priced.
    cost_usd: str | None = None
    config: str = ""
    worker: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    #: The versioned template that the prompt was made from, ``name@version``.
    prompt: str = ""
    #: The language of the request: a code of ISO 639, ``und`` when it is not known, "" when nobody looked.
    language: str = ""
    #: What was read for a model that could not read it itself and which tools were run for it, step by step.
    steps: str = ""
    #: The provider's own mark of what served (OpenAI's ``system_fingerprint``).
    fingerprint: str = ""
    organisation: str = ""
    #: The end user that the caller said it was for.
    user: str = ""
    #: What the caller wanted it counted under.
    tags: list[str] = []
    #: The worker process that served it: new for each.
    process: str = ""
    #: What each budget's account was charged, in units of 1e-12 US dollars.
    charges: dict[str, int] = {}
    #: Energy of the call with the data centre around it, and its 80 % interval; None, with the reason, when not known.
    energy_wh: float | None = None
    energy_low_wh: float | None = None
    energy_high_wh: float | None = None
    #: Grams of CO2 equivalent where it was computed, after the contracts of who runs it, and of making the hardware.
    carbon_g: float | None = None
    carbon_market_g: float | None = None
    embodied_g: float | None = None
    water_ml: float | None = None
    #: ``measured``, ``modelled``, ``assumed`` or ``ecologits``; ``none: REASON`` where there is no figure.
    energy_method: str = ""
    #: ``hit``, ``semantic`` (kept for the same question in other words), ``miss``, or "" where no cache was asked.
    cache: str = ""
    #: What the rails of its route said of it.
    verdicts: list[RailVerdict] = []
    #: What it rests on, where its route names a knowledge base.
    grounding: Grounding | None = None
    #: Models that policies kept it from; the loader takes them to the audit log, and they are not kept here.
    denials: list[Denial] = []
    content: Content | None = None

    @classmethod
    def opened(cls, operation: str, method: str, path: str) -> "Record":
        """Return a record for a request that has no id of its own."""
        identity = uuid7()
        return cls(identity, identity, wall_ms(), operation, method=method, path=path)
