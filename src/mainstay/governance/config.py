"""``governance:`` in the configuration: the audit log, sealing of content, and how long what is kept."""

from typing import Literal

from pydantic import Field

from mainstay.core.config import LocalPath, PositiveDuration, Secret, Section

__all__ = ["AuditConfig", "GovernanceConfig", "RetentionConfig", "RouteRetentionConfig", "SealingConfig"]


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


class GovernanceConfig(Section):
    """What is kept, sealed with which key and for how long, and how the audit log is signed."""

    audit: AuditConfig = Field(default_factory=AuditConfig)
    """The audit log."""

    sealing: SealingConfig = Field(default_factory=SealingConfig)
    """Encryption of content at rest."""

    retention: RetentionConfig = Field(default_factory=RetentionConfig)
    """How long what is kept."""
