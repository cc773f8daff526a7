"""What a successful answer costs: the price of a call is not the price of what it is for.

Pure arithmetic; how good a model is comes from ``evaluation`` or a person.
"""

from mainstay.core.errors import ConfigError

__all__ = ["cost_per_success"]


def cost_per_success(call: float, success: float, *, verify: float = 0.0, failure: float = 0.0) -> float:
    """Return US dollars per successful answer: ``(C_call + C_verify + (1 - q) C_fail) / q``.

    ``success`` is q, the share of answers that are good; ``failure`` what one that is not costs whoever gets it.

    Raises:
        ConfigError: q is not above 0 and at most 1.
    """
    if not 0.0 < success <= 1.0:
        raise ConfigError("The share of successful answers lies above 0 and is at most 1.")
    return (call + verify + (1.0 - success) * failure) / success
