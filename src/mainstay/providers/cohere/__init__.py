"""Cohere's v2 chat wire: requests written, answers read, whole and streamed.

No caller speaks it: every request is translated from its :class:`~mainstay.core.prompt.Prompt`.
"""
