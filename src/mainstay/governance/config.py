"""``governance:`` in the configuration: the audit log, sealing of content, how long what is kept, and reviews; and
``policies:``, with what a route says of itself to them and to people."""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from mainstay.core.config import LocalPath, PositiveDuration, Secret, Section, Size

__all__ = [
    "AuditConfig",
    "DisclosureConfig",
    "GovernanceConfig",
    "PoliciesConfig",
    "Purpose",
    "RetentionConfig",
    "ReviewsConfig",
    "RouteRetentionConfig",
    "SealingConfig",
    "is_purpose",
]

_PURPOSE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def is_purpose(text: str) -> bool:
    """Return whether a text names a purpose: up to 40 small letters, digits, ``_`` and ``-``."""
    return _PURPOSE.fullmatch(text) is not None


def _purpose(value: str) -> str:
    if not is_purpose(value):
        raise ValueError("is no purpose: write 1 to 40 small letters, digits, _ and -")
    return value


#: What a call is for, in a word.
Purpose = Annotated[str, AfterValidator(_purpose)]


class AuditConfig(Section):
    """The audit log: who did what. It is always kept."""

    anchor: LocalPath | None = None
    """A file that every checkpoint of the log is added to. A log that was cut off shows only against an anchor that
    whoever cut it could not reach: put it on another machine's share or on a medium that is written once. Absent,
    ``var/audit/anchor.jsonl``, which tells of a change in the database alone."""

    every: PositiveDuration = 5.0
    """How often the log is signed, if something was added. What came after the last checkpoint could be cut off
    unseen."""


class SealingConfig(Section):
    """Content at rest: the words of prompts and answers in records, journals and stored responses, sealed with
    AES-256-GCM under a key of their tenant, and those keys under a master key."""

    enabled: bool = False
    """Whether content is sealed. What lies there plain is sealed in the background; what is sealed stays readable when
    this is switched off."""

    tenant: Literal["team", "organisation"] = "team"
    """Whose key seals: each team's (its organisation's, for keys without a team), or each organisation's. To destroy a
    tenant's key is to erase all its content."""

    key: Secret | None = None
    """The master key: 32 bytes in base64 or hex, ``"${MAINSTAY_MASTER_KEY}"`` or ``file:/run/secrets/master``. Absent,
    ``var/master.key``, which is made at the first start: of no use against who has all of ``var/``."""

    old_keys: tuple[Secret, ...] = ()
    """Master keys of before. To rotate, put the new one at ``key`` and the old one here: data keys are wrapped anew
    while calls go on, and when ``mainstay privacy seals`` shows none under the old one, take it away."""


class RetentionConfig(Section):
    """How long what is kept, at most; a class without a time is kept until something else ends it."""

    records: PositiveDuration | None = None
    """Records of calls: who, when, which model, how many tokens. What they cost stays in the ledger."""

    content: PositiveDuration | None = None
    """The words of prompts and answers in records."""

    responses: PositiveDuration | None = None
    """Responses and turns with tools that callers may go on with; ``responses.expire`` at most."""

    files: PositiveDuration | None = None
    """Files of callers and of batches; ``batches.expire`` at most."""

    every: PositiveDuration = 60.0
    """How often what is due is removed."""


class RouteRetentionConfig(Section):
    """How long calls of one route are kept; what is not given is as for all routes."""

    records: PositiveDuration | None = None
    """Records of its calls."""

    content: PositiveDuration | None = None
    """The words of its prompts and answers."""


class ReviewsConfig(Section):
    """Requests that a rail holds until a person has decided."""

    keep: PositiveDuration = 604_800.0
    """How long a request waits for a decision, and how long its words are kept. Nobody decided: it has expired."""

    valid: PositiveDuration = 86_400.0
    """How long an approved request may be repeated. A denial holds as long, and at least as long as the request would
    have waited."""

    history: PositiveDuration = 31_536_000.0
    """How long decisions are kept without the words: what they say of a rail."""

    open: int = Field(default=100, ge=1, le=1_000)
    """The most requests of one key that may wait at a time; more are refused."""

    max_size: Size = 1_048_576
    """The largest request that a person is shown; a larger one is refused."""


class GovernanceConfig(Section):
    """What is kept, sealed with which key and for how long, how the audit log is signed, and what people decide."""

    audit: AuditConfig = Field(default_factory=AuditConfig)
    """The audit log."""

    sealing: SealingConfig = Field(default_factory=SealingConfig)
    """Encryption of content at rest."""

    retention: RetentionConfig = Field(default_factory=RetentionConfig)
    """How long what is kept."""

    reviews: ReviewsConfig = Field(default_factory=ReviewsConfig)
    """Requests that wait for a person."""


class PoliciesConfig(Section):
    """Usage policies in Cedar: who may send what data to which model for which purpose. Without files all is permitted;
    with them, what no policy permits is denied. A bare text stands for the one entry of ``files``."""

    files: tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...] = ()
    """Files, folders of ``.cedar`` files, and patterns such as ``policies/*.cedar``, relative to the folder of the
    configuration. An entry that matches nothing is an error."""

    purposes: tuple[Purpose, ...] | None = Field(default=None, min_length=1)
    """What callers may give as the purpose of a call, in the header ``x-mainstay-purpose``; absent, anything."""


class DisclosureConfig(Section):
    """How people are told that an AI system answers them. A bare text stands for ``text``."""

    text: str = Field(
        default="You are talking with an AI system. It can be wrong: check what matters.", min_length=1, max_length=2000
    )
    """What they are told, in the words and language of your users."""

    where: Literal["header", "first_message", "both"] = "both"
    """``header``: every answer has ``x-mainstay-disclosure: ai-generated``, for programs. ``first_message``: the text
    stands before the first answer of a conversation. Answers in a form, such as JSON, are never written into."""
