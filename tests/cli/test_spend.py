"""``mainstay spend`` and what is under it, over a database with calls of known cost."""

import csv
import io
import json
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mainstay.cli.main import build
from mainstay.core.clock import wall_ms
from mainstay.core.record import Record
from mainstay.identity.service import Keys
from mainstay.store.journal import Journal
from mainstay.store.sql import migrate, open_engine, writing
from support.focus import flaws
from support.records import line
from support.spending import DAY, attempt, bought, keep

USD = 10**12
CONFIG = """
identity: {required: false}
providers:
  openai-main: {kind: openai, base_url: "http://127.0.0.1:9/v1"}
  claude: {kind: anthropic, base_url: "http://127.0.0.1:9/v1"}
models:
  gpt: {provider: openai-main, name: gpt-4o}
  haiku: {provider: claude, name: claude-haiku-4-5}
cost:
  budgets: {all: 500/month, teams: {limit: 100/month, per: team}}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAINSTAY_HOME", raising=False)
    Path("mainstay.yaml").write_text(CONFIG)


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(build(), ["spend", *words])
    assert result.exit_code == code, result.output
    return result.stdout


def told(*words: str) -> str:
    """Return what is said to people, beside standard output."""
    return CliRunner().invoke(build(), ["spend", *words]).stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a home with a dollar a day of two teams over 49 days in its books, and a fall-back; and their key's id."""
    home = tmp_path_factory.mktemp("home")
    engine = open_engine(f"sqlite:///{home}/mainstay.db")
    migrate(engine)
    key = Keys(engine, home).create("alice", team="web").row.id
    now = wall_ms()
    records: list[Record] = []
    for n in range(49):
        at = now - n * DAY
        month = datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m")
        for team in ("web", "app"):
            charges = {f"all||usd|month@{month}": USD, f"teams|{team}|usd|month@{month}": USD}
            energy = {"energy_wh": 0.5, "energy_low_wh": 0.25, "energy_high_wh": 1.0, "carbon_g": 0.2}
            records.append(bought(at, attempt("gpt", USD), team=team, key=key, charges=charges, tags=["x"], **energy))
    failed = attempt("gpt", 2 * USD, outcome="upstream_interrupted")
    records.append(bought(now, failed, attempt("haiku", 3, priced="ceiling"), key=key, user="=cmd()", team="web"))
    keep(engine, records)
    engine.dispose()
    return home, key


@pytest.fixture
def filled(made: tuple[Path, str], tmp_path: Path) -> str:
    """Put a copy of it where the command looks, and return the key's id."""
    shutil.copytree(made[0], tmp_path / "var")
    return made[1]


def test_spending_is_shown_by_any_dimension(filled: str) -> None:
    rows = [line.split("\t") for line in run("--by", "team,model", "--since", "9d").splitlines()]
    assert [(row[0], row[1], row[2], row[7]) for row in rows] == [
        ("web", "gpt", "11", "12.00"),
        ("app", "gpt", "10", "10.00"),
        ("web", "haiku", "1", "0.000000000003"),
    ]
    assert [line.split("\t")[0] for line in run("--by", "key").splitlines()] == ["alice"]
    assert len(run("--by", "day", "--since", "6d").splitlines()) == 7
    assert len(run("--by", "month,team", "--since", "60d").splitlines()) >= 4


@pytest.mark.parametrize(
    ("option", "value", "count"),
    [
        *(("--key", "alice", 99), ("--team", "app", 49), ("--tag", "x", 98), ("--user", "=cmd()", 1)),
        *(("--model", "haiku", 1), ("--provider", "openai-main", 99), ("--vendor", "anthropic", 1)),
        *(("--operation", "chat", 99), ("--route", "no", 0), ("--organisation", "default", 99)),
    ],
)
def test_only_what_fits_is_counted(filled: str, option: str, value: str, count: int) -> None:
    found = json.loads(run("--by", "day", "--since", "60d", option, value, "--json"))
    assert found["total"]["calls"] == count


def test_json_has_exact_amounts_tokens_energy_and_the_total(filled: str) -> None:
    found = json.loads(run("--by", "key", "--since", "60d", "--json"))
    row = found["rows"][0]
    assert (row["key"], row["key_name"], row["cost_usd"]) == (filled, "alice", "100.000000000003")
    assert row["tokens"]["input"] == 100 * 100
    assert (row["energy_wh"], row["energy_low_wh"], row["energy_high_wh"]) == (49.0, 24.5, 98.0)
    assert found["total"]["cost_usd"] == row["cost_usd"]
    assert (found["by"], found["zone"]) == (["key"], "UTC")


def test_csv_has_a_header_and_nothing_that_a_spreadsheet_would_run(filled: str) -> None:
    rows = list(csv.DictReader(io.StringIO(run("--by", "user,key", "--since", "60d", "--csv"))))
    assert {row["user"] for row in rows} == {"", "'=cmd()"}
    assert {row["key_name"] for row in rows} == {"alice"}
    assert sum(Decimal(row["cost_usd"]) for row in rows) == Decimal("100.000000000003")


def test_an_export_for_finance_tools_keeps_the_rules_and_adds_up(filled: str) -> None:
    for version in ("1.2", "1.4"):
        assert "of FOCUS" in told("--since", "60d", "--focus", "out.csv", "--focus-version", version)
        with Path("out.csv").open(newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
        assert flaws(reader.fieldnames or (), rows, version) == []
        assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal("100.000000000003")
    assert {row["InvoiceIssuerName"] for row in rows} == {"OpenAI", "Anthropic"}
    assert run("--since", "60d", "--focus", "-").startswith("BilledCost,")
    run("--focus", "out.csv", "--focus-version", "0.9", code=2)


def test_what_the_workers_wrote_since_is_counted_and_entered(filled: str, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "var" / "journal", 0)
    journal.append(line(bought(wall_ms(), attempt("gpt", 5 * USD), team="new", charges={})))
    journal.close()
    assert json.loads(run("--team", "new", "--json"))["total"]["cost_usd"] == "5"
    assert "The books are right: 100 records" in run("verify")


def test_budgets_stand_as_the_books_say(filled: str) -> None:
    found = json.loads(run("budgets", "--json"))
    assert [(one["budget"], one["of"], one["limit_usd"]) for one in found] == [
        ("all", "", "500"),
        ("teams", "team app", "100"),
        ("teams", "team web", "100"),
    ]
    days = datetime.now(UTC).day
    assert [Decimal(one["used_usd"]) for one in found] == [2 * days, days, days]
    assert all(one["held_usd"] == "0" for one in found)
    assert Decimal(found[0]["left_usd"]) == 500 - 2 * days
    assert Decimal(found[0]["at_end_usd"]["low"]) >= 2 * days
    assert len(run("budgets").splitlines()) == 3


def test_a_forecast_has_an_interval_for_every_day(filled: str) -> None:
    found = json.loads(run("forecast", "--days", "5", "--team", "app", "--json"))
    assert len(found["days"]) == 5
    assert found["days_known"] == 48
    for day in (*found["days"], found["total"]):
        assert Decimal(day["low_usd"]) <= Decimal(day["likely_usd"]) <= Decimal(day["high_usd"])
    # Of today, what was spent is certain, and a part of the day is to come.
    assert 4.9 <= float(found["total"]["likely_usd"]) <= 6.1
    assert len(run("forecast", "--days", "5").splitlines()) == 6


def test_a_forecast_that_cannot_be_made_says_why() -> None:
    assert run("forecast") == ""
    assert "known for 0 whole days, and a forecast needs 14" in told("forecast")
    found = json.loads(run("forecast", "--json"))
    assert (found["days"], found["total"], found["reason"][:8]) == (None, None, "Spending")


def test_days_out_of_line_are_shown_and_no_others(filled: str, tmp_path: Path) -> None:
    assert run("anomalies", "--by", "team") == ""
    assert "None of 14 days is out of line" in told("anomalies", "--by", "team")
    engine = open_engine(f"sqlite:///{tmp_path}/var/mainstay.db")
    keep(engine, [bought(wall_ms() - 2 * DAY, attempt("gpt", 30 * USD), team="web")])
    engine.dispose()
    found = json.loads(run("anomalies", "--by", "team", "--json"))
    assert [(one["team"], one["spent_usd"], one["usual_usd"]) for one in found["anomalies"]] == [("web", "31", "1")]
    assert run("anomalies", "--by", "team").split("\t")[1:] == ["web", "31.00", "1.00", "31.0\n"]
    run("anomalies", "--span", "week", code=2)


def test_books_that_are_right_pass_and_wrong_ones_do_not(filled: str, tmp_path: Path) -> None:
    assert run("verify").startswith("The books are right: 99 records, ")
    assert json.loads(run("verify", "--json"))["right"] is True
    engine = open_engine(f"sqlite:///{tmp_path}/var/mainstay.db")
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE attempts SET cost = cost + 1 WHERE target = 'haiku'")
    engine.dispose()
    wrong = run("verify", code=1)
    assert "its attempts cost 2.000000000004 USD" in wrong
    assert "2 faults" in wrong
    assert json.loads(run("verify", "--json", code=1))["wrong"] == 2


def test_what_providers_report_is_compared_with_the_price_list(filled: str, tmp_path: Path) -> None:
    assert run("differences") == ""
    assert "No provider has reported" in told("differences")
    engine = open_engine(f"sqlite:///{tmp_path}/var/mainstay.db")
    keep(engine, [bought(wall_ms(), attempt("gpt", 3 * USD, computed=2 * USD), team="web")])
    engine.dispose()
    assert run("differences") == "openai-main\tgpt\t1\t3.00\t2.00\t+50.00%\n"
    assert json.loads(run("differences", "--json"))[0]["difference_usd"] == "1"
    assert json.loads(run("differences", "--json", "--least", "60")) == []


def test_calls_whose_price_nobody_knows_are_listed(filled: str) -> None:
    assert run("unpriced").startswith("claude\thaiku\t1\t100\t10\t")
    assert "mainstay spend unpriced" in told("--by", "team")
    assert "Every call in this time has a price" in told("unpriced", "--since", "2020-01-01", "--until", "2020-02-01")
    assert json.loads(run("unpriced", "--json"))[0]["unpriced"] == 1


def test_where_nothing_was_spent_it_is_said() -> None:
    assert run() == ""
    assert "Nothing was asked in this time" in told()
    assert json.loads(run("--json"))["rows"] == []
    assert run("--csv", "--by", "team").splitlines()[0].startswith("team,calls,")
    assert "no budgets" not in told("budgets")
    Path("mainstay.yaml").write_text(CONFIG.partition("cost:")[0])
    assert "There are no budgets" in told("budgets")
    assert json.loads(run("budgets", "--json")) == []


@pytest.mark.parametrize(
    "words",
    [
        ["--by", "colour"],
        ["--since", "soon"],
        ["--until", "x"],
        ["--zone", "Middle/Earth"],
        ["forecast", "--days", "0"],
    ],
    ids=str,
)
def test_a_wrong_question_is_refused_with_what_is_right(words: list[str]) -> None:
    run(*words, code=2)
