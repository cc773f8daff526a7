"""The copy of a configuration that is drilled: the same routes, with every provider replaced by the scripted one.

Each fault gets its own copy of the route, its models and its providers, so that what a fault leaves behind (an open
breaker, a shut credential) is in no other's way. No key and no address of the original is read or kept. Works on the
document as written, so that what this file does not know comes through as it is.
"""

import re
import string
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from mainstay.config.document import read_yaml
from mainstay.config.expand import expand
from mainstay.config.load import check, sources
from mainstay.config.problems import choices, render
from mainstay.core.config import format_duration, parse_duration
from mainstay.core.errors import ConfigError
from mainstay.drill.upstream import Actor
from mainstay.drill.wire import Speech

__all__ = ["DEMO", "FAST", "cast", "choose_routes", "copied", "name_in_copy", "read_document", "to_yaml", "with_routes"]

#: What is drilled when a configuration has no route with anywhere to go.
DEMO: dict[str, Any] = {
    "providers": {"primary": {"kind": "openai"}, "spare": {"kind": "anthropic"}},
    "models": {"main-model": {"provider": "primary"}, "spare-model": {"provider": "spare"}},
    "routes": {
        "demo": {
            "targets": ["main-model"],
            "fallback": ["spare-model"],
            "timeouts": {"connect": "2s", "first_token": "8s", "idle": "10s", "total": "60s"},
        }
    },
}
#: The longest that each timer of a route may be under ``--fast``, in seconds.
FAST = {"connect": 0.5, "first_token": 1.0, "idle": 1.0, "total": 15.0}
#: Fields of a provider that the copy does not take over; what is wrong with them is for ``mainstay check`` to say.
_REPLACED = ("api_key", "base_url", "parameters", "headers", "proxy", "ca_file", "http2")
_REPLACED_PATH = re.compile(rf"providers\..+\.(?:{'|'.join(_REPLACED)})(?:[.\[].*)?")
_LETTERS = string.ascii_lowercase
_OF_A_KIND = frozenset({"openai", "anthropic"})


def read_document(path: Path, env: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration at ``path`` as written, references to the environment followed.

    Keys and addresses of providers may be missing: the drill needs none.

    Raises:
        ConfigError: something else is wrong with it.
    """
    problems = [problem for problem in check(path, env).problems if not _REPLACED_PATH.fullmatch(problem.path)]
    if problems:
        raise ConfigError(render(problems))
    document: dict[str, Any] = {}
    for file in sources(path):
        read = read_yaml(file.read_text("utf-8-sig")).value or {}
        for section, rows in read.items():
            document[section] = {**document.get(section, {}), **(rows or {})}
    expanded: dict[str, Any] = expand(document, env)[0]
    return expanded


def choose_routes(document: Mapping[str, Any], wanted: Sequence[str]) -> list[str]:
    """Return the routes to drill: those ``wanted``, or every one that has somewhere to go when its first model fails.

    Raises:
        ConfigError: a name is no route.
    """
    routes = document.get("routes") or {}
    for name in wanted:
        if name not in routes:
            known = f"use {choices(routes)}" if routes else "the configuration has none"
            raise ConfigError(f"'{name}' is no route; {known}.")
    return list(dict.fromkeys(wanted)) or [name for name, route in routes.items() if len(_models(route)) > 1]


def with_routes(document: Mapping[str, Any], *, fast: bool) -> dict[str, Any]:
    """Return ``document``, its routes' timers cut down when ``fast``."""
    routes = {name: _faster(route) if fast else route for name, route in (document.get("routes") or {}).items()}
    return {**document, "routes": routes}


def cast(document: Mapping[str, Any], route: str, label: str) -> tuple[Actor, ...]:
    """Return the targets of ``route``, its own and then its fallbacks, as they are played for the fault ``label``."""
    row = document["routes"][route]
    same = row.get("interrupted") == "resume"
    actors = []
    for index, model in enumerate(_cast(row)):
        about = document["models"][model]
        provider = about["provider"]
        kind = document["providers"][provider]["kind"]
        # An answer can be resumed elsewhere only where two models say the same.
        tag = _LETTERS[0] if same else _LETTERS[index // 26 - 1] * (index > 25) + _LETTERS[index % 26]
        speech = Speech(tag, about.get("name") or model, 100 + 10 * index)
        secret = f"sk-drill-{label}-{index}f4c2a9e7d1"
        actors.append(Actor(model, provider, "anthropic" if kind == "anthropic" else "openai", speech, secret))
    return tuple(actors)


def name_in_copy(name: str, label: str) -> str:
    """Return what ``name`` (of a route, model or provider) is called in the copy for the fault ``label``."""
    return f"{name}@{label}"


def copied(document: Mapping[str, Any], route: str, stages: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Return the configuration of the drilled gateway.

    ``stages`` maps the label of each fault to its ports: name of a provider to the port where it is played.
    """
    ours = ("server", "store", "identity", "telemetry", "providers", "models", "routes")
    server = {**(document.get("server") or {}), "host": "127.0.0.1", "port": 0, "workers": 1, "drain": "1s"}
    copy = {
        **{section: rows for section, rows in document.items() if section not in ours},
        "server": server,
        "identity": {"required": True},
        "telemetry": {"log": {"format": "json", "level": "warning"}},
        "providers": {},
        "models": {},
        "routes": {},
    }
    for label, ports in stages.items():
        actors = cast(document, route, label)
        models = {actor.model for actor in actors}
        for actor in actors:
            provider, model = name_in_copy(actor.provider, label), name_in_copy(actor.model, label)
            row = document["providers"][actor.provider]
            copy["providers"][provider] = _played(row, actor, ports[actor.provider])
            about = {**document["models"][actor.model], "provider": provider, "name": actor.speech.upstream}
            # A fault is played to the drill's own calls; a probe would take its turn in the script.
            about.pop("probe", None)
            copy["models"][model] = about
        copy["routes"][name_in_copy(route, label)] = _relabelled(document["routes"][route], models, label)
    return copy


def to_yaml(document: Mapping[str, Any]) -> str:
    """Return ``document`` as the text of a configuration that means the same."""
    return yaml.dump(_escaped(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Writes numbers as they were given, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    Decimal, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:float", format(value, "f"))
)


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_escaped(inner) for inner in value]
    return value.replace("${", "$${") if isinstance(value, str) else value


def _models(route: Mapping[str, Any]) -> list[str]:
    targets = [target if isinstance(target, str) else target["model"] for target in route.get("targets") or ()]
    return list(dict.fromkeys([*targets, *(route.get("fallback") or ())]))


def _cast(route: Mapping[str, Any]) -> list[str]:
    """Return the models that a route may ask, that of its last resort included."""
    resort = route.get("last_resort")
    last = resort.get("model") if isinstance(resort, dict) else None
    return list(dict.fromkeys([*_models(route), *([last] if last else [])]))


def _played(row: Mapping[str, Any], actor: Actor, port: int) -> dict[str, Any]:
    if row["kind"] in _OF_A_KIND:
        kept = {name: value for name, value in row.items() if name not in _REPLACED}
    else:
        # A local engine, or an echo: its part is played on OpenAI's wire.
        kept = {"lacks": row["lacks"]} if "lacks" in row else {}
    path = "/v1" if actor.kind == "openai" else ""
    return {**kept, "kind": actor.kind, "base_url": f"http://127.0.0.1:{port}{path}", "api_key": actor.secret}


def _relabelled(value: Any, models: set[str], label: str, *, names: bool = False) -> Any:
    """Return a route with its models' names as in the copy, wherever a field holds such names."""
    if isinstance(value, dict):
        return {
            key: _relabelled(inner, models, label, names=key in ("targets", "fallback", "model", "models"))
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_relabelled(inner, models, label, names=names) for inner in value]
    return name_in_copy(value, label) if names and isinstance(value, str) and value in models else value


def _faster(route: Mapping[str, Any]) -> dict[str, Any]:
    given = dict(route.get("timeouts") or {})
    short = FAST | ({"headers": FAST["first_token"]} if "headers" in given else {})
    for name, most in short.items():
        given[name] = format_duration(min(parse_duration(given[name]), most) if name in given else most)
    return {**route, "timeouts": given}
