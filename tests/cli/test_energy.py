"""``mainstay energy``: what a call would take, the meters of this machine, and the zones that may be named."""

import json

CONFIG = """\
energy: {zone: DE, providers: {pool: {zone: FR}}}
providers:
  pool: {kind: openai, base_url: "http://127.0.0.1:9/v1"}
models:
  llama: {provider: pool, name: llama-3.1-8b, energy: {accelerator: H100, batch: 32}}
"""


def test_a_call_of_any_model_is_estimated_by_options_alone(command) -> None:
    options = ("--gpu", "H100", "--count", "4", "--batch", "64", "--zone", "DE", "--json")
    code, out, _ = command.run("energy", "estimate", "llama-3.3-70b", "--in", "1000", "--out", "200", *options)
    report = json.loads(out)
    assert code == 0
    assert (report["method"], report["count"], report["zone"], report["assumed"]) == ("modelled", 4, "DEU", [])
    energy, carbon = report["figures"]["energy"], report["figures"]["carbon_location"]
    assert energy["low"] < energy["value"] < energy["high"]
    assert carbon["unit"] == "g"
    assert report["figures"]["carbon_market"]["value"] is None


def test_a_model_of_the_configuration_is_taken_from_it_and_options_go_first(command) -> None:
    (command.folder / "mainstay.yaml").write_text(CONFIG)
    code, out, _ = command.run("energy", "estimate", "llama", "--json")
    report = json.loads(out)
    assert code == 0
    assert (report["device"], report["batch"], report["zone"], report["method"]) == ("H100 SXM", 32, "FRA", "modelled")
    code, out, _ = command.run("energy", "estimate", "llama", "--zone", "SE", "--method", "ecologits", "--json")
    report = json.loads(out)
    assert code == 0
    assert (report["zone"], report["method"]) == ("SWE", "ecologits")


def test_what_was_assumed_is_said_on_standard_error(command) -> None:
    code, out, said = command.run("energy", "estimate", "gpt-4o-mini", "--vendor", "openai")
    assert code == 0
    assert out.splitlines()[0].split("\t")[0] == "energy"
    assert "assumed: its vendor does not publish its size" in said


def test_a_wrong_option_is_one_sentence_with_the_nearest_name(command) -> None:
    code, out, said = command.run("energy", "estimate", "x", "--gpu", "H1000")
    assert (code, out) == (2, "")
    assert "--gpu" in said
    assert "H100" in said


def test_meters_say_why_they_are_not_there(command) -> None:
    code, out, _ = command.run("energy", "meters", "--json")
    meters = json.loads(out)
    assert code == 0
    assert [meter["name"] for meter in meters] == ["rapl", "nvml"]
    assert all((meter["watts"] is None) == bool(meter["reason"]) for meter in meters)


def test_zones_are_found_by_their_words(command) -> None:
    code, out, _ = command.run("energy", "zones", "germany")
    assert code == 0
    assert "DEU\tGermany\t381 g/kWh\t2023" in out.splitlines()
