"""What the command line is told: a footprint with all that it was made from, and every meter or why it is not there."""

from pathlib import Path

from mainstay.core.usage import Usage
from mainstay.energy.config import EnergyConfig, ModelEnergyConfig
from mainstay.energy.profile import Served
from mainstay.energy.service import NAMES, imagine, open_meters


def test_a_report_says_what_was_taken_and_gives_each_figure_its_interval_or_reason() -> None:
    own = ModelEnergyConfig.model_validate({"accelerator": "H100", "batch": 64})
    report = imagine(Served("m", "llama-3.1-8b", "p", "vllm"), EnergyConfig(), own, Usage(input=100, output=50))
    assert (report.device, report.count, report.batch, report.zone, report.method) == (
        "H100 SXM",
        1,
        64,
        None,
        "modelled",
    )
    assert tuple(report.figures) == NAMES
    assert report.figures["energy"]["low"] < report.figures["energy"]["value"] < report.figures["energy"]["high"]
    assert report.figures["carbon_location"]["value"] is None
    assert "zone" in report.figures["carbon_location"]["reason"]


def test_the_published_method_names_itself() -> None:
    energy = EnergyConfig.model_validate({"method": "ecologits"})
    report = imagine(Served("m", "llama-3.1-8b", "p", "vllm"), energy, None, Usage(input=100, output=50))
    assert report.method == "ecologits"


def test_every_kind_of_meter_is_listed_also_where_it_is_not_there(tmp_path: Path) -> None:
    meters = open_meters(tmp_path)
    assert [meter.name for meter in meters] == ["rapl", "nvml"]
    assert meters[0].read().reason
    for meter in meters:
        meter.close()
