"""Has a model write down what is said, for a call whose own model cannot hear.

The adapter of ``core.ports.Transcriber`` over a model's own line. The recording goes up as the form that
``/v1/audio/transcriptions`` takes, so any provider that answers there will do.
"""

from secrets import token_hex

from msgspec.structs import replace

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.errors import MainstayError, Unreadable, UpstreamBroken
from mainstay.core.events import TextDelta
from mainstay.core.fold import fold
from mainstay.core.stage import Onward
from mainstay.core.target import Operation
from mainstay.providers.tasks.audio import read_transcript
from mainstay.providers.tasks.form import Form, FormReader

__all__ = ["Hearing"]


class Hearing:
    """See :class:`~mainstay.core.ports.Transcriber`.

    Args:
        model: the name of the model.
        onward: its line: chooses, sends and answers.
    """

    def __init__(self, model: str, onward: Onward) -> None:
        self._model = model
        self._onward = onward

    async def transcribe(self, call: Call, audio: bytes, kind: str) -> str:
        """Return the words of ``audio``.

        Raises:
            Unreadable: the model cannot write them down.
        """
        ask = read_transcript(_form(self._model, audio, kind), Operation.TRANSCRIPTION)
        # Its attempts are no attempts at what the caller asked.
        record = replace(call.record, attempts=[], usage=None)
        about = replace(call, ask=ask, record=record, route=self._model, wished_model="", wished_prompt="")
        try:
            answer = await self._onward(about)
            return await _words(answer)
        except UpstreamBroken:
            raise Unreadable("could not be written down: the audio model gave no transcript; try again") from None
        except MainstayError as error:
            raise Unreadable(f"could not be written down by the audio model ({error.code}); try again") from error


async def _words(answer: Answer) -> str:
    if answer.whole is not None:
        return "".join(event.text for event in answer.whole.events if isinstance(event, TextDelta))
    assert answer.frames is not None
    try:
        events = [event async for batch in answer.frames for frame in batch for event in frame.events]
    finally:
        await answer.frames.aclose()
    return "".join(event.text for event in fold(events).events if isinstance(event, TextDelta))


def _form(model: str, audio: bytes, kind: str) -> Form:
    boundary = token_hex(16).encode()
    reader = FormReader(b"multipart/form-data; boundary=" + boundary)
    field = b'--%b\r\ncontent-disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
    reader.feed(field % (boundary, b"model", b"", model.encode()))
    reader.feed(field % (boundary, b"response_format", b"", b"json"))
    named = b'; filename="audio.%b"\r\ncontent-type: audio/%b' % (kind.encode(), kind.encode())
    reader.feed(field % (boundary, b"file", named, audio) + b"--%b--\r\n" % boundary)
    return reader.finish()
