"""``kind: json``: one JSON value, with or without a schema it must fit."""

from mainstay.shaping.port import Flaw, Misfit
from mainstay.shaping.repair import readings
from mainstay.shaping.schema import Schema, parse_json

__all__ = ["CUT", "Json", "json_words"]

#: What is wrong with an answer that ended at a limit.
CUT = Flaw("The answer was cut at its limit of tokens; raise the limit or ask for less.", rule="cut")


class Json:
    """A JSON text; see :class:`~mainstay.shaping.port.Form`.

    Args:
        schema: what the value must fit; None: it must be an object.
        source: the schema as JSON text, for the model.
    """

    def __init__(self, schema: Schema | None, source: str = "") -> None:
        self.schema = schema
        self._source = source

    def words(self) -> str:
        """Return what to tell a model."""
        return json_words(self._source)

    def settle(self, text: str, *, cut: bool = False) -> str:
        """Return the JSON text."""
        try:
            self._check(parse_json(text))
        except ValueError as error:
            if cut:
                raise Misfit(CUT) from None
            return self._repaired(text, error)
        if cut and text.rstrip()[-1:] not in ("}", "]"):
            # A model that writes spaces up to its limit has answered; a number may have lost its end.
            raise Misfit(CUT)
        return text

    def _repaired(self, text: str, error: ValueError) -> str:
        for reading in readings(text):
            try:
                value = parse_json(reading)
            except ValueError:
                continue
            self._check(value)
            return reading
        if not text.strip():
            raise Misfit(Flaw("The answer is empty.", rule="empty"))
        raise Misfit(Flaw(f"The answer is not one JSON value: {error}.", rule="json")) from error

    def _check(self, value: object) -> None:
        if self.schema is not None:
            self.schema.check(value)
        elif not isinstance(value, dict):
            raise Misfit(Flaw("The answer is JSON but not an object.", rule="type"))


def json_words(schema: str) -> str:
    """Return what asks a model for JSON that fits ``schema``, a JSON text; for any object when it is empty."""
    if not schema:
        return "Answer with one JSON object and nothing else: no other words and no code fence."
    return (
        "Answer with one JSON value that fits this JSON Schema and nothing else: no other words and no code fence."
        f"\n{schema}"
    )
