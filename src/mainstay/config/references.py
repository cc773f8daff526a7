"""What must hold between parts of the configuration: names that name something, keys that may stand where they stand.

Works on the document rather than on the validated model, so that a wrong field elsewhere never hides a wrong name
here. Pure; takes the document as written beside the expanded one, and repeats only what was written.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from mainstay.config.expand import is_reference
from mainstay.config.explain import value_at
from mainstay.config.problems import Finding, Place, choices, clip, nearest
from mainstay.core.config import is_loopback
from mainstay.identity.config import IdentityConfig
from mainstay.providers.config import AnthropicConfig, HttpProviderConfig, OpenAIConfig
from mainstay.runtime.config import ServerConfig

__all__ = ["cross_check", "cross_warn", "may_listen"]

_HTTP: dict[str, type[HttpProviderConfig]] = {"openai": OpenAIConfig, "anthropic": AnthropicConfig}
#: A header whose name has one of these in it carries a credential.
_CREDENTIAL = ("authorization", "cookie", "key", "token", "secret", "password", "credential")


def may_listen(host: str, required: bool) -> bool:
    """Whether the gateway may listen on ``host`` when keys are ``required`` or not."""
    return required or is_loopback(host)


def cross_check(document: dict[str, Any], raw: dict[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong between parts of ``document``; ``raw`` is the same before references were expanded."""
    yield from _listening(document)
    providers, models = _table(document, "providers"), _table(document, "models")
    for name, row in providers.items():
        yield from _credentials(("providers", name), row, value_at(raw, ("providers", name)))
        yield from _bundled(("providers", name, "model"), row, raw)
    for name, row in models.items():
        if isinstance(row, dict) and isinstance(row.get("provider"), str):
            yield from _known(row["provider"], ("models", name, "provider"), "provider", providers, raw)
    for name, row in _table(document, "routes").items():
        for place, model in _models_of(("routes", name), row):
            yield from _known(model, place, "model", models, raw)


def cross_warn(document: dict[str, Any]) -> Iterator[Finding]:
    """Yield what is allowed in ``document``, which was found right, and yet may surprise."""
    models, routes = _table(document, "models"), _table(document, "routes")
    if not models:
        yield Finding((), "there are no models; every call will be answered with 'model not found'")
    for name, row in routes.items():
        if name in models and {model for _, model in _models_of((), row)} != {name}:
            yield Finding(("routes", name), "hides the model of the same name: callers of it get this route")
    for name, row in _table(document, "providers").items():
        base = str(row.get("base_url") or "")
        if row.get("api_key") and base.startswith("http://") and not is_loopback(urlsplit(base).hostname or ""):
            yield Finding(("providers", name, "base_url"), "sends the key unencrypted; use https:// if the server can")


def _table(document: dict[str, Any], section: str) -> dict[str, Any]:
    table = document.get(section)
    return table if isinstance(table, dict) else {}


def _models_of(place: Place, route: Any) -> Iterator[tuple[Place, str]]:
    """Yield each model that a route names, with the place of the name."""
    if not isinstance(route, dict):
        return
    targets, fallback = route.get("targets"), route.get("fallback")
    for i, target in enumerate(targets if isinstance(targets, list) else ()):
        if isinstance(target, str):
            yield (*place, "targets", i), target
        elif isinstance(target, dict) and isinstance(target.get("model"), str):
            yield (*place, "targets", i, "model"), target["model"]
    for i, model in enumerate(fallback if isinstance(fallback, list) else ()):
        if isinstance(model, str):
            yield (*place, "fallback", i), model
    resort = route.get("last_resort")
    if isinstance(resort, dict) and isinstance(resort.get("model"), str):
        yield (*place, "last_resort", "model"), resort["model"]


def _known(name: str, place: Place, what: str, table: dict[str, Any], raw: dict[str, Any]) -> Iterator[Finding]:
    if name in table:
        return
    written = value_at(raw, place)
    shown = clip(written) if isinstance(written, str) else "?"
    hint = nearest(name, table)
    known = f"use {choices(table)}" if table else "add it there"
    yield Finding(place, f"'{shown}' is no {what} under '{what}s'" + ("" if hint else f"; {known}"), hint)


def _listening(document: dict[str, Any]) -> Iterator[Finding]:
    try:
        server = ServerConfig.model_validate(document.get("server") or {})
        identity = IdentityConfig.model_validate(document.get("identity") or {})
    except ValidationError:
        return
    if not may_listen(server.host, identity.required):
        yield Finding(
            ("identity", "required"),
            "false is accepted only while server.host is a loopback address; ask for keys, or listen on 127.0.0.1",
        )


def _credentials(place: Place, row: Any, raw: Any) -> Iterator[Finding]:
    """Yield keys that are written out, or missing where the vendor wants one."""
    kind = row.get("kind") if isinstance(row, dict) else None
    schema = _HTTP.get(kind) if isinstance(kind, str) else None
    if schema is None or not isinstance(raw, dict):
        return
    base = row.get("base_url", schema.vendor_url)
    base = base if isinstance(base, str) else ""
    if row.get("api_key") is None and base.rstrip("/") == schema.vendor_url:
        variable = f"{str(kind).upper()}_API_KEY"
        yield Finding((*place, "api_key"), f"is required; add `api_key: ${{{variable}}}` and set that variable")
    if _is_loopback_url(base):
        return
    written: list[Place] = [("api_key",)]
    headers = raw.get("headers")
    names = headers if isinstance(headers, dict) else {}
    written += [("headers", name) for name in names if any(word in name.lower() for word in _CREDENTIAL)]
    for field in written:
        value = value_at(raw, field)
        if isinstance(value, str) and value and not is_reference(value):
            yield Finding(
                (*place, *field),
                "holds a secret written out; write ${NAME} to read it from the environment, or file:PATH",
            )


def _bundled(place: Place, row: Any, raw: dict[str, Any]) -> Iterator[Finding]:
    model = row.get("model") if isinstance(row, dict) and row.get("kind") == "llamacpp" else None
    if not isinstance(model, str) or "/" in model or model.lower().endswith(".gguf"):
        return
    # Imported here: only a configuration with a local engine needs to know what is bundled.
    from mainstay.engines.files import BUNDLED

    if model not in BUNDLED:
        written = value_at(raw, place)
        shown = clip(written) if isinstance(written, str) else "?"
        message = f"'{shown}' is no bundled model; there is {choices(BUNDLED)}, or give a path to a .gguf file"
        yield Finding(place, message, nearest(model, BUNDLED))


def _is_loopback_url(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False
