"""Whether a model fits: weights, key-value cache and what an engine needs beside them, per device of one replica.

Pure arithmetic on a ``Deployment``. What engines really take beside weights and cache varies with their version, so
there are three answers: ``fits`` also holds when they take half as much again, ``tight`` does not, and ``no`` is over
already.
"""

import math
from typing import Final

import msgspec

from mainstay.planning.deployment import KV_PRECISIONS, Deployment

__all__ = ["GIB", "Fit", "activation_bytes", "fit", "kv_bytes", "kv_bytes_per_token"]

GIB: Final = 1024**3
#: GiB of the driver's context (0.35 in vLLM's logs), of channels between devices, of the workspace of mixed experts,
#: and of captured graphs, which stand in the memory that the engine was not given.
_CONTEXT, _CHANNELS, _EXPERTS, _GRAPHS = 0.4, 0.8, 2.0, 1.0
#: Copies of the logits while tokens are picked: themselves, sorted, and summed.
_LOGITS = 3
#: What caution adds: half the activations, 3 % of the weights (padding, other layouts), and a GiB.
_MORE_ACTIVATIONS, _MORE_WEIGHTS, _MORE_GIB = 1.5, 1.03, 1.0


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the memory of each device, in GiB, and what is left for the key-value cache.

    ``kv_tokens`` and ``sequences`` are of the whole replica; ``cautious_sequences`` when engines take more than usual.
    """

    verdict: str
    why: str
    memory_gib: float
    usable_gib: float
    weights_gib: float
    activations_gib: float
    engine_gib: float
    kv_gib: float
    kv_bytes_per_token: float
    kv_tokens: int
    sequences: int
    cautious_sequences: int
    context: int
    batch: int
    notes: tuple[str, ...] = ()


def kv_bytes_per_token(plan: Deployment) -> float:
    """Return the bytes that one more token takes on each device, in layers that keep every token.

    Heads are spread over the devices, at least one on each, so they are copied once there are more devices than heads.
    A latent (DeepSeek-V2, arXiv 2405.04434) is one for all heads and stands whole on each.
    """
    size, each = plan.size, KV_PRECISIONS[plan.kv]
    return size.layers * (1.0 - size.local_share) * _per_layer(plan, each)


def _per_layer(plan: Deployment, each: float) -> float:
    size = plan.size
    if size.kv_rank:
        return (size.kv_rank + size.rope_dim) * each
    return 2.0 * math.ceil(size.kv_heads / plan.devices) * size.head_dim * each


def kv_bytes(plan: Deployment, context: int) -> float:
    """Return the bytes that a sequence of ``context`` tokens takes on each device; local layers keep their window."""
    size, each = plan.size, KV_PRECISIONS[plan.kv]
    local = size.layers * size.local_share * _per_layer(plan, each) * min(context, size.window)
    return kv_bytes_per_token(plan) * context + local


def activation_bytes(plan: Deployment, batch: int) -> float:
    """Return the bytes of one step's intermediate results on each device, at their peak.

    Four times the residual stream, twice the inner width of every expert that a token passes, and logits in 32 bits.
    """
    size = plan.size
    inner = 2.0 * size.d_ff * max(1, size.top_k) / plan.devices
    routed = size.top_k * size.d_model if size.moe else 0
    logits = 4.0 * _LOGITS * max(batch, plan.picked) * size.vocab
    return 2.0 * plan.step_tokens * (4.0 * size.d_model + inner + routed) + logits


def fit(plan: Deployment, *, context: int = 8192, batch: int = 1) -> Fit:
    """Return whether ``plan`` holds ``batch`` sequences of ``context`` tokens at once."""
    memory = plan.device.memory_gib * GIB
    usable = memory * plan.usable
    weights = plan.weight_bytes / plan.devices
    activations = activation_bytes(plan, max(batch, 1))
    engine = _engine_bytes(plan)
    per_sequence = max(kv_bytes(plan, context), 1.0)
    room = usable - weights - activations - engine
    cautious = usable - weights * _MORE_WEIGHTS - activations * _MORE_ACTIVATIONS - engine - _MORE_GIB * GIB
    sequences, sure = max(0, math.floor(room / per_sequence)), max(0, math.floor(cautious / per_sequence))
    verdict, why = _verdict(plan, room, sequences, sure, context, batch)
    return Fit(
        verdict=verdict,
        why=why,
        memory_gib=plan.device.memory_gib,
        usable_gib=usable / GIB,
        weights_gib=weights / GIB,
        activations_gib=activations / GIB,
        engine_gib=engine / GIB,
        kv_gib=max(0.0, room) / GIB,
        kv_bytes_per_token=kv_bytes(plan, context) / max(1, context),
        kv_tokens=max(0, math.floor(room / per_sequence * context)),
        sequences=sequences,
        cautious_sequences=sure,
        context=context,
        batch=batch,
        notes=tuple(_notes(plan, context)),
    )


def _engine_bytes(plan: Deployment) -> float:
    if plan.device.kind != "gpu":
        return _CONTEXT * GIB
    gib = _CONTEXT + (_CHANNELS if plan.devices > 1 else 0.0) + (_EXPERTS if plan.size.moe else 0.0)
    outside = plan.device.memory_gib * (1.0 - plan.usable)
    return (gib + max(0.0, _GRAPHS - outside)) * GIB


def _verdict(plan: Deployment, room: float, sequences: int, sure: int, context: int, batch: int) -> tuple[str, str]:
    if plan.size.context and context > plan.size.context:
        return "no", f"The model reads at most {plan.size.context:,} tokens."
    if room <= 0:
        return "no", f"Weights and engine need {-room / GIB:.1f} GiB more on each device before a token is cached."
    if sequences < 1:
        return "no", f"Not one sequence of {context:,} tokens fits in the {room / GIB:.1f} GiB that are left."
    if sequences < batch:
        return "no", f"{sequences:,} sequences of {context:,} tokens fit at once, not {batch:,}: engines would preempt."
    if sure < batch:
        return "tight", "It fits with what engines usually take beside weights and cache, not with half as much again."
    return "fits", f"{sequences:,} sequences of {context:,} tokens fit at once."


def _notes(plan: Deployment, context: int) -> list[str]:
    size, notes = plan.size, []
    if plan.devices > 1 and size.heads % plan.devices:
        notes.append(f"{size.heads} heads do not divide by {plan.devices} devices: most engines refuse that.")
    if not size.kv_rank and plan.devices > size.kv_heads:
        notes.append(f"{size.kv_heads} key-value heads on {plan.devices} devices: the cache is kept more than once.")
    if size.kv_rank and plan.devices > 1:
        notes.append("The latent cache stands whole on each device; engines can split it by request instead.")
    if size.local_share and context > size.window:
        notes.append(
            f"{size.local_share:.0%} of the layers keep "
            + (f"{size.window:,} tokens at most." if size.window else "a state of fixed size, not counted here.")
        )
    if plan.precision.compute not in plan.device.tflops and plan.precision.compute in ("fp8", "int8"):
        notes.append(
            f"{plan.device.name} does not compute in {plan.precision.compute}: it saves memory, not arithmetic."
        )
    return notes
