"""The measure of energy fits what it is given, foretells each model without it, and refuses without data."""

import math
from pathlib import Path

import pytest
from bench.energy import Measured, fit, judge, leave_one_out, main, published, report

from mainstay.energy.modelled import COEFFICIENTS, Coefficients, Deployment, Machine, Size, token_energy

H100 = Machine(3350, 989, 500, 700, 0.0, fitted=True)
B200 = Machine(8000, 2250, 799, 1000, 1.0, fitted=True)
HEAD = (
    "task,activated_params_billions,avg_batch_size,avg_output_len,energy_per_token_joules,gpu_model,model_id,num_gpus,"
    "total_params_billions,weight_precision\n"
)


def rows(law: Coefficients, off: float = 1.0) -> list[Measured]:
    found = []
    for model, (total, active) in {"a": (8, 8), "b": (70, 70), "c": (117, 5), "d": (30, 3)}.items():
        for place, batch in enumerate((4, 16, 64, 256)):
            for machine in (H100, B200):
                deployment = Deployment(Size(total, active), machine, (1, 4, 2, 8)[place], batch)
                joules = token_energy(deployment, law).joules(0, 1, 500)
                found.append(Measured(model, deployment, 500.0, joules * (off if place % 2 else 1.0)))
    return found


def test_a_law_is_found_again_and_foretold_for_models_left_out() -> None:
    law = Coefficients(0.5, 0.8, 0.3, -0.2, 0.1, 0.05)
    found = fit(rows(law))
    for name in Coefficients.__struct_fields__:
        assert getattr(found, name) == pytest.approx(getattr(law, name), abs=0.02)
    assert judge(rows(law), leave_one_out(rows(law))).median < 0.01


def test_errors_are_those_of_the_middle_row_and_beyond_two_times_counts() -> None:
    given = rows(COEFFICIENTS)[:4]
    foretold = [row.joules * factor for row, factor in zip(given, (1.0, 1.1, 1.3, 3.0), strict=True)]
    found = judge(given, foretold, interval=True)
    assert found.median == pytest.approx(0.2)
    assert (found.rows, found.within_two, found.covered) == (4, 0.75, 0.75)


def test_the_published_formula_knows_neither_batch_nor_device() -> None:
    given = [row for row in rows(COEFFICIENTS) if row.model == "a"]
    assert len({round(joules, 12) for joules in published(given)}) == 1
    assert math.isclose(
        published(given)[0],
        3600 * (1.1665273170451914e-06 * math.exp(-0.011205921025579175 * 64) * 8 + 4.052928146734005e-05),
    )


def test_the_report_says_whether_the_promise_is_kept() -> None:
    text, kept = report(rows(COEFFICIENTS, off=1.2))
    assert "modelled, models unseen" in text
    assert isinstance(kept, bool)
    assert not report(rows(COEFFICIENTS, off=9.0))[1]


def test_a_file_is_read_and_without_one_it_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "configs.csv"
    lines = [
        f"gpqa,{size},{batch},1000,{0.01 * size / batch + 0.05},{gpu},m{size},{count},{size},bfloat16\n"
        for size in (8, 14, 32, 70)
        for batch in (8, 32, 128)
        for gpu, count in (("H100", 1), ("B200", 2))
    ]
    path.write_text(HEAD + "".join(lines))
    assert main(["--data", str(path)]) in (0, 1)
    assert "EcoLogits" in capsys.readouterr().out
    assert main([]) == 2
    assert main(["--data", str(tmp_path / "absent")]) == 2
    assert "--data" in capsys.readouterr().err
