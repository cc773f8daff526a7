"""No secret leaves through the log."""

import json
import subprocess
import sys

import pytest

from mainstay.telemetry.logs import redact


@pytest.mark.parametrize(
    "secret",
    [
        "ms-abcdefghijklmnop",
        "sk-proj-abcdefghijklmnop",
        "sk-ant-api03-abcdefghijkl_-xyz",
        "Bearer abcdefghijklmnop",
        "bearer abc.def.ghijklmnop=",
        "https://example.com/v1?key=abcdef&x=1",
        "https://example.com/v1?x=1&api_key=abcdef",
        "https://example.com/v1?access_token=abcdef&x=1",
        "https://bucket.example/a?X-Amz-Credential=abcdef&x=1",
        "postgresql://mainstay:abcdef@db.example/mainstay",
        "gsk_abcdefghijklmnopqrstuvwx",
        "hf_abcdefghijklmnopqrstuvwx",
        "AKIAabcdefABCDEFGHIJ".upper(),
        "AIzaSyabcdefghijklmnopqrstuvwxyz0123456",
        "eyJhbGciOiJIUzI1NiJ9.abcdefghijkl.mnopqrstuvwx",
        "authorization: Basic abcdefgh",
        "(b'cookie', b'session=abcdef; other=abcdef')",
        '"x-api-key": "abcdefgh"',
    ],
)
def test_what_looks_like_a_credential_is_replaced(secret: str) -> None:
    cleaned = redact(f"it failed: {secret} was refused")
    assert "abcdef" not in cleaned.lower()
    assert "[redacted]" in cleaned
    assert cleaned.startswith("it failed: ")


def test_plain_words_stay() -> None:
    for text in (
        "model gpt-4o-mini at route assistant, request 01a1fd58-13e7-777b-87e0-130cd4ec1066",
        "https://example.com:8080/a/b?page=2&limit=3",
        "the key 'test' of team red; authorization failed, and no cookie was set",
        "restart_needed: server.host, server.port or server.workers changed",
    ):
        assert redact(text) == text


def test_whatever_a_line_is_given_is_cleaned() -> None:
    code = (
        "from mainstay.telemetry.logs import configure_logs; import structlog\n"
        "configure_logs('json', 'info')\n"
        "class Odd:\n"
        "    def __repr__(self): return 'Odd(ms-abcdefghijklmnop)'\n"
        "held = {'headers': [('cookie', 'ms-abcdefghijklmnop')], 'ms-abcdefghijklmnop': 1}\n"
        "structlog.get_logger().info('x', a=Odd(), b=held, c=ValueError('sk-abcdefghijklmnop'),\n"
        "    d=b'ms-abcdefghijklmnop',\n"
        "    e=('sk-abcdefghijklmnop',), f={'ms-abcdefghijklmnop'}, n=1, t=True, none=None)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    line = json.loads(done.stderr)
    assert "abcdefghijklmnop" not in done.stderr
    assert (line["n"], line["t"], line["none"]) == (1, True, None)


def test_lines_are_json_with_the_processs_context_and_tracebacks_are_cleaned_too() -> None:
    code = (
        "from mainstay.telemetry.logs import configure_logs; import structlog\n"
        "configure_logs('json', 'info', worker=3)\n"
        "log = structlog.get_logger(); log.debug('quiet'); log.info('hello', key='ms-abcdefghijklmnop')\n"
        "try: raise ValueError('sk-abcdefghijklmnop')\n"
        "except ValueError: log.exception('broke')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["level"], line["worker"]) for line in lines] == [
        ("hello", "info", 3),
        ("broke", "error", 3),
    ]
    assert "abcdefghijklmnop" not in done.stderr
    assert "ValueError" in lines[1]["exception"]


def test_what_the_event_loop_and_libraries_log_leaves_by_the_same_way() -> None:
    code = (
        "from mainstay.telemetry.logs import configure_logs; import asyncio, logging\n"
        "configure_logs('json', 'info', worker=3)\n"
        "logging.getLogger('lib').debug('quiet'); logging.getLogger('lib').warning('lost %s', 'ms-abcdefghijklmnop')\n"
        "loop = asyncio.new_event_loop()\n"
        "loop.call_exception_handler({'message': 'broke', 'exception': ValueError('sk-abcdefghijklmnop')})\n"
        "loop.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["logger"], line["level"], line["worker"]) for line in lines] == [
        ("lib", "warning", 3),
        ("asyncio", "error", 3),
    ]
    assert "abcdefghijklmnop" not in done.stderr
    assert "ValueError" in lines[1]["exception"]


def test_each_problem_is_a_line_that_people_can_read_and_an_item_that_machines_can() -> None:
    code = (
        "import sys; from mainstay.telemetry.logs import configure_logs; import structlog\n"
        "configure_logs(sys.argv[1], 'info', worker=3)\n"
        "problems = ['a.yaml:1: it\\'s \"wrong\"; use b', 'a.yaml:7: holds ms-abcdefghijklmnop']\n"
        "structlog.get_logger().error('config_refused', problems=problems, hint='put it right')\n"
    )

    def said(form: str) -> list[str]:
        done = subprocess.run([sys.executable, "-c", code, form], capture_output=True, text=True, check=True)
        assert "abcdefghijklmnop" not in done.stderr
        return done.stderr.splitlines()

    head, *below = said("pretty")
    assert "config_refused" in head
    assert "put it right" in head
    assert "problems" not in head
    assert below == ['    a.yaml:1: it\'s "wrong"; use b', "    a.yaml:7: holds [redacted]"]
    (line,) = said("json")
    assert json.loads(line)["problems"] == [text.strip() for text in below]


@pytest.mark.parametrize(("level", "heard"), [("debug", ["info", "warning"]), ("info", ["warning"]), ("error", [])])
def test_libraries_are_heard_from_warnings_up_unless_all_is_wanted(level: str, heard: list[str]) -> None:
    code = (
        "import sys; from mainstay.telemetry.logs import configure_logs; import logging\n"
        "configure_logs('json', sys.argv[1])\n"
        "logging.getLogger('lib').info('by the way'); logging.getLogger('lib').warning('mind this')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, level], capture_output=True, text=True, check=True)
    assert [json.loads(line)["level"] for line in done.stderr.splitlines()] == heard
