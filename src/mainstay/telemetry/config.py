"""``telemetry:`` in the configuration: what is logged, and how."""

from typing import Literal

from pydantic import Field

from mainstay.core.config import Section

__all__ = ["LogConfig", "TelemetryConfig"]


class LogConfig(Section):
    """The log on standard error. It holds no prompt, no answer and no secret, at any level."""

    format: Literal["auto", "pretty", "json"] = "auto"
    """``pretty`` for people, ``json`` for machines; ``auto`` is pretty on a terminal and JSON elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important line that is still written."""

    access: bool = False
    """Whether each call gets a line; its record is kept either way."""


class TelemetryConfig(Section):
    """What Mainstay says about itself."""

    log: LogConfig = Field(default_factory=LogConfig)
    """The log."""
