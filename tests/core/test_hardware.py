import subprocess
import sys

import pytest

from mainstay.core.errors import ConfigError
from mainstay.core.hardware import Accelerator, all_accelerators, find_accelerator


@pytest.mark.parametrize("row", all_accelerators(), ids=lambda row: row.name)
def test_every_row_makes_sense(row: Accelerator) -> None:
    assert row.source
    assert 1 < row.memory_gib < 1024
    assert 10 < row.bandwidth_gbs <= 20_000
    assert row.kind in ("gpu", "unified", "cpu")
    assert {"bf16", "fp16"} & row.tflops.keys()
    assert bool(row.priced) == (row.usd_per_hour is not None)
    if row.typical_w is not None:
        assert list(row.typical_w) == sorted(row.typical_w)
        assert row.tdp_w is not None
        assert row.typical_w[2] <= row.tdp_w


def test_names_and_aliases_are_of_one_row_each() -> None:
    names = [name.lower() for row in all_accelerators() for name in {row.name, *row.aliases}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("H100", "H100 SXM"),
        ("nvidia-h100-80gb-hbm3", "H100 SXM"),
        ("a100-40gb", "A100 40GB"),
        ("A100", "A100 80GB"),
        ("L40s", "L40S"),
        ("mi300x", "MI300X"),
        ("gaudi3", "Gaudi 3"),
        ("RTX_4090", "RTX 4090"),
        ("NVIDIA L4", "L4"),
        ("M2 Ultra", "Apple M2 Ultra"),
    ],
)
def test_a_device_is_found_however_it_is_spelt(name: str, row: str) -> None:
    assert find_accelerator(name).name == row


def test_an_unknown_device_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'H100'"):
        find_accelerator("H1OO")


def test_a_name_like_no_other_is_told_where_the_list_is() -> None:
    with pytest.raises(ConfigError, match="plan devices"):
        find_accelerator("quantum")


def test_a_precision_that_a_device_lacks_is_computed_in_a_wider_one() -> None:
    assert find_accelerator("H100").peak("fp8") == 1979
    assert find_accelerator("A100").peak("fp8") == 312
    assert find_accelerator("T4").peak("bf16") == 65
    assert find_accelerator("H100").peak("q4_k") == 989


def test_the_h100_has_the_published_figures() -> None:
    row = find_accelerator("H100")
    assert (row.bandwidth_gbs, row.tflops["bf16"], row.link_gbs) == (3350, 989, 450)
    assert row.typical_w == (391, 500, 637)


def test_no_table_is_read_at_import() -> None:
    code = (
        "import sys, mainstay.core.hardware as h, mainstay.core.sizes as s;"
        "print(h.all_accelerators.cache_info().currsize, s.all_sizes.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0"]
