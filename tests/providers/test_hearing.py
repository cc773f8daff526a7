"""A model writes down what is said, and what goes wrong is told as a fault of the recording's reading."""

import asyncio
from typing import Any

import pytest

from mainstay.core.answer import Answer, SingleFrame, Whole
from mainstay.core.call import Ask, Call, Caller
from mainstay.core.errors import Unreadable, UpstreamBroken, UpstreamRateLimited
from mainstay.core.events import Dialect, Frame, TextDelta
from mainstay.core.record import Attempt, Record
from mainstay.core.target import Operation, Target
from mainstay.core.timeouts import Timeouts
from mainstay.providers.hearing import Hearing
from mainstay.providers.tasks.form import Form

TARGET = Target("ears", "p", "v", "whisper-1")
SOUND = b"RIFF....WAVEfmt \r\n--not-a-boundary\r\n"


def transcribe(answer: Any) -> tuple[str, Call]:
    ask = Ask(b"{}", Dialect.OPENAI, "m", False, False, lambda raw: None, lambda ask: frozenset())  # type: ignore[arg-type, return-value]  # never read
    record = Record("1", "1", 0, attempts=[Attempt("m")])
    call = Call(ask, record, Caller("k"), "r", (), 0.0, 1e9, Timeouts(), wished_model="other")
    seen: list[Call] = []

    async def onward(about: Call) -> Answer:
        seen.append(about)
        about.record.attempts.append(Attempt("ears"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    text = asyncio.run(Hearing("ears", onward).transcribe(call, SOUND, "wav"))
    assert [attempt.target for attempt in call.record.attempts] == ["m"]
    return text, seen[0]


def whole(*texts: str) -> Answer:
    return Answer(TARGET, whole=Whole(b"", Dialect.OPENAI, "", "", (), None, _events=tuple(map(TextDelta, texts))))


def test_the_recording_goes_up_as_a_form_and_the_words_come_back() -> None:
    text, about = transcribe(whole("Hold ", "the line."))
    assert text == "Hold the line."
    ask = about.ask
    assert (ask.operation, ask.model, about.route, about.wished_model) == (Operation.TRANSCRIPTION, "ears", "ears", "")
    form = ask.found
    assert isinstance(form, Form)
    assert form.field("model") == "ears"
    (file,) = form.files("file")
    assert form.raw[file.start : file.end] == SOUND
    assert (file.filename, file.kind) == ("audio.wav", "audio/wav")


def test_a_streamed_transcript_is_put_together() -> None:
    frames = SingleFrame(Frame((TextDelta("Hold "), TextDelta("on."))))
    assert transcribe(Answer(TARGET, frames=frames))[0] == "Hold on."


@pytest.mark.parametrize(
    ("error", "said"),
    [(UpstreamBroken("No."), "gave no transcript"), (UpstreamRateLimited("Later."), "upstream_rate_limited")],
)
def test_what_goes_wrong_is_told(error: Exception, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        transcribe(error)
