"""``routes.X.form`` in the configuration: what form answers have, and what is done when they do not have it."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from pydantic import AfterValidator, Field, model_validator

from mainstay.core.config import Name, Section
from mainstay.core.errors import InvalidRequest
from mainstay.shaping.schema import compile_schema

__all__ = [
    "EnumConfig",
    "ExampleConfig",
    "FormConfig",
    "JsonConfig",
    "ListConfig",
    "NumberConfig",
    "OutputConfig",
    "PinConfig",
    "PromptConfig",
    "RegexConfig",
    "TurnConfig",
    "VariableConfig",
    "VariantConfig",
    "XmlConfig",
]


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return value


def _schema(value: dict[str, Any]) -> dict[str, Any]:
    try:
        compile_schema(msgspec.json.encode(value), "schema")
    except InvalidRequest as error:
        raise ValueError(error.message) from None
    return value


class JsonConfig(Section):
    """A JSON value."""

    kind: Literal["json"] = "json"
    """Selects this form."""

    json_schema: Annotated[dict[str, Any], AfterValidator(_schema)] | None = None
    """The JSON Schema that the value fits; absent, any object will do."""


class EnumConfig(Section):
    """One of a few words."""

    kind: Literal["enum"] = "enum"
    """Selects this form."""

    values: tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...] = Field(min_length=2)
    """The words. Case matters only where two differ by nothing else."""


class RegexConfig(Section):
    """Text that a pattern matches."""

    kind: Literal["regex"] = "regex"
    """Selects this form."""

    pattern: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_pattern)]
    """Regular expression in Python's syntax; it must match from end to end."""


class NumberConfig(Section):
    """One number in digits."""

    kind: Literal["number"] = "number"
    """Selects this form."""

    minimum: Decimal | None = None
    """The least it may be."""

    maximum: Decimal | None = None
    """The most it may be."""

    whole: bool = False
    """Whether it has no fraction."""


class ListConfig(Section):
    """Items, one on a line."""

    kind: Literal["list"] = "list"
    """Selects this form."""

    least: int = Field(default=1, ge=0, le=10_000)
    """How many items there must be."""

    most: int | None = Field(default=None, ge=1, le=10_000)
    """How many there may be; absent, any number."""

    unique: bool = False
    """Whether an item may come only once."""


class XmlConfig(Section):
    """Tagged passages."""

    kind: Literal["xml"] = "xml"
    """Selects this form."""

    tags: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")], ...] = Field(min_length=1)
    """Names of the tags; each must come once, with text in it."""


OutputConfig = Annotated[
    JsonConfig | EnumConfig | RegexConfig | NumberConfig | ListConfig | XmlConfig, Field(discriminator="kind")
]


class ExampleConfig(Section):
    """One question with the answer it should get."""

    input: str = Field(min_length=1, max_length=100_000)
    """What a caller might say."""

    output: str = Field(min_length=1, max_length=100_000)
    """What the model should answer."""


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise ValueError("is no variable: it has letters, digits and _, and begins with a letter")
    return value


class VariableConfig(Section):
    """What may stand in one place of a template."""

    type: Literal["text", "integer", "number", "boolean"] = "text"
    """What a value is."""

    values: tuple[str | int | float | bool, ...] | None = Field(default=None, min_length=1)
    """The values there are; absent, any of the type."""

    default: str | int | float | bool | None = None
    """What stands there when no value is given; absent, one must be."""

    max_length: int = Field(default=100_000, ge=1, le=10_000_000)
    """Characters a text may have."""


class TurnConfig(Section):
    """One message of a template."""

    role: Literal["user", "assistant"]
    """Who says it."""

    content: str = Field(min_length=1, max_length=1_000_000)
    """What is said, with ``{{variable}}`` and ``{{> partial}}``."""


class VariantConfig(Section):
    """What a template is for one model instead."""

    system: str | None = Field(default=None, max_length=1_000_000)
    """What the system says; absent, what the template says."""

    messages: tuple[TurnConfig, ...] | None = None
    """The messages; absent, those of the template."""


class PromptConfig(Section):
    """One version of a prompt. A bare text stands for its ``system``."""

    system: str = Field(default="", max_length=1_000_000)
    """What the system says, before what the caller's own system message says: text with ``{{variable}}`` for a variable
    and ``{{> name@version}}`` for another prompt's system text. ``\\{{`` is a brace that stands for itself."""

    messages: tuple[TurnConfig, ...] = ()
    """Messages that come before the caller's."""

    variables: dict[Annotated[str, AfterValidator(_variable)], VariableConfig] = {}
    """What may stand in the places of the template, by name."""

    variants: dict[Name, VariantConfig] = {}
    """What the template is for some models, by the name of the model's row."""


class PinConfig(Section):
    """What every call of a route is asked with, whatever its caller says, so that it can be repeated."""

    temperature: float | None = Field(default=0.0, ge=0, le=2)
    """The temperature; null leaves it to the caller."""

    top_p: float | None = Field(default=None, gt=0, le=1)
    """The share of likely tokens to draw from; absent, the caller's."""

    seed: int | None = Field(default=None, ge=0, le=2**53)
    """The seed, for models that take one (`lacks: [seed]` says which do not); absent, the caller's."""


class FormConfig(Section):
    """What form a route's answers have, and what is done when they do not have it."""

    enforce: Literal["strict", "always", "never"] = "strict"
    """Which forms a caller asks for are held. ``strict``: JSON mode, schemas and tools that are ``strict``, and with
    it schemas that do not say, whose best attempt is handed on where nothing fits. ``always``: every schema and every
    tool's arguments. ``never``: none; answers pass as they come. A form that the route itself asks for, ``output``, is
    always held."""

    stream: Literal["check", "hold"] = "check"
    """What a stream does whose answer must have a form. ``check``: it is passed on as it comes, judged on the way, and
    ends in an error event as soon as it cannot fit. ``hold``: nothing is sent before the whole answer fits, so that
    another can be asked for. Models without a mode of their own for the form are always held."""

    reasks: int = Field(default=2, ge=0, le=8)
    """How often an answer that does not fit is asked for again, with what is wrong with it. Each is one of the route's
    ``attempts``."""

    reask_tokens: int = Field(default=100_000, ge=0, le=1_000_000_000)
    """No further answer is asked for once a call's answers have taken so many tokens, prompts included."""

    reask_cost: Decimal | None = Field(default=None, ge=0, le=1_000_000)
    """US dollars that a call may cost before no further answer is asked for, by the models' ``price``; a model without
    one counts as free."""

    output: OutputConfig | None = None
    """The form of every answer of the route whose caller asks for none."""

    examples: tuple[ExampleConfig, ...] = Field(default=(), max_length=100)
    """Questions and answers that the model is shown before the conversation."""

    @model_validator(mode="after")
    def _bounds(self) -> "FormConfig":
        output = self.output
        if (
            isinstance(output, NumberConfig)
            and output.minimum is not None
            and output.maximum is not None
            and output.minimum > output.maximum
        ):
            raise ValueError("'output.minimum' is above 'output.maximum'")
        if isinstance(output, ListConfig) and output.most is not None and output.least > output.most:
            raise ValueError("'output.least' is above 'output.most'")
        return self
