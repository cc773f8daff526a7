"""How a knowledge base is searched, as its row says: a configured model that reads what was found is asked over the
running gateway, as any caller asks it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mainstay.assembly.embedders import call_gateway
from mainstay.core.errors import Unavailable
from mainstay.grounding.config import KnowledgeConfig

if TYPE_CHECKING:  # what searches is loaded by who searches
    from mainstay.grounding.search import Manner

__all__ = ["manner_of_row"]


def manner_of_row(row: KnowledgeConfig, home: Path) -> "Manner":
    """Return how a base is searched. Nobody is asked before there is something to rerank."""
    from mainstay.grounding.rerank import Asked
    from mainstay.grounding.search import manner_of

    rerank = row.search.rerank
    if rerank is None:
        return manner_of(row.search)
    model = rerank.model

    def ask(question: str, passages: Sequence[str]) -> Sequence[float]:
        body: dict[str, object] = {"model": model, "query": question, "documents": list(passages)}
        said = call_gateway(home, "/v1/rerank", {**body, "top_n": len(passages)}, "rerank")
        try:
            scores = {int(one["index"]): float(one["relevance_score"]) for one in said["results"]}
            return [scores[at] for at in range(len(passages))]
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable(f"'{model}' does not answer with a score for each passage.") from error

    return manner_of(row.search, Asked(model, ask))
