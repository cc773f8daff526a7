"""``cache:`` in the configuration: where answers are kept, and which routes give them again."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from mainstay.caching.semantic_config import SemanticConfig
from mainstay.core.config import OrText, PositiveDuration, Secret, Section, Size

__all__ = ["CacheConfig", "RouteCacheConfig", "RouteCacheSection"]

_MIB = 1024 * 1024
_SCHEMES = ("redis://", "rediss://", "valkey://", "valkeys://", "unix://")


class CacheConfig(Section):
    """Where kept answers lie. Nothing is kept but for routes with a ``cache`` of their own."""

    memory: Size = 64 * _MIB
    """What each worker keeps in memory at most; 0: nothing."""

    disk: Size = 1024 * _MIB
    """What the workers of this machine keep together in ``var/cache.db`` at most; 0: nothing."""

    url: Secret | None = None
    """A Valkey or Redis server that all gateways share, in place of memory and disk: ``redis://HOST:PORT/DB``, by
    reference where it holds a password. It is in the extra ``redis``."""

    wait: PositiveDuration = 0.02
    """How long a call waits for disk or server to say what is kept, before a model is asked all the same."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(_SCHEMES):
            raise ValueError("must begin with redis://, rediss://, valkey://, valkeys:// or unix://")
        return url


class RouteCacheConfig(Section):
    """What of a route's answers is kept, for whom, and for how long. A bare duration is a ``lifetime``."""

    answers: bool = True
    """Whether answers are kept and given again to equal requests; false for ``prefix`` alone."""

    lifetime: PositiveDuration = 3600.0
    """How long an answer may be given again."""

    scope: Literal["key", "team", "organisation", "all"] = "team"
    """Who may get an answer that another's call was given: callers of the same key, of the same team, of the same
    organisation, or everyone. A key without a team shares with nobody under ``team``, as stored responses do; use
    ``all`` only where no request holds what another tenant must not learn."""

    max_temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    """Calls above this temperature are asked anew each time; a call that gives none counts as 1. Absent: any."""

    across_users: bool = False
    """Whether callers' end users (``user``, ``metadata.user_id``) share answers; otherwise each has its own."""

    semantic: SemanticConfig | None = None
    """Give an answer also to a request that asks the same in other words; absent, equal requests only."""

    prefix: bool = False
    """Keep the provider's own prompt cache warm: tools in one order, and marks for Anthropic's models at the end of
    the part that stays the same, where the caller set none."""


def _from_duration(value: Any) -> Any:
    return {"lifetime": value} if isinstance(value, str) else value


#: ``routes.X.cache``.
RouteCacheSection = Annotated[RouteCacheConfig, BeforeValidator(_from_duration), OrText()]
