"""Prompts as versioned templates: found by name and version, filled with checked values, one text per model.

A template is text with places in it, nothing more: no logic, no evaluation, and what a value holds is never read as a
template again.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from mainstay.core.errors import InvalidRequest
from mainstay.core.prompt import Message, Prompt, TextPart
from mainstay.shaping.config import PromptConfig, VariableConfig

__all__ = ["Reference", "Rendered", "Templates", "find_flaws", "flaw_of", "places", "read_reference", "show"]

#: A brace that stands for itself, a partial, or a variable; anything else between braces is a mistake.
_PLACE: Final = re.compile(r"\\(\{\{)|\{\{>\s*([^{}\s]+)\s*\}\}|\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}|(\{\{)")
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
_NUMBERS: Final = re.compile(r"(\d+)")
_DEPTH: Final = 8


class Reference(msgspec.Struct, frozen=True):
    """A prompt that a request names, and the values for its places."""

    name: str
    variables: Mapping[str, Any] = {}


class Rendered(msgspec.Struct, frozen=True):
    """A template with its places filled; ``variants`` are the same for some models, by the name of their rows."""

    label: str
    system: tuple[Message, ...]
    turns: tuple[Message, ...]
    variants: Mapping[str, "Rendered"] = {}


def places(text: str) -> Iterator[tuple[str, str]]:
    """Return what stands in a template's places: (``variable`` or ``partial``, its name).

    Raises:
        ValueError: a pair of braces holds neither.
    """
    for match in _PLACE.finditer(text):
        if match[4]:
            raise ValueError("has '{{' that begins neither {{variable}} nor {{> prompt}}; write \\{{ for the braces")
        if match[2]:
            yield "partial", match[2]
        elif match[3]:
            yield "variable", match[3]


def read_reference(raw: bytes) -> Reference:
    """Return what a request's ``prompt`` field names: ``"name@version"``, or ``{id, version, variables}``.

    Raises:
        InvalidRequest: it is neither.
    """
    try:
        value = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        value = None
    if isinstance(value, str) and value:
        return Reference(value)
    if isinstance(value, dict) and isinstance(value.get("id"), str) and value["id"]:
        version, variables = value.get("version"), value.get("variables")
        if (version is None or isinstance(version, str | int)) and (variables is None or isinstance(variables, dict)):
            name = value["id"] if version is None else f"{value['id']}@{version}"
            return Reference(name, variables or {})
    raise InvalidRequest(
        "'prompt' is a name like \"support@3\", or an object with 'id' and, if need be, 'version' and 'variables'.",
        param="prompt",
    )


class Templates:
    """All prompts of a configuration.

    Args:
        prompts: by ``name@version``; a name without a version is a version of its own.
    """

    def __init__(self, prompts: Mapping[str, PromptConfig]) -> None:
        self._prompts = prompts
        self._newest: dict[str, str] = {}
        for name in sorted(prompts, key=_order):
            self._newest[name.partition("@")[0]] = name

    def find(self, name: str) -> str:
        """Return the full name of a prompt; without a version the newest is meant.

        Raises:
            InvalidRequest: there is none.
        """
        if name in self._prompts:
            return name
        if "@" not in name and name in self._newest:
            return self._newest[name]
        near = difflib.get_close_matches(name, [*self._prompts, *self._newest], 1)
        hint = f"; the nearest is '{near[0]}'" if near else ""
        raise InvalidRequest(f"There is no prompt '{name[:100]}'{hint}.", param="prompt")

    def render(self, reference: Reference) -> Rendered:
        """Return the template that ``reference`` names, filled.

        Raises:
            InvalidRequest: there is none, a value is missing, unknown or of the wrong type.
        """
        label = self.find(reference.name)
        config = self._prompts[label]
        values = _checked(self.variables(label), reference.variables)
        rendered = self._fill(label, config.system, config.messages, values)
        variants = {
            model: self._fill(
                label,
                config.system if variant.system is None else variant.system,
                config.messages if variant.messages is None else variant.messages,
                values,
            )
            for model, variant in config.variants.items()
        }
        return msgspec.structs.replace(rendered, variants=variants)

    def has(self, name: str) -> bool:
        """Return whether a name, with or without a version, names a prompt."""
        return name in self._prompts or ("@" not in name and name in self._newest)

    def variables(self, label: str) -> dict[str, VariableConfig]:
        """Return the variables of a prompt and of the prompts it takes in; its own go first."""
        found: dict[str, VariableConfig] = {}
        for other in reversed(self._parts(label)):
            found |= self._prompts[other].variables
        return found

    def loops(self, label: str) -> bool:
        """Return whether a prompt takes itself in."""
        return any(label in self._partials(other) for other in self._parts(label))

    def _parts(self, label: str) -> list[str]:
        """Return a prompt and all that it takes in, each once."""
        found = [label]
        for other in found:
            found += [name for name in self._partials(other) if name not in found]
        return found

    def _partials(self, label: str) -> list[str]:
        found = []
        for _, text in _texts(self._prompts[label]):
            with suppress(ValueError):
                found += [self.find(name) for kind, name in places(text) if kind == "partial" and self.has(name)]
        return found

    def _fill(self, label: str, system: str, turns: Sequence[Any], values: Mapping[str, str]) -> Rendered:
        said = (Message("system", (TextPart(self._text(system, values)),)),) if system else ()
        rest = tuple(Message(turn.role, (TextPart(self._text(turn.content, values)),)) for turn in turns)
        return Rendered(label, said, rest)

    def _text(self, text: str, values: Mapping[str, str], depth: int = 0) -> str:
        def fill(match: re.Match[str]) -> str:
            if match[2]:
                return (
                    self._text(self._prompts[self.find(match[2])].system, values, depth + 1) if depth < _DEPTH else ""
                )
            return values[match[3]] if match[3] else "{{"

        return _PLACE.sub(fill, text)


def _order(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return what sorts versions as people count: 2 before 10, no version before all."""
    version = name.partition("@")[2]
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in _NUMBERS.split(version) if part)


def _checked(variables: Mapping[str, VariableConfig], given: Mapping[str, Any]) -> dict[str, str]:
    for name in given:
        if name not in variables:
            near = difflib.get_close_matches(name, variables, 1)
            hint = f"; the nearest is '{near[0]}'" if near else ""
            raise InvalidRequest(
                f"The prompt has no variable '{name[:64]}'{hint}.", param=f"prompt.variables.{name[:64]}"
            )
    values: dict[str, str] = {}
    for name, variable in variables.items():
        value = given.get(name, variable.default)
        if value is None:
            raise InvalidRequest(
                f"The prompt needs a value for its variable '{name}'.", param=f"prompt.variables.{name}"
            )
        if problem := flaw_of(variable, value):
            raise InvalidRequest(f"The variable '{name}' {problem}.", param=f"prompt.variables.{name}")
        values[name] = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return values


def show(rendered: Rendered, prompt: Prompt) -> Prompt:
    """Return ``prompt`` with a template before what the caller says, its system text before the caller's."""
    begin = next(
        (place for place, message in enumerate(prompt.messages) if message.role not in ("system", "developer")),
        len(prompt.messages),
    )
    messages = (*rendered.system, *prompt.messages[:begin], *rendered.turns, *prompt.messages[begin:])
    return msgspec.structs.replace(prompt, messages=messages)


def find_flaws(prompts: Mapping[str, PromptConfig]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what is wrong with a configuration's prompts, as (path below ``prompts``, what is wrong)."""
    templates = Templates(prompts)
    for label, config in prompts.items():
        for name, variable in config.variables.items():
            if variable.default is not None and (problem := flaw_of(variable, variable.default)):
                yield (label, "variables", name, "default"), problem
        known = templates.variables(label)
        for path, text in _texts(config):
            try:
                found = list(places(text))
            except ValueError as error:
                yield (label, *path), str(error)
                continue
            for kind, name in found:
                if kind == "variable" and name not in known:
                    near = difflib.get_close_matches(name, known, 1)
                    yield (label, *path), f"has no variable '{name}'{f'; did you mean {near[0]!r}?' if near else ''}"
                elif kind == "partial" and not templates.has(name):
                    yield (label, *path), f"takes in a prompt '{name}' that there is not"
                elif kind == "partial" and templates.loops(label):
                    yield (label, *path), f"takes in '{name}', which takes it in again"


def _texts(config: PromptConfig) -> Iterator[tuple[tuple[str | int, ...], str]]:
    yield ("system",), config.system
    for place, turn in enumerate(config.messages):
        yield ("messages", place, "content"), turn.content
    for model, variant in config.variants.items():
        yield ("variants", model, "system"), variant.system or ""
        for place, turn in enumerate(variant.messages or ()):
            yield ("variants", model, "messages", place, "content"), turn.content


def flaw_of(variable: VariableConfig, value: object) -> str:
    """Return what is wrong with a value for a variable, "" if nothing."""
    if not isinstance(value, _TYPES[variable.type]) or (isinstance(value, bool) and variable.type != "boolean"):
        return f"is of type {variable.type}"
    if variable.values is not None and value not in variable.values:
        return f"is one of {', '.join(map(str, variable.values))}"
    if isinstance(value, str) and len(value) > variable.max_length:
        return f"has at most {variable.max_length} characters"
    return ""
