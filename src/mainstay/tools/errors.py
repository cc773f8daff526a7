"""How a run of a tool can fail. No ``MainstayError``: it is told to the model, as a result, and not to the caller."""

__all__ = ["ToolTrouble"]


class ToolTrouble(Exception):
    """A tool that gave no result.

    ``outcome`` is one word for the record: ``timeout``, ``unreachable``, ``refused``, ``broken``, ``too_large``,
    ``input_required``, ``invalid_arguments``, ``unknown``, ``not_allowed`` or ``limit``. ``message`` is for the model:
    a sentence without host, path or secret.
    """

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.message = message
