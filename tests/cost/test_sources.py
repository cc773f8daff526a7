"""Where the catalogue is from: files, addresses and packages, and what a new one changes."""

import json
import zipfile
from datetime import date
from pathlib import Path

import pytest

from mainstay.core.errors import PriceError
from mainstay.cost.sources import build, difference, load

_TODAY = date(2026, 11, 21)
_TABLE = {"m": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-06}}
_PROVIDERS = [{"id": "openai", "models": [{"id": "m", "match": {"equals": "m"}, "prices": {"input_mtok": 2.5}}]}]
_PYTHON = """
providers: list[P] = [P(id='openai', models=[M(id='m', match=E(equals='m'), prices=N(input_mtok=Decimal('2.5')))])]
"""


def _wheel(path: Path, inside: str, text: str) -> Path:
    with zipfile.ZipFile(path, "w") as package:
        package.writestr(inside, text)
    return path


def test_a_package_says_what_its_data_says(tmp_path: Path) -> None:
    table, data = json.dumps(_TABLE), json.dumps(_PROVIDERS)
    inside = "litellm/model_prices_and_context_window_backup.json"
    litellm = load(str(_wheel(tmp_path / "litellm-1.2.3-py3-none-any.whl", inside, table)))
    genai = load(str(_wheel(tmp_path / "genai_prices-0.2.3-py3-none-any.whl", "genai_prices/data.py", _PYTHON)))
    assert (litellm[1], genai[1]) == ("litellm-1.2.3", "genai_prices-0.2.3")
    from_packages = build(litellm, genai, _TODAY)
    from_files = build((table.encode(), ""), (data.encode(), ""), _TODAY)
    assert difference(from_packages, from_files) == []
    assert [source.version for source in from_packages.sources] == ["genai_prices-0.2.3", "litellm-1.2.3"]
    assert from_packages.models["openai"]["m"].source == "both"


def test_what_changed_is_said_model_by_model() -> None:
    def made(**prices: float) -> tuple[bytes, str]:
        table = {name: {**_TABLE["m"], "input_cost_per_token": rate} for name, rate in prices.items()}
        return json.dumps(table).encode(), ""

    none = (b"[]", "")
    before, after = build(made(a=1e-06, b=1e-06), none, _TODAY), build(made(b=2e-06, c=3e-06), none, _TODAY)
    assert difference(before, after) == [
        ("gone", "openai", "a", "1", ""),
        ("changed", "openai", "b", "1", "2"),
        ("new", "openai", "c", "", "3"),
    ]


@pytest.mark.parametrize(
    ("litellm", "genai", "words"),
    [
        (b"{}", b"{}", "another form"),
        (b"nonsense", b"[]", "given for litellm is not its data"),
        (b"{}", b"def f(:", "given for genai-prices is not its data"),
        (b"PK nonsense", b"[]", "package"),
        (b"{}", b'[{"id": "x"}]', "cannot be read"),
    ],
)
def test_what_is_no_source_is_refused(litellm: bytes, genai: bytes, words: str) -> None:
    with pytest.raises(PriceError, match=words):
        build((litellm, ""), (genai, ""), _TODAY)


def test_a_place_with_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="cannot be read from"):
        load(str(tmp_path / "none"))
    with pytest.raises(PriceError, match="cannot be read from"):
        load("http://127.0.0.1:1/none")
