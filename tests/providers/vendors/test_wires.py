"""Which wires there are codecs for."""

import pytest

from mainstay.core.events import Dialect
from mainstay.providers.vendors.wires import WIRES, make_codec, speaks

#: Dialects that only callers speak, or that are no vendor's own.
_CALLERS = {Dialect.COMPLETIONS, Dialect.MCP}


def test_every_dialect_has_its_place() -> None:
    # Vertex AI speaks Gemini's wire in another place.
    assert set(WIRES) == {*Dialect, "vertex"} - _CALLERS


@pytest.mark.parametrize("wire", [wire for wire in WIRES if speaks(wire)])
def test_a_wire_that_is_spoken_has_its_codec(wire: str) -> None:
    assert make_codec(wire).dialect == ("gemini" if wire == "vertex" else wire)


def test_a_wire_nobody_knows_is_not_spoken() -> None:
    assert not speaks("smoke")
    assert speaks("openai")
