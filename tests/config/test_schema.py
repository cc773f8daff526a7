"""The whole configuration as one model."""

import subprocess
import sys

from mainstay.config.schema import Config


def test_nothing_need_be_written() -> None:
    config = Config()
    assert config.server.host == "127.0.0.1"
    assert config.identity.required
    assert (config.providers, config.models, config.routes) == ({}, {}, {})


def test_every_section_is_a_frozen_model_that_forbids_what_it_does_not_know() -> None:
    assert Config.model_config["frozen"]
    assert Config.model_config["extra"] == "forbid"
    assert all(field.description for field in Config.model_fields.values())


def test_importing_the_configuration_loads_no_network_and_no_database() -> None:
    heavy = {"asyncio", "sqlalchemy", "uvloop", "httptools", "structlog", "rich", "ssl"}
    code = f"import sys, mainstay.config; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
