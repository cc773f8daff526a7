"""From the configuration to the numbers that calls are counted by."""

from typing import Any

from mainstay.assembly.footprints import Footprinting, footprints_of, served_of
from mainstay.config.schema import Config
from mainstay.core.record import Attempt, Record
from mainstay.core.usage import Usage

PROVIDERS: dict[str, Any] = {
    "echo": {"kind": "echo"},
    "house": {"kind": "llamacpp", "model": "smollm2-135m-instruct", "threads": 3},
    "aws": {"kind": "bedrock", "region": "eu-central-1", "api_key": "k"},
    "pool": {"kind": "openai", "base_url": "http://127.0.0.1:9/v1"},
}
MODELS = {
    "said": {"provider": "echo"},
    "small": {"provider": "house"},
    "haiku": {"provider": "aws", "name": "anthropic.claude-haiku-4-5-v1:0"},
    "llama": {"provider": "pool", "name": "llama-3.1-8b", "energy": {"accelerator": "H100", "batch": 32}},
}


def config(**parts: Any) -> Config:
    return Config.model_validate({"providers": PROVIDERS, "models": MODELS, **parts})


def test_each_model_that_computes_has_a_footprint() -> None:
    found = footprints_of(config(energy={"zone": "FR"}))
    assert found is not None
    usage = Usage(input=100, output=100)
    assert found.of("said", usage, 1.0) is None
    methods = {name: found.of(name, usage, 1.0).method for name in ("small", "haiku", "llama")}  # type: ignore[union-attr]  # there
    assert methods == {"small": "modelled", "haiku": "assumed", "llama": "modelled"}


def test_off_is_off_and_the_published_method_is_chosen_by_name() -> None:
    assert footprints_of(config(energy="off")) is None
    found = footprints_of(config(energy="ecologits"))
    assert found is not None
    assert found.of("llama", Usage(input=1, output=1), 1.0).method == "ecologits"  # type: ignore[union-attr]  # there


def test_a_local_engine_is_known_by_its_file_and_threads_and_a_region_by_its_cloud() -> None:
    small, haiku = served_of("small", config()), served_of("haiku", config())
    assert (small.local, small.cores, small.upstream) == (True, 3, "smollm2-135m-instruct")
    assert haiku.region == "aws:eu-central-1"


def test_a_region_that_no_table_has_is_not_made_up() -> None:
    providers = PROVIDERS | {"aws": {"kind": "bedrock", "region": "mx-central-1", "api_key": "k"}}
    assert served_of("haiku", config(providers=providers)).region == ""


def test_records_get_their_energy_as_they_are_loaded_and_only_once() -> None:
    footprinting = Footprinting(config(energy={"zone": "FR"}))
    record = Record.opened("chat", "POST", "/v1/chat/completions")
    record.attempts = [Attempt(target="llama", usage=Usage(input=100, output=100))]
    footprinting.settle(record)
    assert (record.energy_method, record.carbon_g is not None) == ("modelled", True)
    measured = Record.opened("chat", "POST", "/v1/chat/completions")
    measured.attempts, measured.energy_method = record.attempts, "measured"
    footprinting.settle(measured)
    assert (measured.energy_method, measured.energy_wh) == ("measured", None)
