"""From a route's configuration to its step on the line."""

import msgspec

from mainstay.core.prompt import OutputForm
from mainstay.shaping.config import (
    EnumConfig,
    FormConfig,
    JsonConfig,
    ListConfig,
    NumberConfig,
    OutputConfig,
    PinConfig,
    RegexConfig,
)
from mainstay.shaping.enum import Enum
from mainstay.shaping.json import Json
from mainstay.shaping.list import List
from mainstay.shaping.number import Number
from mainstay.shaping.port import Form
from mainstay.shaping.regex import Regex
from mainstay.shaping.schema import compile_schema
from mainstay.shaping.stage import Limits, Shape
from mainstay.shaping.templates import Templates
from mainstay.shaping.xml import Xml

__all__ = ["compile_form", "compile_shape"]


def compile_shape(
    config: FormConfig,
    attempts: int,
    templates: Templates | None = None,
    prompt: str = "",
    pin: PinConfig | None = None,
) -> Shape:
    """Return the step for a route that makes at most ``attempts`` upstream calls for one call.

    ``templates`` are the prompts that calls may name, ``prompt`` the one that all calls of the route
    have, ``pin`` what they are asked with.

    Raises:
        InvalidRequest: the route's own schema is none.
    """
    output = config.output
    native = None
    if isinstance(output, JsonConfig):
        raw = msgspec.Raw(msgspec.json.encode(output.json_schema)) if output.json_schema is not None else None
        native = OutputForm("json") if raw is None else OutputForm("schema", raw, "answer", strict=True)
    return Shape(
        config.enforce,
        hold=config.stream == "hold",
        limits=Limits(config.reasks, attempts, config.reask_tokens, config.reask_cost),
        output=compile_form(output) if output is not None else None,
        native=native,
        examples=[(example.input, example.output) for example in config.examples],
        templates=templates,
        prompt=prompt,
        pin=pin,
    )


def compile_form(output: OutputConfig) -> Form:
    """Return the form that a route asks for.

    Raises:
        InvalidRequest: its schema is none.
    """
    if isinstance(output, JsonConfig):
        if output.json_schema is None:
            return Json(None)
        raw = msgspec.json.encode(output.json_schema)
        return Json(compile_schema(raw, "output.json_schema"), raw.decode())
    if isinstance(output, EnumConfig):
        return Enum(output.values)
    if isinstance(output, RegexConfig):
        return Regex(output.pattern)
    if isinstance(output, NumberConfig):
        return Number(output.minimum, output.maximum, whole=output.whole)
    if isinstance(output, ListConfig):
        return List(output.least, output.most, unique=output.unique)
    return Xml(output.tags)
