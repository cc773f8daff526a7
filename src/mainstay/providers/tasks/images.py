"""``/v1/images/…``: images made from words, and images changed by words."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest
from mainstay.core.target import Operation
from mainstay.core.usage import Usage
from mainstay.providers.openai.door import read_body
from mainstay.providers.openai.wire import read_fields
from mainstay.providers.port import StreamReader
from mainstay.providers.tasks.exchange import UNREADABLE, Exchange, broken, make_ask, read_body_usage, refuse_answer
from mainstay.providers.tasks.form import Form
from mainstay.providers.tasks.streams import TaskReader

__all__ = ["ImagesExchange", "read_image_edit", "read_image_edit_json", "read_images"]

_LAST = ("image_generation.completed", "image_edit.completed")
#: Words of a form are short; whatever else was sent is no reason to keep much of it.
_LONGEST = 40
_NOTHING = msgspec.Raw(b"")


class _Door(msgspec.Struct, gc=False):
    model: str
    prompt: str
    stream: bool | None = None


class _Image(msgspec.Struct, gc=False):
    url: str | None = None
    b64_json: str | None = None


class _Answer(msgspec.Struct, gc=False):
    data: list[_Image]
    usage: msgspec.Raw = _NOTHING
    quality: Any = None
    size: Any = None


_door = msgspec.json.Decoder(_Door)
_answer = msgspec.json.Decoder(_Answer)


def _text(value: msgspec.Raw | None) -> str:
    """Return a text that a caller gave, "" for anything else."""
    given = msgspec.json.decode(value) if value is not None else None
    return given if isinstance(given, str) else ""


def read_images(body: bytes) -> Ask:
    """Read the body of a request for images.

    Raises:
        InvalidRequest: it is not what the wire allows; ``param`` names the field.
    """
    return _read(body, Operation.IMAGE, read_images)


def read_image_edit_json(body: bytes) -> Ask:
    """Read a request to change images that names them in JSON. Raises as :func:`read_images`."""
    return _read(body, Operation.IMAGE_EDIT, read_image_edit_json)


def _read(body: bytes, operation: Operation, again: Callable[[bytes], Ask]) -> Ask:
    door = read_body(_door, body, "")
    return make_ask(body, operation, door.model, None, stream=door.stream is True, again=again)


def read_image_edit(form: Form) -> Ask:
    """Read a request to change images.

    Raises:
        InvalidRequest: the model, the prompt or the image is missing.
    """
    model = form.field("model")
    for name, given in (("model", model), ("prompt", form.field("prompt"))):
        if given is None:
            raise InvalidRequest(f"'{name}' is missing; it is required.", param=name)
    if not any(part.filename is not None for part in form.files("image")):
        raise InvalidRequest("'image' is missing; send at least one image as a file.", param="image")
    stream = (form.field("stream") or "").lower() == "true"
    return make_ask(form.raw, Operation.IMAGE_EDIT, model or "", form, stream=stream, kind=form.kind)


class ImagesExchange(Exchange):
    """One call for images."""

    def whole(self, body: bytes) -> Whole:
        """Read an answer.

        Raises:
            UpstreamBroken: there is no image in it.
            MainstayError: it is an error under a status of 200.
        """
        if self._ask.stream:
            refuse_answer(body, "no stream where one was asked for")
        try:
            answer = _answer.decode(body)
            body.decode()
        except UNREADABLE:
            refuse_answer(body, "images that cannot be read")
        if not answer.data or not all(image.url or image.b64_json for image in answer.data):
            raise broken("an answer without an image")
        usage = read_body_usage(answer.usage) or Usage()
        return self.answered(body, replace(usage, images=len(answer.data), image_form=self._form(answer)))

    def _form(self, answer: _Answer) -> str:
        """Return quality and size, on which prices of images depend: as answered, or as asked."""
        words = []
        for said, name in ((answer.quality, "quality"), (answer.size, "size")):
            found = self._ask.found
            if not isinstance(said, str):
                asked = found.field(name) if isinstance(found, Form) else _text(read_fields(self._ask.raw).get(name))
                said = asked or ""
            words.append(said[:_LONGEST].lower())
        return "/".join(words)

    def reader(self) -> StreamReader:
        """Return a reader of an image's events."""
        return TaskReader(_LAST) if self._ask.stream else super().reader()
