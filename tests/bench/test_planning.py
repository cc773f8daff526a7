import csv
import random
from pathlib import Path

import pytest

from bench import planning
from mainstay.core.hardware import find_accelerator
from mainstay.planning.breakeven import Bought, BreakEven, Built
from mainstay.planning.calibration import Measurement, Residual, estimate
from mainstay.planning.throughput import SHIPPED


def _data(path: Path) -> Path:
    """Write made-up measurements that follow the shipped coefficients, noisily."""
    source = random.Random(1)
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(
            ["task", "model_id", "gpu_model", "num_gpus", "weight_precision", "avg_batch_size", "avg_output_len",
             "median_itl_ms", "output_throughput_tokens_per_sec"]
        )  # fmt: skip
        for model in ("llama-3.1-8b", "qwen3-32b", "gpt-oss-20b", "gemma-3-12b"):
            for gpu in ("H100", "B200"):
                for batch in (1, 8, 64, 256):
                    row = Measurement(
                        plan=planning.Deployment(
                            size=planning.find_size(model), device=find_accelerator(gpu), devices=2
                        ),
                        batch=batch,
                        input_tokens=150,
                        output_tokens=600,
                    )
                    itl, rate = estimate(row, SHIPPED)
                    noise = source.uniform(0.8, 1.25)
                    out.writerow(["lm-arena-chat", model, gpu, 2, "bfloat16", batch, 600, itl * noise, rate / noise])
    return path


def test_measurements_are_read_with_their_group(tmp_path: Path) -> None:
    rows = planning.read_measurements(_data(tmp_path / "configs.csv"))
    assert len(rows) == 32
    assert {row.group for row in rows} == {"llama-3.1-8b", "qwen3-32b", "gpt-oss-20b", "gemma-3-12b"}


def test_accuracy_judges_what_it_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planning.accuracy(_data(tmp_path / "configs.csv"))
    out = capsys.readouterr().out
    assert "inter-token latency" in out
    assert "tokens per second" in out


def test_without_data_accuracy_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert planning.main(["accuracy"]) == 2
    assert planning.main(["accuracy", "--data", "gone.csv"]) == 2
    assert "--data FILE" in capsys.readouterr().out


def test_an_interval_is_judged_by_the_errors_of_others() -> None:
    residuals = [Residual(str(index % 5), (index * 37 % 100) / 100, None) for index in range(100)]
    assert planning.coverage(residuals, "itl") == pytest.approx(0.8, abs=0.05)


def test_brute_force_counts_every_volume() -> None:
    assert planning.brute_force(Bought(fixed=0, unit=1.0), Built(fixed=50, replica=80, volume=100), 5_000) == BreakEven(
        first=290, always=610
    )


def test_the_scan_equals_brute_force(capsys: pytest.CaptureFixture[str]) -> None:
    assert planning.main(["breakeven", "--cases", "20"]) == 0
    assert "0 differ" in capsys.readouterr().out
