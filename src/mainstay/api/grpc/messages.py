"""The protocol's messages, made from ``inference.proto`` when they are first needed.

No generated code: the file is small and plain, so it is read here, and what users compile for their own language is
what the gateway speaks. Reads only what that file uses of the language.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["SERVICE", "Messages", "load_messages"]

SERVICE: Final = "inference.GRPCInferenceService"
_FILE = Path(__file__).with_name("inference.proto")
_TOKEN = re.compile(r"//[^\n]*|\s+|(\"[^\"]*\"|[\w.]+|[{}<>,;=()])")
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {
    name: getattr(_Field, f"TYPE_{name.upper()}")
    for name in ("bool", "int32", "int64", "uint32", "uint64", "float", "double", "string", "bytes")
}


class Messages:
    """The protocol's message classes by name, and its methods as (name, request, response)."""

    def __init__(self, classes: dict[str, Any], methods: tuple[tuple[str, str, str], ...]) -> None:
        self._classes = classes
        self.methods = methods

    def __getattr__(self, name: str) -> Any:
        try:
            return self._classes[name]
        except KeyError:
            raise AttributeError(name) from None


@lru_cache(maxsize=1)
def load_messages() -> Messages:
    """Return the protocol's classes; made once, in a pool of their own."""
    file = descriptor_pb2.FileDescriptorProto(name="inference.proto", syntax="proto3")
    _read(_tokens(_FILE.read_text()), file)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    classes = {
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{message.name}"))
        for message in file.message_type
    }
    methods = tuple(
        (method.name, method.input_type.rpartition(".")[2], method.output_type.rpartition(".")[2])
        for method in file.service[0].method
    )
    return Messages(classes, methods)


def _tokens(text: str) -> Iterator[str]:
    return (found[1] for found in _TOKEN.finditer(text) if found[1] is not None)


def _read(tokens: Iterator[str], file: Any) -> None:
    for token in tokens:
        if token == "package":  # noqa: S105  # a word of the language
            file.package = next(tokens)
        elif token == "service":  # noqa: S105  # a word of the language
            _read_service(tokens, file.service.add(name=next(tokens)), file.package)
        elif token == "message":  # noqa: S105  # a word of the language
            _read_message(tokens, file.message_type.add(name=next(tokens)), f".{file.package}")


def _read_service(tokens: Iterator[str], service: Any, package: str) -> None:
    for token in tokens:
        if token == "}":  # noqa: S105  # a sign of the language
            return
        if token == "rpc":  # noqa: S105  # a word of the language
            method = service.method.add(name=next(tokens))
            for side in ("input_type", "output_type"):
                while (word := next(tokens)) in ("(", ")", "returns"):
                    continue
                if word == "stream":
                    setattr(method, "client_streaming" if side == "input_type" else "server_streaming", True)
                    word = next(tokens)
                setattr(method, side, f".{package}.{word}")


def _read_message(tokens: Iterator[str], message: Any, scope: str) -> None:
    """Read the inside of a message, its last brace included. A message is written before it is used."""
    inside = f"{scope}.{message.name}"
    choice = False
    for token in tokens:
        if token == "}":  # noqa: S105  # a sign of the language
            if not choice:
                return
            choice = False
        elif token == "message":  # noqa: S105  # a word of the language
            _read_message(tokens, message.nested_type.add(name=next(tokens)), inside)
        elif token == "oneof":  # noqa: S105  # a word of the language
            message.oneof_decl.add(name=next(tokens))
            choice = True
        elif token not in ("{", ";"):
            field = _read_field(tokens, token, message, inside)
            if choice:
                field.oneof_index = len(message.oneof_decl) - 1


def _read_field(tokens: Iterator[str], kind: str, message: Any, inside: str) -> Any:
    many = kind == "repeated"
    if many:
        kind = next(tokens)
    value = ""
    if kind == "map":
        key, value = (next(tokens), next(tokens))[1], (next(tokens), next(tokens))[1]
        assert (key, next(tokens)) == ("string", ">")
    name = next(tokens)
    field = message.field.add(name=name)
    next(tokens)
    field.number = int(next(tokens))
    field.label = _Field.LABEL_REPEATED if many or value else _Field.LABEL_OPTIONAL
    if value:
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING)
        held = entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL)
        _set_type(held, value, message, inside)
        field.type, field.type_name = _Field.TYPE_MESSAGE, f"{inside}.{entry.name}"
    else:
        _set_type(field, kind, message, inside)
    return field


def _set_type(field: Any, kind: str, message: Any, inside: str) -> None:
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
        return
    nested = any(inner.name == kind for inner in message.nested_type)
    package = inside.split(".")[1]
    field.type, field.type_name = _Field.TYPE_MESSAGE, f"{inside}.{kind}" if nested else f".{package}.{kind}"
