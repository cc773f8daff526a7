"""Rails that look at the words in images."""

import base64
from typing import Any

import pytest

from mainstay.core.errors import ContentBlocked, Unavailable
from mainstay.core.prompt import ImagePart, TextPart
from mainstay.guardrails.pictures import Pictures
from support.rails import under

KEYS = {"what": "words", "words": ["falcon"], "where": "input"}


async def _words(image: bytes, seconds: float) -> str:
    if image == b"broken":
        raise Unavailable("no picture")
    return image.decode()


def _asked(*images: bytes | str) -> dict[str, Any]:
    urls = [
        one if isinstance(one, str) else "data:image/png;base64," + base64.b64encode(one).decode() for one in images
    ]
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"model": "r", "messages": [{"role": "user", "content": [{"type": "text", "text": "See here."}, *shown]}]}


def test_what_would_be_masked_in_an_image_takes_the_image_out_and_no_other() -> None:
    rails = {"names": {**KEYS, "do": "mask", "images": True}}
    passed = under(rails, _asked(b"the falcon plan", b"a sunny day"), pictures=Pictures(_words))
    parts = passed.call.ask.prompt.messages[0].parts
    assert [type(part) for part in parts] == [TextPart, TextPart, ImagePart]
    assert isinstance(parts[1], TextPart)
    assert "falcon" not in parts[1].text
    (verdict,) = passed.record.verdicts
    assert (verdict.outcome, [span.place for span in verdict.spans]) == ("masked", ["0.1"])


def test_words_in_an_image_block_like_any_other_words() -> None:
    with pytest.raises(ContentBlocked):
        under({"names": {**KEYS, "do": "block", "images": True}}, _asked(b"FALCON"), pictures=Pictures(_words))


def test_an_image_that_cannot_be_read_is_refused_where_the_rail_is_closed() -> None:
    for image in (b"broken", "https://example.com/a.png"):
        with pytest.raises(ContentBlocked, match="one cannot be read"):
            under({"names": {**KEYS, "do": "block", "images": True}}, _asked(image), pictures=Pictures(_words))
        rails = {"names": {**KEYS, "do": "block", "images": True, "failure": "open"}}
        passed = under(rails, _asked(image), pictures=Pictures(_words))
        assert [verdict.outcome for verdict in passed.record.verdicts] == ["failed"]


def test_rails_that_do_not_ask_for_images_do_not_see_them() -> None:
    rails = {
        "names": {**KEYS, "do": "block"},
        "sights": {"what": "words", "words": ["sun"], "where": "input", "do": "flag", "images": True},
    }
    passed = under(rails, _asked(b"the falcon in the sun"), pictures=Pictures(_words))
    assert {verdict.rail: verdict.outcome for verdict in passed.record.verdicts} == {
        "names": "passed",
        "sights": "flagged",
    }
