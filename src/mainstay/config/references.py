"""What must hold between parts of the configuration: names that name something, keys that may stand where they stand.

Works on the document rather than on the validated model, so that a wrong field elsewhere never hides a wrong name
here. Pure; takes the document as written beside the expanded one, and repeats only what was written.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from mainstay.config.expand import is_reference
from mainstay.config.explain import value_at
from mainstay.config.problems import Finding, Place, choices, clip, nearest
from mainstay.config.schema import KINDS
from mainstay.core.config import is_loopback
from mainstay.encoders import minilm
from mainstay.guardrails.config import needs_guards
from mainstay.guardrails.language import MISSING, is_installed
from mainstay.guardrails.models import MISSING as MISSING_GUARDS
from mainstay.identity.config import IdentityConfig
from mainstay.providers.config import AnthropicConfig, OpenAIConfig
from mainstay.providers.vendors import VendorRow, address, find_row, missing_parameters, packaged_names, speaks
from mainstay.reading import ocr, pdf
from mainstay.reading.port import MISSING as MISSING_READERS
from mainstay.runtime.config import ServerConfig
from mainstay.shaping.config import PromptConfig
from mainstay.shaping.templates import find_flaws

__all__ = ["cross_check", "cross_warn", "may_listen"]

#: The vendor's own address of each kind that has one, and the variable that usually holds its key.
_HTTP = {
    "openai": (OpenAIConfig.vendor_url, "OPENAI_API_KEY"),
    "anthropic": (AnthropicConfig.vendor_url, "ANTHROPIC_API_KEY"),
}
#: A header or variable whose name has one of these in it carries a credential.
_CREDENTIAL = ("authorization", "cookie", "key", "token", "secret", "password", "credential")
_WRITTEN_OUT = "holds a secret written out; write ${NAME} to read it from the environment, or file:PATH"


def may_listen(host: str, required: bool) -> bool:
    """Whether the gateway may listen on ``host`` when keys are ``required`` or not."""
    return required or is_loopback(host)


def cross_check(document: dict[str, Any], raw: dict[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong between parts of ``document``; ``raw`` is the same before references were expanded."""
    yield from _listening(document)
    yield from _grpc(document)
    yield from _sso(document, raw)
    providers, models = _table(document, "providers"), _table(document, "models")
    own, named = _own_vendors(document), _table(document, "vendors")
    for name in named:
        if name in KINDS:
            yield Finding(("vendors", name), "is the name of a kind of its own; choose another")
    for name, row in providers.items():
        vendor = None
        kind = row.get("kind") if isinstance(row, dict) else None
        if isinstance(kind, str) and kind not in KINDS:
            yield from _kind(("providers", name, "kind"), kind, named, raw)
            vendor = find_row(kind, own)
        if vendor is not None:
            yield from _vendor(("providers", name), row, vendor, raw)
        yield from _credentials(("providers", name), row, value_at(raw, ("providers", name)), vendor)
        yield from _bundled(("providers", name, "model"), row, raw)
        if kind == "guards" and not minilm.is_installed():
            yield Finding(("providers", name), MISSING_GUARDS)
    for name, row in models.items():
        if isinstance(row, dict) and isinstance(row.get("provider"), str):
            yield from _known(row["provider"], ("models", name, "provider"), "provider", providers, raw)
    for name, row in _table(document, "knowledge").items():
        embedder = row.get("embedder") if isinstance(row, dict) else None
        if isinstance(embedder, dict) and isinstance(embedder.get("model"), str):
            yield from _known(embedder["model"], ("knowledge", name, "embedder", "model"), "model", models, raw)
        search = row.get("search") if isinstance(row, dict) else None
        rerank = search.get("rerank") if isinstance(search, dict) else None
        if isinstance(rerank, dict) and isinstance(rerank.get("model"), str):
            yield from _known(rerank["model"], ("knowledge", name, "search", "rerank", "model"), "model", models, raw)
    for name, row in _table(document, "routes").items():
        for place, model in _models_of(("routes", name), row):
            yield from _known(model, place, "model", models, raw)
        yield from _modalities(("routes", name, "modalities"), row, models, raw)
        yield from _rails(("routes", name, "rails"), row, models, raw)
        yield from _sends(("routes", name, "sends"), row, document)
    yield from _prompts(document, models, raw)
    yield from _tools(document, raw)
    live = (("energy", "live", field) for field in ("token", "user", "password"))
    for place in (*live, ("cost", "alerts", "secret")):
        value = value_at(raw, place)
        if isinstance(value, str) and value and not is_reference(value):
            yield Finding(place, _WRITTEN_OUT)


def _tools(document: dict[str, Any], raw: dict[str, Any]) -> Iterator[Finding]:
    """Yield servers of tools that are not there, and secrets of theirs that are written out."""
    section = _table(document, "mcp").get("servers")
    servers = section if isinstance(section, dict) else {}
    for name, row in servers.items():
        url = row.get("url") if isinstance(row, dict) else None
        written = value_at(raw, ("mcp", "servers", name))
        if isinstance(url, str) and not _is_loopback_url(url):
            yield from _written_out(("mcp", "servers", name), written, ())
        environment = written.get("environment") if isinstance(written, dict) else None
        for variable, value in environment.items() if isinstance(environment, dict) else ():
            if isinstance(value, str) and not is_reference(value) and _names_a_credential(str(variable)):
                yield Finding(("mcp", "servers", name, "environment", str(variable)), _WRITTEN_OUT)
    for name, route in _table(document, "routes").items():
        wanted = route.get("tools") if isinstance(route, dict) else None
        granted = wanted.get("mcp") if isinstance(wanted, dict) else None
        for number, entry in enumerate(granted if isinstance(granted, list) else ()):
            if isinstance(entry, str):
                place = ("routes", name, "tools", "mcp", number)
                yield from _known(entry.partition("/")[0], place, "server", servers, raw)


def _prompts(document: dict[str, Any], models: dict[str, Any], raw: dict[str, Any]) -> Iterator[Finding]:
    prompts: dict[str, PromptConfig] = {}
    for name, row in _table(document, "prompts").items():
        with suppress(ValidationError):
            prompts[name] = PromptConfig.model_validate({"system": row} if isinstance(row, str) else row)
    for path, problem in find_flaws(prompts):
        yield Finding(("prompts", *path), problem)
    for name, prompt in prompts.items():
        for model in prompt.variants:
            yield from _known(model, ("prompts", name, "variants", model), "model", models, raw)
    known = dict.fromkeys((*prompts, *(name.partition("@")[0] for name in prompts)))
    for name, row in _table(document, "routes").items():
        if isinstance(row, dict) and isinstance(row.get("prompt"), str):
            yield from _known(row["prompt"], ("routes", name, "prompt"), "prompt", known, raw)
        if isinstance(row, dict) and row.get("language") is not None and not is_installed():
            yield Finding(("routes", name, "language"), MISSING)
        for field, what, table in (("targets", "model", models), ("prompts", "prompt", known)):
            for code, wished in _wishes(row, field).items():
                if isinstance(wished, str):
                    yield from _known(wished, ("routes", name, "language", field, code), what, table, raw)


def _modalities(place: Place, route: Any, models: dict[str, Any], raw: dict[str, Any]) -> Iterator[Finding]:
    wanted = route.get("modalities") if isinstance(route, dict) else None
    if not isinstance(wanted, dict):
        return
    if isinstance(wanted.get("audio"), str):
        yield from _known(wanted["audio"], (*place, "audio"), "model", models, raw)
    for field, installed in (("images", ocr.is_installed), ("documents", pdf.is_installed)):
        if wanted.get(field, True) is True and not installed():
            yield Finding((*place, field), f"{MISSING_READERS}; or set it to false")


def _rails(place: Place, route: Any, models: dict[str, Any], raw: dict[str, Any]) -> Iterator[Finding]:
    """Yield models of rails that are not there, and rails whose judges are not installed."""
    for name, row in (_table(route, "rails") if isinstance(route, dict) else {}).items():
        if not isinstance(row, dict):
            continue
        do = row.get("do")
        if isinstance(do, dict) and isinstance(do.get("route"), str):
            yield from _known(do["route"], (*place, name, "do", "route"), "model", models, raw)
        if needs_guards(str(row.get("what")), str(row.get("method"))) and not minilm.is_installed():
            yield Finding((*place, name, "what"), MISSING_GUARDS)
        if row.get("images") is True and not ocr.is_installed():
            yield Finding((*place, name, "images"), MISSING_READERS)


def _sends(place: Place, route: Any, document: dict[str, Any]) -> Iterator[Finding]:
    """Yield tools that are named after a server of tools which is not there, but for a slip."""
    section = _table(document, "mcp").get("servers")
    servers = section if isinstance(section, dict) else {}
    wanted = route.get("sends") if isinstance(route, dict) and isinstance(route.get("tools"), dict) else None
    if not isinstance(wanted, dict):
        return
    rules = wanted.get("rules")
    named: list[tuple[Place, Any]] = [((*place, "tools", name), name) for name in _table(wanted, "tools")]
    for number, rule in enumerate(rules if isinstance(rules, list) else ()):
        named.append(((*place, "rules", number, "tool"), rule.get("tool") if isinstance(rule, dict) else None))
    for at, name in named:
        server, apart, _ = name.partition("__") if isinstance(name, str) else ("", "", "")
        hint = nearest(server, servers) if apart and re.fullmatch(r"[\w-]+", server) and server not in servers else ""
        if hint:
            yield Finding(at, f"is a tool of no server under 'mcp.servers': there is no '{clip(server)}'", hint)


def _wishes(route: Any, field: str) -> dict[str, Any]:
    """Return what a route chooses by language: ``targets`` or ``prompts``."""
    language = route.get("language") if isinstance(route, dict) else None
    return _table(language, field) if isinstance(language, dict) else {}


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


def _grpc(document: dict[str, Any]) -> Iterator[Finding]:
    port = _table(document, "grpc").get("port")
    if port is None:
        return
    if find_spec("grpc") is None or find_spec("google") is None or find_spec("google.protobuf") is None:
        yield Finding(("grpc",), "needs a package that is not installed; run: pip install 'mainstay[grpc]'")
    if port == _table(document, "server").get("port", 8080):
        yield Finding(("grpc", "port"), "is the port of HTTP too; choose another")


def _sso(document: dict[str, Any], raw: dict[str, Any]) -> Iterator[Finding]:
    """Yield what single sign-on lacks, and a secret of it that is written out."""
    section = _table(document, "identity").get("oidc")
    if not isinstance(section, dict):
        return
    place = ("identity", "oidc")
    if find_spec("joserfc") is None:
        yield Finding(place, "needs a package that is not installed; run: pip install 'mainstay[sso]'")
    written = value_at(raw, (*place, "client_secret"))
    if isinstance(written, str) and written and not is_reference(written):
        yield Finding((*place, "client_secret"), _WRITTEN_OUT)


def _own_vendors(document: dict[str, Any]) -> dict[str, VendorRow]:
    """Return the rows under ``vendors`` that are right."""
    rows = {}
    for name, row in _table(document, "vendors").items():
        with suppress(ValidationError):
            rows[name] = VendorRow.model_validate(row)
    return rows


def _kind(place: Place, kind: str, own: dict[str, Any], raw: dict[str, Any]) -> Iterator[Finding]:
    known = [*KINDS, *own, *packaged_names()]
    if kind not in known:
        written = value_at(raw, place)
        shown = clip(written) if isinstance(written, str) else "?"
        hint = nearest(kind, known)
        which = f"; it is {', '.join(map(repr, KINDS))}, or a vendor's name, such as 'groq', or one under 'vendors'"
        yield Finding(place, f"'{shown}' is no kind of provider and no vendor" + ("" if hint else which), hint)


def _vendor(place: Place, row: dict[str, Any], vendor: VendorRow, raw: dict[str, Any]) -> Iterator[Finding]:
    """Yield what a provider says wrongly to the row of its vendor."""
    if not speaks(vendor.wire):
        yield Finding((*place, "kind"), f"speaks the wire '{vendor.wire}', which this version does not")
    given = row.get("parameters") or {}
    if not isinstance(given, dict):
        return
    for name in given:
        if name not in vendor.parameters:
            hint = nearest(str(name), vendor.parameters)
            known = f"; use {choices(vendor.parameters)}" if vendor.parameters else "; it has none"
            message = "is no parameter of this vendor" + ("" if hint else known)
            yield Finding((*place, "parameters", name), message, hint)
    base = row.get("base_url") if isinstance(row.get("base_url"), str) else None
    for name in missing_parameters(vendor, _texts(given), base):
        yield Finding((*place, "parameters"), f"has no '{name}', which is part of the address; add it")


def _variable(kind: str) -> str:
    """Return what the variable with the key of a vendor without a usual one may be called."""
    return re.sub(r"\W", "_", kind.upper(), flags=re.ASCII).lstrip("_0123456789") + "_API_KEY"


def _texts(given: dict[Any, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in given.items()}


def _credentials(place: Place, row: Any, raw: Any, vendor: VendorRow | None) -> Iterator[Finding]:
    """Yield keys that are written out, or missing where the vendor wants one."""
    kind = row.get("kind") if isinstance(row, dict) else None
    if (
        not isinstance(raw, dict)
        or not isinstance(kind, str)
        or (kind not in _HTTP and kind != "bedrock" and vendor is None)
    ):
        return
    theirs, variable, wanted = "", "", False
    if vendor is not None:
        given = row.get("parameters")
        theirs = address(vendor, _texts(given) if isinstance(given, dict) else {})[0]
        variable, wanted = vendor.environment or _variable(kind), vendor.key == "required" and vendor.auth != "none"
    elif kind in _HTTP:
        theirs, variable = _HTTP[kind]
        wanted = True
    base = row.get("base_url") or theirs
    base = base if isinstance(base, str) else ""
    if row.get("api_key") is None and base.rstrip("/") == theirs and wanted:
        yield Finding((*place, "api_key"), f"is required; add `api_key: ${{{variable}}}` and set that variable")
    if _is_loopback_url(base):
        return
    yield from _written_out(place, raw, ("api_key", "secret_access_key", "session_token"))


def _written_out(place: Place, raw: Any, names: tuple[str, ...]) -> Iterator[Finding]:
    """Yield the fields ``names``, and headers that carry a credential, whose values are no references."""
    written: list[Place] = [(name,) for name in names]
    headers = raw.get("headers") if isinstance(raw, dict) else None
    given = headers if isinstance(headers, dict) else {}
    written += [("headers", name) for name in given if _names_a_credential(name)]
    for field in written:
        value = value_at(raw, field)
        if isinstance(value, str) and value and not is_reference(value):
            yield Finding((*place, *field), _WRITTEN_OUT)


def _names_a_credential(name: str) -> bool:
    return any(word in name.lower() for word in _CREDENTIAL)


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
