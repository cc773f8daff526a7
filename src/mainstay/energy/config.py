"""``energy:`` in the configuration: how joules and grams are found, and where the computing is done.

What a model runs on stands beside the model, as ``models.NAME.energy``.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mainstay.core.config import LocalPath, Name, OrText, PositiveDuration, Secret, Section, check_url
from mainstay.core.errors import ConfigError
from mainstay.core.hardware import find_accelerator
from mainstay.energy.grid import find_zone

__all__ = [
    "ElectricityMapsConfig",
    "EnergyConfig",
    "EnergySection",
    "FileIntensityConfig",
    "LiveConfig",
    "ModelEnergyConfig",
    "PlaceConfig",
    "UrlIntensityConfig",
    "WattTimeConfig",
]


def _zone(value: str) -> str:
    try:
        return find_zone(value).name
    except ConfigError as error:
        raise ValueError(error.message) from None


def _accelerator(value: str) -> str:
    try:
        return find_accelerator(value).name
    except ConfigError as error:
        raise ValueError(error.message) from None


Zone = Annotated[str, AfterValidator(_zone)]
_Grams = Annotated[float, Field(ge=0, le=3000, allow_inf_nan=False)]
_Url = Annotated[str, AfterValidator(check_url)]


class PlaceConfig(Section):
    """Where computing is done."""

    zone: Zone | None = None
    """Whose grid it draws from: a country (``DE``) or a cloud's region (``aws:eu-west-1``, ``gcp:europe-west4``,
    ``azure:swedencentral``)."""

    pue: float | None = Field(default=None, ge=1, le=5, allow_inf_nan=False)
    """Energy of the whole data centre for each unit that computes; 1 for a machine in a room without cooling of its
    own."""

    wue: float | None = Field(default=None, ge=0, le=50, allow_inf_nan=False)
    """Litres of water that the data centre evaporates for each kWh that computes."""

    market: _Grams | None = None
    """Grams of CO2 for each kWh as contracts have it (market-based); 0 where all of it is bought from sources without
    any. Absent, there is no market-based figure."""


class ModelEnergyConfig(Section):
    """What a model runs on. What is not given is taken from the tables of models and devices, or assumed."""

    params: float | None = Field(default=None, gt=0, le=100_000, allow_inf_nan=False)
    """Parameters in all, in billions. Absent, the table's for a model of this name."""

    active: float | None = Field(default=None, gt=0, le=100_000, allow_inf_nan=False)
    """Parameters used for one token, in billions; absent, all of them or the table's."""

    bits: float = Field(default=16, gt=0, le=32)
    """Bits that a parameter is stored in: 16, 8, 4.25."""

    accelerator: Annotated[str, AfterValidator(_accelerator)] | None = None
    """The device, such as ``H100``; ``mainstay plan devices`` lists them."""

    count: int | None = Field(default=None, ge=1, le=1024)
    """Devices that one replica of the model takes; absent, as many as its weights need."""

    batch: float | None = Field(default=None, ge=1, le=10_000, allow_inf_nan=False)
    """Requests that a replica answers at the same time, on average. Energy for a token changes tenfold with it."""

    idle: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)
    """Energy of standing idle, for each unit of energy of working; absent, 0.12."""

    host: float | None = Field(default=None, ge=0, le=10, allow_inf_nan=False)
    """Energy of the servers around the devices, for each unit of theirs; absent, 150 W for each device."""

    cores: int | None = Field(default=None, ge=1, le=1024)
    """Cores that a local engine keeps busy while it answers; absent, its ``threads``, or all that there are."""

    watts_per_core: float = Field(default=6.0, gt=0, le=100)
    """Watts of a busy core, for a local engine that no meter measures."""

    @model_validator(mode="after")
    def _consistent(self) -> "ModelEnergyConfig":
        if self.params is not None and self.active is not None and self.active > self.params:
            raise ValueError("active must be at most params: it is the part of the parameters used for one token")
        return self


class ElectricityMapsConfig(Section):
    """Electricity Maps, version 3 of its API. Needs a token; its terms of use hold."""

    kind: Literal["electricitymaps"] = "electricitymaps"
    """Selects this source."""

    token: Secret
    """Your token, by reference."""

    zone: str = Field(pattern=r"^[A-Za-z0-9-]{1,40}$")
    """Its own name for the zone, such as ``DE`` or ``US-CAL-CISO``."""

    base_url: _Url = "https://api.electricitymaps.com"
    """Address that ``/v3/carbon-intensity/forecast`` is added to."""


class WattTimeConfig(Section):
    """WattTime, version 3 of its API: marginal intensity. Needs an account; its terms of use hold."""

    kind: Literal["watttime"] = "watttime"
    """Selects this source."""

    user: Secret
    """Your user name, by reference."""

    password: Secret
    """Your password, by reference."""

    region: str = Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")
    """Its own name for the region, such as ``CAISO_NORTH``."""

    base_url: _Url = "https://api.watttime.org"
    """Address that ``/login`` and ``/v3/forecast`` are added to."""


class UrlIntensityConfig(Section):
    """An address that answers with a series as JSON; the guide says how it looks."""

    kind: Literal["url"] = "url"
    """Selects this source."""

    url: _Url
    """Where it is."""

    token: Secret | None = None
    """Sent as ``authorization: Bearer``, by reference."""


class FileIntensityConfig(Section):
    """A file with a series as JSON, read again when it changes."""

    kind: Literal["file"] = "file"
    """Selects this source."""

    path: LocalPath
    """The file; relative to the folder of the configuration."""


LiveConfig = Annotated[
    ElectricityMapsConfig | WattTimeConfig | UrlIntensityConfig | FileIntensityConfig, Field(discriminator="kind")
]


def _from_method(value: Any) -> Any:
    return {"method": value} if isinstance(value, str) else value


class EnergyConfig(PlaceConfig):
    """Energy and carbon of calls. ``zone``, ``pue``, ``wue`` and ``market`` are of our own machines; vendors have their
    own, under ``providers``."""

    method: Literal["modelled", "ecologits", "off"] = "modelled"
    """How energy is found where no meter measures it: ``modelled`` from tokens, hardware and batch; ``ecologits`` by
    that project's published method, for comparison; ``off``: not at all."""

    providers: dict[Name, PlaceConfig] = {}
    """Where providers compute, by their names in ``providers``; what is not said is the vendor's own, or assumed."""

    live: LiveConfig | None = None
    """Where today's carbon intensity of ``zone`` comes from; absent, or while it does not answer, the average of a
    year."""

    refresh: Annotated[PositiveDuration, Field(ge=60)] = 900.0
    """How often ``live`` is asked."""

    stale: Annotated[PositiveDuration, Field(ge=60)] = 7200.0
    """How old an intensity may be before the yearly average is used instead."""


#: A section that may be just the name of a method.
EnergySection = Annotated[EnergyConfig, BeforeValidator(_from_method), OrText()]
