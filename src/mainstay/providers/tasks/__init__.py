"""Operations that are no conversation: embeddings, moderation, audio, images, reranking.

``exchange`` is what they have in common, one file each reads requests and answers, ``form`` reads files that callers
send, ``streams`` what comes piece by piece, ``catalogue`` says which wire has what, ``provider`` sends.
"""

from mainstay.providers.tasks.catalogue import OPENAI_PATHS, TASKS, make_task
from mainstay.providers.tasks.exchange import Exchange, Task
from mainstay.providers.tasks.form import Form, FormReader

__all__ = [
    "OPENAI_PATHS",
    "TASKS",
    "Exchange",
    "Form",
    "FormReader",
    "Task",
    "make_task",
]
