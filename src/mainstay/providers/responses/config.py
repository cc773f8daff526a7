"""``responses:`` in the configuration: what is kept for ``previous_response_id``, and how this wire is spoken."""

from typing import Literal

from mainstay.core.config import PositiveDuration, Section

__all__ = ["ResponsesConfig"]


class ResponsesConfig(Section):
    """The Responses API. It is the one wire whose semantics demand that content is kept."""

    store: bool = True
    """Keep what callers asked and were answered, for ``previous_response_id`` and ``GET /v1/responses/{id}``, unless a
    request says ``store: false``. Kept in ``var/kv.db``, or beside the records in PostgreSQL; seen only by keys of the
    same team, or by the same key where it has no team. With false, a request that refers to an earlier one is refused.
    A route's own ``store_responses: false`` does the same for that route."""

    expire: PositiveDuration = 30 * 86400.0
    """How long a response is kept. A conversation can be continued for as long as all of it is."""

    hosted_tools: Literal["omit", "refuse"] = "omit"
    """What becomes of a vendor's own tools (``web_search``, ``mcp`` and the like) when the model is another vendor's.
    ``omit``: they are left out where other tools remain and none is demanded; the answer's ``tools`` lists those that
    were offered. ``refuse``: such a request is refused."""

    done_marker: bool = False
    """End streams with ``data: [DONE]``. OpenAI's service does not; the Open Responses specification wants it."""
