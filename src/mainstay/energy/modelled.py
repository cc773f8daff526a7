"""Joules of a token, from what computes it: the size of the model, the device, how many of them, and the batch.

The energy that a perfect device would need to read the weights and the cache and to multiply (a roofline in joules)
goes through a power law that was fitted to public measurements: ML.ENERGY leaderboard v3, 565 configurations of 27
models on H100 and B200. ``python -m bench.energy`` fits it anew and says how far off it is for models that it has not
seen. Pure.
"""

from math import exp, log
from typing import Final

import msgspec

from mainstay.energy.estimate import Spread, combine

__all__ = ["COEFFICIENTS", "Coefficients", "Deployment", "Machine", "Size", "TokenEnergy", "roofline", "token_energy"]

#: KV cache of a thousand tokens of context, in GB, for a model of one billion parameters; grows as the square root.
_CACHE: Final = 0.02
#: How much further from its peak arithmetic stays than bandwidth does: 2.08 / 1.77 of the fit of inter-token times.
_ARITHMETIC: Final = 1.2
#: Share of the peak arithmetic that reading a prompt reaches, and of the power limit that it draws.
_PREFILL_REACHED: Final = 0.4
_PREFILL_POWER: Final = 0.9
_PREFILL_SPREAD: Final = Spread(0.55, 1.8)
#: Of models that the fit has not seen, on devices that it has: 10th and 90th percentile.
_FITTED: Final = Spread(0.68, 1.52)
#: The same between the two devices of the fit, when one is told from the other.
_OTHER_DEVICE: Final = Spread(0.6, 1.7)
#: Outside the sizes, counts and batches of the fit.
_BEYOND: Final = Spread(0.6, 1.7)
_BATCHES: Final = (2.0, 4500.0)
_ACTIVE: Final = (3.0, 405.0)
_MOST_DEVICES: Final = 8


class Size(msgspec.Struct, frozen=True):
    """A model: parameters in all and used for one token, in billions, and the bits that one is stored in."""

    total_b: float
    active_b: float
    bits: float = 16.0


class Machine(msgspec.Struct, frozen=True):
    """One device: GB/s of its memory, dense peak TFLOPS at 16 bits, watts while it serves and at most.

    ``generation`` is 1.0 for those that answer to the fit as the B200 does, 0.0 for all others; ``fitted`` is whether
    it is one of the two that were measured.
    """

    bandwidth_gbs: float
    tflops: float
    busy_w: float
    limit_w: float
    generation: float = 0.0
    fitted: bool = False


class Deployment(msgspec.Struct, frozen=True):
    """How a model is served: on ``count`` devices together, ``batch`` requests at a time on average."""

    size: Size
    machine: Machine
    count: int
    batch: float


class Coefficients(msgspec.Struct, frozen=True):
    """Of the power law: natural logarithm of J per output token is their sum over the features of a deployment."""

    constant: float
    roofline: float
    count: float
    batch: float
    generation: float
    generation_roofline: float


COEFFICIENTS: Final = Coefficients(0.140, 0.584, 0.551, -0.088, 0.546, 0.092)


class TokenEnergy(msgspec.Struct, frozen=True):
    """Joules at the devices, and how far off they may be.

    ``input_j`` for each token read and not cached; ``scale * (base_j + context_j * context) ** power`` for each token
    written, ``context`` being the tokens before it.
    """

    input_j: float
    scale: float
    base_j: float
    context_j: float
    power: float
    read_spread: Spread
    spread: Spread

    def joules(self, read: float, written: float, context: float) -> float:
        """Return the joules of a request that reads ``read`` new tokens and writes ``written`` at ``context``."""
        each = self.scale * float((self.base_j + self.context_j * context) ** self.power)
        return self.input_j * read + each * written


def roofline(deployment: Deployment, context: float) -> float:
    """Return the joules per output token of a device that reaches its peaks.

    Weights are read once for all requests of a batch, of a mixture of experts those that any of them needs; the cache
    is read for each.
    """
    base, slope = _roofline(deployment)
    return base + slope * context


def _roofline(deployment: Deployment) -> tuple[float, float]:
    size, machine, batch = deployment.size, deployment.machine, deployment.batch
    idle_share = 1 - size.active_b / size.total_b
    touched = size.total_b * (1 - idle_share**batch) if idle_share > 0 else size.total_b
    read = touched * size.bits / 8 / batch / machine.bandwidth_gbs
    computed = _ARITHMETIC * 2 * size.active_b / (machine.tflops * 1000)
    cache = _CACHE / 1000 * size.active_b**0.5 / machine.bandwidth_gbs
    return machine.busy_w * (read + computed), machine.busy_w * cache


def token_energy(deployment: Deployment, coefficients: Coefficients = COEFFICIENTS) -> TokenEnergy:
    """Return what tokens of ``deployment`` take, at the boundary of the devices."""
    size, machine = deployment.size, deployment.machine
    base, slope = _roofline(deployment)
    # More devices than were measured are replicas of those, as far as the model can say.
    count = min(deployment.count, _MOST_DEVICES)
    log_scale = (
        coefficients.constant
        + coefficients.count * log(count)
        + coefficients.batch * log(deployment.batch)
        + coefficients.generation * machine.generation
    )
    input_j = 2 * size.active_b / (machine.tflops * 1000 * _PREFILL_REACHED) * machine.limit_w * _PREFILL_POWER
    power = coefficients.roofline + coefficients.generation_roofline * machine.generation
    beyond = _beyond(deployment)
    read = combine((_PREFILL_SPREAD, *beyond))
    return TokenEnergy(input_j, exp(log_scale), base, slope, power, read, combine((_FITTED, *beyond)))


def _beyond(deployment: Deployment) -> list[Spread]:
    """Return what the interval grows by where a deployment is not like those that were measured."""
    spreads = []
    if not deployment.machine.fitted:
        spreads.append(_OTHER_DEVICE)
    within = (
        _BATCHES[0] <= deployment.batch <= _BATCHES[1]
        and _ACTIVE[0] <= deployment.size.active_b <= _ACTIVE[1]
        and deployment.count <= _MOST_DEVICES
    )
    if not within:
        spreads.append(_BEYOND)
    return spreads
