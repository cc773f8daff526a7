"""Counters in a slab: exact, shared, and still there after their process is gone."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mainstay.telemetry.families import FAMILIES
from mainstay.telemetry.metrics import Slab, exposition


def value(page: bytes, name: str, **labels: str) -> float:
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    raise AssertionError(f"{name} {labels} is not on the page")


def test_workers_add_up(tmp_path: Path) -> None:
    for slot in ("0", "1", "control"):
        slab = Slab(tmp_path, slot)
        slab.counter("mainstay_records_total", "ok").add(5)
        slab.close()
    assert value(exposition(tmp_path), "mainstay_records_total", outcome="ok") == 15


def test_a_histogram_counts_each_value_once_in_every_bucket_above_it(tmp_path: Path) -> None:
    slab = Slab(tmp_path, "0")
    histogram = slab.histogram("mainstay_overhead_seconds", "r")
    for seconds in (0.0001, 0.00011, 0.05, 3.0):
        histogram.observe(seconds)
    page = exposition(tmp_path)
    slab.close()
    assert value(page, "mainstay_overhead_seconds_bucket", route="r", le="0.0001") == 1
    assert value(page, "mainstay_overhead_seconds_bucket", route="r", le="0.0002") == 2
    assert value(page, "mainstay_overhead_seconds_bucket", route="r", le="0.1") == 3
    assert value(page, "mainstay_overhead_seconds_bucket", route="r", le="+Inf") == 4
    assert value(page, "mainstay_overhead_seconds_count", route="r") == 4
    assert value(page, "mainstay_overhead_seconds_sum", route="r") == pytest.approx(3.05021)


def _count_and_die(directory: Path) -> None:
    slab = Slab(directory, "0")
    counter = slab.counter("mainstay_records_total", "ok")
    for _ in range(1000):
        counter.add()
    slab.counter("mainstay_requests_in_flight").add(3)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_workers_counts_survive_and_its_gauges_do_not(tmp_path: Path) -> None:
    child = multiprocessing.get_context("spawn").Process(target=_count_and_die, args=(tmp_path,))
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    successor = Slab(tmp_path, "0")
    successor.counter("mainstay_records_total", "ok").add()
    page = exposition(tmp_path)
    successor.close()
    assert value(page, "mainstay_records_total", outcome="ok") == 1001
    assert value(page, "mainstay_requests_in_flight") == 0


def test_two_in_one_slot_have_a_slab_each_and_the_next_one_takes_what_is_free(tmp_path: Path) -> None:
    old = Slab(tmp_path, "0")
    old.counter("mainstay_records_total", "ok").add(5)
    new = Slab(tmp_path, "0")
    new.counter("mainstay_records_total", "ok").add(2)
    for slab in (old, new):
        slab.counter("mainstay_requests_in_flight").add(3)
        slab.counter("mainstay_breaker_state", "0", "m").set(2)
    page = exposition(tmp_path)
    assert value(page, "mainstay_records_total", outcome="ok") == 7
    assert value(page, "mainstay_requests_in_flight") == 6
    assert value(page, "mainstay_breaker_state", worker="0", model="m") == 2
    old.close()
    assert value(exposition(tmp_path), "mainstay_requests_in_flight") == 3
    next_one = Slab(tmp_path, "0")
    next_one.counter("mainstay_records_total", "ok").add()
    assert value(exposition(tmp_path), "mainstay_records_total", outcome="ok") == 8
    assert sorted(path.name for path in tmp_path.glob("*.slab")) == ["0-1.slab", "0.slab"]
    for slab in (new, next_one):
        slab.close()


def test_a_worker_that_only_begins_does_not_spoil_the_page(tmp_path: Path) -> None:
    slab = Slab(tmp_path, "0")
    slab.counter("mainstay_records_total", "ok").add(5)
    (tmp_path / "1.keys").touch()
    (tmp_path / "2.keys").touch()
    (tmp_path / "2.slab").touch()
    assert value(exposition(tmp_path), "mainstay_records_total", outcome="ok") == 5
    slab.close()


def test_too_many_label_sets_go_together_and_nothing_is_lost(tmp_path: Path) -> None:
    slab = Slab(tmp_path, "0")
    for number in range(2500):
        slab.counter("mainstay_records_total", f"outcome-{number}").add()
    page = exposition(tmp_path)
    slab.close()
    assert page.count(b"mainstay_records_total{") == 2001
    assert value(page, "mainstay_records_total", outcome="_OTHER") == 500


def test_label_values_are_escaped(tmp_path: Path) -> None:
    slab = Slab(tmp_path, "0")
    slab.counter("mainstay_records_total", 'a"b\\c\nd').add()
    page = exposition(tmp_path)
    slab.close()
    assert value(page, "mainstay_records_total", outcome='a"b\\c\nd') == 1


def test_a_torn_line_in_the_list_of_series_is_passed_over(tmp_path: Path) -> None:
    slab = Slab(tmp_path, "0")
    slab.counter("mainstay_records_total", "ok").add()
    slab.close()
    with open(tmp_path / "0.keys", "ab") as keys:
        keys.write(b'["mainstay_records_total",["to')
    assert value(exposition(tmp_path), "mainstay_records_total", outcome="ok") == 1


def test_names_follow_the_conventions() -> None:
    for family in FAMILIES.values():
        assert family.name.startswith(("gen_ai_", "http_server_", "mainstay_"))
        assert family.kind == "counter" if family.name.endswith("_total") else family.kind in ("gauge", "histogram")
        assert not set(family.labels) & {"user", "key", "prompt", "request_id"}
    duration = FAMILIES["gen_ai_client_operation_duration_seconds"]
    assert duration.buckets == (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
    tokens = FAMILIES["gen_ai_client_token_usage"]
    assert tokens.buckets == tuple(4.0**n for n in range(14))
    http = FAMILIES["http_server_request_duration_seconds"]
    assert http.buckets == (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
