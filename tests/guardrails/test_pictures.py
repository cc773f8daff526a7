"""The words in images, as texts for rails."""

import asyncio
import base64

from mainstay.core.errors import Unreadable
from mainstay.core.prompt import ImagePart, Message, Part, Prompt, TextPart, ToolResultPart
from mainstay.guardrails.pictures import Pictured, Pictures, find_pictures, without_pictures


def image(words: str) -> ImagePart:
    return ImagePart(data=base64.b64encode(words.encode()).decode(), media_type="image/png")


def prompt(*parts: Part) -> Prompt:
    return Prompt("m", (Message("system", (TextPart("Be kind"),)), Message("user", parts)))


class Eyes:
    """Reads what a test wrote into its images, and counts."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, data: bytes, seconds: float) -> str:
        self.count += 1
        if data == b"damaged":
            raise Unreadable("is damaged")
        if data == b"slow":
            await asyncio.Event().wait()
        return data.decode()


def read(pictures: Pictures, *parts: Part, seconds: float = 5.0) -> list[Pictured]:
    return asyncio.run(pictures.read(prompt(*parts), seconds))


def test_words_are_found_where_images_stand_those_of_tools_as_theirs() -> None:
    tool = ToolResultPart("t", (TextPart("x"), image("from a tool")))
    found = read(Pictures(Eyes()), image("mine"), TextPart("x"), tool, image(" \n"))
    assert found == [
        Pictured((1, 0), ("input",), "mine"),
        Pictured((1, 2, 1), ("tool_result",), "from a tool"),
    ]
    assert found[1].name == "1.2.1"


def test_an_image_that_cannot_be_read_is_told_and_not_passed_over() -> None:
    parts = (ImagePart(url="https://a.example/x.png"), image("damaged"), ImagePart(data="%"), image("slow"))
    assert [one.text for one in read(Pictures(Eyes()), *parts, seconds=0.05)] == [None] * 4


def test_more_images_than_are_read_are_told() -> None:
    found = read(Pictures(Eyes()), *(image(f"n{number}") for number in range(22)))
    assert [one.text for one in found[19:]] == ["n19", None, None]


def test_what_was_read_is_not_read_again_and_failures_are() -> None:
    eyes = Eyes()
    pictures = Pictures(eyes)
    for _ in range(3):
        read(pictures, image("a"), image(""), image("damaged"))
    assert eyes.count == 1 + 3
    for number in range(300):
        read(pictures, image(f"n{number}"))
    read(pictures, image("a"))
    assert eyes.count == 4 + 300 + 1


def test_a_prompt_without_images_is_itself() -> None:
    plain = prompt(TextPart("x"))
    assert read(Pictures(Eyes()), TextPart("x")) == []
    assert without_pictures(plain, ()) is plain


def test_images_are_taken_out_with_a_sentence_in_their_place() -> None:
    before = prompt(image("a"), ToolResultPart("t", (image("b"),)), image("c"))
    after = without_pictures(before, {(1, 0), (1, 1, 0)})
    assert [path for path, _, _ in find_pictures(after)] == [(1, 2)]
    (first, tool, last) = after.messages[1].parts
    assert isinstance(first, TextPart)
    assert "taken out" in first.text
    assert isinstance(tool, ToolResultPart)
    assert tool.content == (first,)
    assert last == image("c")
    assert after.messages[0] is before.messages[0]
