"""References to the environment inside the strings of a document: ``${NAME}``, ``${NAME:-default}``, ``$${``.

Pure: the environment is a mapping that the caller hands over, and no value of it goes into a message.
"""

import re
from collections.abc import Mapping
from typing import Any

from mainstay.config.problems import Finding, Place, nearest

__all__ = ["expand", "is_reference"]

_REFERENCE = re.compile(r"(\$\$\{)|\$\{([^{}]*)\}|(\$\{)")
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def is_reference(value: object) -> bool:
    """Whether ``value``, as written in the file, takes something from the environment or a mounted secret."""
    if not isinstance(value, str):
        return False
    return value.startswith("file:") or any(match[1] is None for match in _REFERENCE.finditer(value))


def expand(value: Any, env: Mapping[str, str]) -> tuple[Any, list[Finding]]:
    """Return ``value`` with every string expanded, keys left alone, and what could not be.

    As in a shell, a default stands in for a variable that is unset or empty. Where a reference cannot be followed the
    whole string becomes empty.
    """
    findings: list[Finding] = []
    return _walk(value, (), env, findings), findings


def _walk(value: Any, place: Place, env: Mapping[str, str], findings: list[Finding]) -> Any:
    if isinstance(value, dict):
        return {key: _walk(inner, (*place, key), env, findings) for key, inner in value.items()}
    if isinstance(value, list):
        return [_walk(inner, (*place, i), env, findings) for i, inner in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    wrong: list[Finding] = []
    text = _REFERENCE.sub(lambda match: _replace(match, place, env, wrong), value)
    findings += wrong
    return "" if wrong else text


def _replace(match: re.Match[str], place: Place, env: Mapping[str, str], wrong: list[Finding]) -> str:
    if match[1]:
        return "${"
    inside = _INSIDE.fullmatch(match[2]) if match[2] is not None else None
    if inside is None:
        wrong.append(
            Finding(place, "holds '${' without a name and '}'; write ${NAME}, ${NAME:-default}, or $${ for itself")
        )
        return ""
    name, default = inside[1], inside[2]
    found = env.get(name)
    if default is not None:
        return found or default
    if found is None:
        message = f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
        wrong.append(Finding(place, message, nearest(name, env)))
        return ""
    return found
