"""``kind: guards``: answers ``/v1/moderations`` on this machine, with what assembly hands over to judge.

Takes what the wire takes: a text, a list of texts, or the parts of one message, images among them. An image must be in
the request itself: nothing is fetched. Knows the wire's forms, and nothing of what judges.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Call
from mainstay.core.clock import monotonic, since_ms
from mainstay.core.errors import InvalidRequest, Unreadable, Unsupported
from mainstay.core.ports import Assessor, Material
from mainstay.core.record import Attempt
from mainstay.core.target import Target
from mainstay.providers.config import Category, GuardsConfig
from mainstay.providers.tasks.exchange import estimated

__all__ = ["GuardsTasks", "read_inputs"]

#: Characters and images of one request: about eight seconds of one core each.
_CHARACTERS: Final = 400_000
_IMAGES: Final = 16
#: Bytes of one image.
_IMAGE: Final = 20 * 1024 * 1024
_ADDRESS: Final = "gives an address, and nothing is fetched here; send the image itself, as data:image/png;base64,…"


class _Link(msgspec.Struct, gc=False):
    url: str


class _Part(msgspec.Struct, gc=False):
    type: str
    text: str | None = None
    image_url: _Link | None = None


class _Body(msgspec.Struct, gc=False):
    input: str | list[Any]


_body = msgspec.json.Decoder(_Body)


def read_inputs(raw: bytes) -> list[Material]:
    """Return what a request wants verdicts of, one each.

    Raises:
        InvalidRequest, Unsupported: it is not what the wire allows, or too much; ``param`` names the field.
    """
    given = _body.decode(raw).input
    if isinstance(given, str):
        found = [Material((given,))]
    elif all(isinstance(one, str) for one in given):
        found = [Material((text,)) for text in given]
    else:
        found = [_message(given)]
    if sum(len(text) for one in found for text in one.texts) > _CHARACTERS:
        raise InvalidRequest(f"'input' has more than {_CHARACTERS} characters; send fewer at a time.", param="input")
    if sum(len(one.images) for one in found) > _IMAGES:
        raise InvalidRequest(f"'input' has more than {_IMAGES} images; send fewer at a time.", param="input")
    return found


def _message(given: list[Any]) -> Material:
    """Return what the parts of one message hold."""
    texts, images = [], []
    for place, one in enumerate(given):
        try:
            part = msgspec.convert(one, _Part)
        except msgspec.ValidationError:
            part = _Part("")
        if part.type == "text" and part.text is not None:
            texts.append(part.text)
        elif part.type == "image_url" and part.image_url is not None:
            images.append(_image(part.image_url.url, f"input[{place}].image_url.url"))
        else:
            param = f"input[{place}]"
            raise InvalidRequest(f"'{param}' must be a part of type text, or image_url with its url.", param=param)
    return Material(tuple(texts), tuple(images))


def _image(url: str, param: str) -> bytes:
    head, comma, data = url.partition(",")
    if not url.startswith("data:"):
        raise Unsupported(f"'{param}' {_ADDRESS}.", param=param)
    if not comma or not head.endswith(";base64") or len(data) > _IMAGE * 4 // 3 + 4:
        raise InvalidRequest(f"'{param}' is no image in base64 of up to 20 MiB; send a smaller one.", param=param)
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"'{param}' is no base64; send data:image/png;base64,…", param=param) from None


def _plain(thresholds: Mapping[Category, float | None]) -> dict[str, float | None]:
    return {str(name): limit for name, limit in thresholds.items()}


class GuardsTasks:
    """See :class:`~mainstay.providers.port.Provider`.

    Args:
        config: the provider's row.
        assessor: what judges.
    """

    def __init__(self, config: GuardsConfig, assessor: Assessor) -> None:
        self._usual = _plain(config.thresholds)
        self._teams = {team: self._usual | _plain(own) for team, own in config.teams.items()}
        self._assessor = assessor

    async def answer(self, call: Call, target: Target, attempt: Attempt) -> Answer:
        """Answer one call."""
        started = monotonic()
        results = await self._assess(call)
        model = attempt.upstream_model = target.upstream or target.model
        body = msgspec.json.encode({"id": f"modr-{call.record.id}", "model": model, "results": results})
        attempt.first_ms = attempt.total_ms = since_ms(started)
        attempt.outcome = "ok"
        usage = estimated(len(call.ask.raw))
        return Answer(target, whole=Whole(body, call.ask.dialect, f"modr-{call.record.id}", model, (), usage))

    async def _assess(self, call: Call) -> list[Mapping[str, Any]]:
        inputs = read_inputs(call.ask.raw)
        limits = self._teams.get(call.caller.team, self._usual)
        try:
            return list(await self._assessor.assess(inputs, limits, call.deadline - monotonic()))
        except Unreadable as error:
            raise Unreadable(f"An image of 'input' {error.message}.", param="input") from None

    async def aclose(self) -> None:
        """Nothing to let go of: who handed over what judges closes it."""
