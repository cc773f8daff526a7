"""``routes.X.knowledge`` in the configuration: what a route answers from, how it cites, and what follows when it
cannot."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from mainstay.core.config import Duration, OrText, PositiveDuration, Section
from mainstay.grounding.config import BaseName

__all__ = ["AbstainConfig", "NothingConfig", "RouteKnowledgeConfig", "VerifyConfig"]

_NOTHING = "I found nothing about this in the sources that I answer from."

_LATE = "I could not search the sources that I answer from in time; please ask again."

Share = Annotated[float, Field(ge=0, le=1)]
Words = Annotated[str, Field(min_length=1, max_length=10_000)]


def _do(value: Any) -> Any:
    return {"do": value} if isinstance(value, str) else value


def _unsupported(value: Any) -> Any:
    if value is True:
        return {}
    return {"unsupported": value} if isinstance(value, str) else value


class NothingConfig(Section):
    """What happens when nothing is found that the answer could rest on."""

    do: Literal["answer", "say", "refuse", "review"] = "answer"
    """``answer``: the model is asked without sources, and told so. ``say``: the caller gets ``text``, and no model is
    asked. ``refuse``: an error. ``review``: a person decides whether the model may answer without sources."""

    text: Words = _NOTHING
    """What ``say`` says, and what an answer says of which nothing is left."""

    late: Words = _LATE
    """What ``say`` says where the search came too late or could not be made: nobody knows then whether there is
    something. ``refuse`` is an error then that says to ask again."""

    least: Share = 0.0
    """The least confidence of a search that counts as having found something. Passages found with less are not given
    to the model."""


class VerifyConfig(Section):
    """How claims are checked against the passages they cite, or, where they cite none, those nearest to them."""

    unsupported: Literal["mark", "strip", "reask", "refuse", "review"] = "mark"
    """What happens to a claim that no source supports. ``mark``: its verdict stands with its citations. ``strip``: it
    is taken out of the answer. ``reask``: the model is asked once more and told which claims; what is then unsupported
    is marked. ``refuse``: an error. ``review``: a person decides. ``strip``, ``refuse`` and ``review`` hold a stream
    back by one claim, ``reask`` by the whole answer; ``mark`` never does."""

    supported: Share = 0.6
    """From which probability of support a claim is ``supported``."""

    contradicted: Share = 0.6
    """From which probability of contradiction a claim is ``contradicted``, where it is not supported."""

    only: tuple[Literal["contradicted", "not_found"], ...] = ("contradicted", "not_found")
    """Which verdicts count as unsupported."""

    within: PositiveDuration = 2.0
    """How long after its last word an answer waits for verdicts. Claims without one by then are ``unchecked``."""


class AbstainConfig(Section):
    """When the route rather says nothing: the search was not sure, and the claims are not supported."""

    confidence: Share = 0.3
    """Answers after a search with less confidence are held back until they are checked."""

    support: Share = 0.5
    """The least share of an answer's claims that must be supported then."""

    text: Words = "I could not find enough in my sources to answer this reliably."
    """What is said instead."""


class RouteKnowledgeConfig(Section):
    """What a route answers from."""

    base: BaseName
    """The knowledge base: a row of ``knowledge``, or just its name."""

    version: str = Field(default="", max_length=128)
    """A version of it, by name; absent, the live one, whatever that is when a question comes."""

    most: int = Field(default=6, ge=1, le=50)
    """Passages that a question is given at most."""

    tokens: int = Field(default=2000, ge=50, le=200_000)
    """Tokens that they come to at most."""

    within: PositiveDuration = 0.3
    """How long a question waits for its search. Parts of the search that take longer are left out and recorded; a
    search of which nothing is there by then has found nothing."""

    turns: int = Field(default=4, ge=0, le=50)
    """Earlier turns of the conversation that a question is understood with."""

    where: dict[Annotated[str, Field(min_length=1, max_length=64)], str] = {}
    """Fields that documents must have, with their values."""

    suspicious: Literal["drop", "use"] = "drop"
    """Whether passages are used that seemed to hold instructions for models when they were read."""

    cite: bool = True
    """Ask the model to mark what it takes from which passage, and turn its marks into citations; passages that it did
    not mark and plainly used are cited too."""

    native: bool = True
    """Give passages to models of Anthropic and Cohere in the form that these cite by themselves, as results of a
    search and as documents; their citations count where the quote is the passage's own text. ``false``: they are asked
    for marks like any other model."""

    marks: Literal["keep", "remove"] = "keep"
    """Whether marks such as ``[1]`` stay in the text. Those that name no passage never do."""

    nothing: Annotated[NothingConfig, BeforeValidator(_do), OrText()] = Field(default_factory=NothingConfig)
    """What happens when nothing is found; or just what to do."""

    verify: Annotated[VerifyConfig, BeforeValidator(_unsupported), OrText()] | None = None
    """Check claims against their sources; or just what happens to unsupported ones. Absent, citations are
    ``unchecked``."""

    abstain: AbstainConfig | None = None
    """When it rather says nothing; needs ``verify``. Absent, never."""

    stale_after: Duration = 0.0
    """Passages of documents older than this are not used, by the date that the document bears, else by when it was
    read; ``0s`` for whatever age."""

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if self.abstain is not None and self.verify is None:
            raise ValueError("'abstain' goes by claims that are checked: set 'verify', too")
        return self
