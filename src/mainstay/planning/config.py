"""A scenario: the question put to the planner, as people write it in YAML. Amounts are US dollars.

A file of its own, not a part of a gateway's configuration. Everything but the model and the device has a default that
errs on the side of the one who would have to pay.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mainstay.core.config import LocalPath, Section

__all__ = [
    "BuildPart", "BuyPart", "GoalsPart", "MeasurementPart", "ModelPart", "PricePart", "PurchasePart", "Scenario",
    "TrafficPart",
]  # fmt: skip

_Share = Annotated[float, Field(ge=0, le=1)]
_Usd = Annotated[float, Field(ge=0, le=1e12)]
_Positive = Annotated[float, Field(gt=0, le=1e15)]


class ModelPart(Section):
    """The model that would be run, and on what."""

    name: str = Field(min_length=1, max_length=200)
    """The model's name, as its hub calls it: `llama-3.3-70b`, `Qwen/Qwen3-32B`."""
    precision: str = "bf16"
    """How its weights are kept: `bf16`, `fp8`, `int4`, `q4_k_m`."""
    kv: str = "bf16"
    """How its key-value cache is kept: `bf16` or `fp8`."""
    config: LocalPath | None = None
    """Its Hugging Face `config.json`, for a model that is not in the table."""
    gguf: LocalPath | None = None
    """Its GGUF file: shape and bytes are then read from the header."""
    gpu: str = Field(min_length=1, max_length=100)
    """The device it would run on: `H100`, `L40S`, `RTX 4090`; `mainstay plan devices` lists them."""
    gpus_per_replica: int | Literal["auto"] = "auto"
    """Devices that share one copy of the model; `auto` takes the fewest it fits on, a power of two."""
    usable: Annotated[float, Field(ge=0.1, le=1)] = 0.9
    """The share of a device's memory that the engine may take."""
    slots: int = Field(default=0, ge=0, le=100_000)
    """Sequences at once on a replica; 0 takes as many as fit and keep the goals."""


class TrafficPart(Section):
    """What would be asked of it."""

    requests_per_day: _Positive | None = None
    """Requests on an average day. Give this or `requests_per_month`."""
    requests_per_month: _Positive | None = None
    """Requests in an average month."""
    input_tokens: _Positive = 1155
    """Tokens of a prompt, on average. The default is Azure's conversation trace of 2023."""
    output_tokens: _Positive = 211
    """Tokens of an answer, on average. The default is Azure's conversation trace of 2023."""
    cached_share: _Share = 0.0
    """The share of input tokens that a prompt cache serves, on either side."""
    peak_to_mean: Annotated[float, Field(ge=1, le=1000)] = 3.0
    """The busiest five minutes over the mean."""
    arrival_cv2: Annotated[float, Field(ge=0, le=100)] = 1.0
    """How bursty arrivals are: 1 when they are independent of each other, 4 for agents that call in bursts."""
    output_cv2: Annotated[float, Field(ge=0, le=100)] = 1.0
    """How uneven answers are in length: variance over squared mean."""
    growth_per_month: Annotated[float, Field(ge=-0.5, le=1)] = 0.0
    """How much the volume grows each month: 0.05 is 5 %."""

    @model_validator(mode="after")
    def _one(self) -> "TrafficPart":
        if self.requests_per_day is not None and self.requests_per_month is not None:
            raise ValueError("give requests_per_day or requests_per_month, not both")
        return self


class GoalsPart(Section):
    """What callers are promised."""

    ttft_ms: _Positive | None = None
    """95 of 100 callers see their first token within so many milliseconds at the peak."""
    itl_ms: _Positive | None = 50.0
    """Milliseconds between two tokens of an answer, at most; `null` for no promise."""
    busiest: Annotated[float, Field(gt=0, le=1)] = 0.7
    """How busy a replica may be at the peak."""
    spares: int = Field(default=1, ge=0, le=1000)
    """Replicas beyond need, for failures and roll-outs."""


class PurchasePart(Section):
    """Devices that are bought rather than hired."""

    usd_per_gpu: _Usd
    """Price of one device."""
    host_usd_per_gpu: _Usd = 0.0
    """Price of the server around it, per device."""
    years: Annotated[float, Field(gt=0, le=20)] = 4.0
    """Years of use over which the price is spread."""
    residual_share: _Share = 0.1
    """What share of the price it fetches afterwards."""
    interest: _Share = 0.06
    """Interest per year on the capital."""
    watts_per_gpu: _Positive | None = None
    """What one device draws on average; what was measured of its kind when not given, else 70 % of its limit."""
    host_watts_per_gpu: _Usd = 150.0
    """What the server around it draws, per device."""
    pue: Annotated[float, Field(ge=1, le=3)] = 1.3
    """Power of the building over power of the servers."""
    usd_per_kwh: _Usd = 0.15
    """Price of electricity."""
    colocation_usd_per_kw_month: _Usd = 0.0
    """Rent of space and cooling per kW and month, when somebody else's building is used."""


class BuildPart(Section):
    """What running it oneself costs beside the devices."""

    usd_per_gpu_hour: _Usd | None = None
    """Hire of one device by the hour; the table's reference figure when neither this nor `purchase` is given."""
    purchase: PurchasePart | None = None
    """Devices that are bought."""
    spot_share: _Share = 0.0
    """The share of devices hired as spot capacity."""
    spot_discount: _Share = 0.55
    """How much cheaper spot capacity is."""
    preemption_loss: _Share = 0.1
    """The share of spot hours lost to being taken away."""
    autoscale: _Share = 0.0
    """The share of replicas beyond the mean load that is given back when it is not needed."""
    people: Annotated[float, Field(ge=0, le=1000)] = 0.5
    """People who run and upgrade it, in full posts."""
    usd_per_person_year: _Usd = 180_000.0
    """What a post costs per year, all included."""
    on_call_usd_per_month: _Usd = 0.0
    """On-call pay."""
    host_usd_per_month: _Usd = 0.0
    """Machines beside the devices: gateways, storage nodes, build machines."""
    storage_usd_per_month: _Usd = 50.0
    """Storage of models, logs and images."""
    egress_usd_per_month: _Usd = 0.0
    """Traffic out of the cloud."""
    licences_usd_per_month: _Usd = 0.0
    """Licences and support contracts."""
    security_usd_per_month: _Usd = 0.0
    """Audits, patching, penetration tests."""
    evaluation_usd_per_month: _Usd = 500.0
    """Evaluation and monitoring of quality."""
    migration_usd: _Usd = 20_000.0
    """Moving there, once: adapting prompts, tests, roll-out."""
    exit_usd: _Usd = 0.0
    """Leaving it again, once, at the end."""
    renewal_months: Annotated[float, Field(gt=0, le=240)] = 12.0
    """After how many months the model has aged and another takes its place."""
    renewal_usd: _Usd = 5_000.0
    """What each such change costs: evaluation, prompts, roll-out."""
    success: Annotated[float, Field(gt=0, le=1)] = 0.9
    """The share of its answers that are good. Compare at equal quality, or measure both."""


class PricePart(Section):
    """A vendor's prices per million tokens."""

    input: _Usd
    """Input tokens."""
    output: _Usd
    """Output tokens."""
    cache_read: _Usd | None = None
    """Input tokens served from the cache; the price of input when not given."""
    per_request: _Usd = 0.0
    """For each request: searches, tools."""


class BuyPart(Section):
    """What buying it costs."""

    name: str = Field(default="the API", max_length=100)
    """What it is called in the report."""
    price: PricePart
    """The price list."""
    batch_share: _Share = 0.0
    """The share of requests that can wait and are sent as batches."""
    batch_discount: _Share = 0.5
    """How much cheaper batches are."""
    failover_share: _Share = 0.01
    """The share of requests that is paid twice: retries after a paid failure, hedges."""
    residency_premium: _Share = 0.0
    """What processing in a chosen region adds."""
    discount: _Share = 0.0
    """A negotiated discount."""
    commitment_usd_per_month: _Usd = 0.0
    """What is owed each month however little is used."""
    headroom_usd_per_month: _Usd = 0.0
    """Provisioned capacity or a higher tier, for rate limits that hold at the peak."""
    people: Annotated[float, Field(ge=0, le=1000)] = 0.1
    """People who look after it, in full posts."""
    evaluation_usd_per_month: _Usd = 500.0
    """Evaluation and monitoring of quality."""
    migration_usd: _Usd = 0.0
    """Moving there, once; 0 when it is what is used today."""
    price_decline_per_year: _Share = 0.2
    """How much its price falls each year for the same quality."""
    success: Annotated[float, Field(gt=0, le=1)] = 0.9
    """The share of its answers that are good."""


class MeasurementPart(Section):
    """What was measured on the devices in question, with this model."""

    batch: _Positive
    """Sequences at once."""
    input_tokens: _Positive = 500
    """Tokens of a prompt."""
    output_tokens: _Positive = 250
    """Tokens of an answer."""
    itl_ms: _Positive | None = None
    """Milliseconds between two tokens, the median."""
    tokens_per_s: _Positive | None = None
    """Tokens per second of the whole replica."""


class Scenario(Section):
    """A question to the planner."""

    question: str = Field(default="", max_length=300)
    """The question in words; it heads the report."""
    model: ModelPart
    """What would be run."""
    traffic: TrafficPart = TrafficPart()
    """What would be asked of it; `--from-records` takes it from what was asked."""
    goals: GoalsPart = GoalsPart()
    """What callers are promised."""
    build: BuildPart = BuildPart()
    """What running it oneself costs."""
    buy: BuyPart | None = None
    """What buying it costs; without it the report has no break-even."""
    verify_usd: _Usd = 0.0
    """What checking one answer costs, on either side."""
    failure_usd: _Usd = 0.0
    """What an answer that is not good costs whoever gets it."""
    horizon_months: int = Field(default=24, ge=1, le=240)
    """How far ahead total cost and payback look."""
    measurements: list[MeasurementPart] = []
    """Own measurements, which correct the model of speed."""
    ranges: dict[str, tuple[_Positive, _Positive]] = {}
    """Factors between which an input may lie, by its name in the report: `device price: [0.8, 1.2]`."""
