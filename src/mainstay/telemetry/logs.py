"""Structured logs on standard error: JSON for machines, coloured lines for people; secrets removed at the sink."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

__all__ = ["configure_logs", "redact"]

#: What looks like a credential, wherever it stands: keys by how they begin, bearer values and signed tokens, names and
#: passwords of a URL and its parameters, and what follows the name of a header that carries one.
_SECRET = re.compile(
    r"\b(?:ms|sk|pk|rk|gsk|xai|key)-[A-Za-z0-9_\-]{8,}"
    r"|\b(?:sk|gsk|hf|r8|nvapi|pplx|tgp|csk|ghp|glpat)[_-][A-Za-z0-9]{16,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{12,}|\bAIza[0-9A-Za-z_\-]{16,}|\beyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*)+"
    r"|(?i:bearer)\s+[A-Za-z0-9._~+/=\-]{8,}"
    r"|(?<=[?&])(?i:key|api_?key|\w*token|\w*secret|password|sig|\S{0,20}signature|\S{0,20}credential)=[^&\s\"'\\]+"
    r"|(?<=://)[^\s/@:\"']*:[^\s/@\"'\\]+(?=@)"
    r"|(?P<name>(?i:\b(?:(?:proxy-)?authorization|(?:set-)?cookie|(?:x-)?(?:goog-)?api-key)[\"']?[:=,]\s*b?[\"']?))"
    r"[^\r\n\"'\\]+"
)


def redact(text: str) -> str:
    """Return ``text`` with everything that looks like a credential replaced."""
    return _SECRET.sub(lambda found: f"{found['name'] or ''}[redacted]", text)


def _redact_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        event[key] = _cleaned(value)
    return event


def _cleaned(value: Any) -> Any:
    """Return a value of a line without credentials; what a renderer would write in its own way is written here."""
    if isinstance(value, str):
        return redact(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {redact(str(key)): _cleaned(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(one) for one in value]
    return redact(repr(value))


class _Pretty:
    """A line for people; ``problems``, a list of sentences, stand below it, one a line."""

    def __init__(self) -> None:
        self._render = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> str:
        problems = event.pop("problems", ())
        return "\n    ".join((self._render(logger, name, event), *problems))


class _Forward(logging.Handler):
    """Takes what the event loop and libraries log through the standard library: it leaves by the same way."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger(record.name)
        logger.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


def configure_logs(form: Literal["auto", "pretty", "json"], level: str, **context: object) -> None:
    """Set up logging for this process; ``context`` (the worker's slot, say) stands on every line.

    ``auto`` is ``pretty`` on a terminal and ``json`` elsewhere. Libraries are heard from ``warning`` up: what else they
    say is for ``debug``.
    """
    pretty = form == "pretty" or (form == "auto" and sys.stderr.isatty())
    renderer: Any = _Pretty() if pretty else structlog.processors.JSONRenderer()
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            # After the traceback is text, before it is written: the one way out.
            _redact_event,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**context)
    root = logging.getLogger()
    root.handlers = [_Forward()]
    root.setLevel(number if number == logging.DEBUG else max(number, logging.WARNING))
