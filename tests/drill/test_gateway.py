"""The drilled gateway as a process."""

import os
from pathlib import Path

import pytest

from mainstay.core.errors import StartError
from mainstay.drill.gateway import Gateway, prepare_home
from support.command import ECHO

pytestmark = pytest.mark.anyio


async def test_it_starts_on_a_copy_of_its_home_and_ends_with_the_block(tmp_path: Path) -> None:
    assert prepare_home(tmp_path / "var").startswith("ms-")
    # The key is in the copy; what another gateway's folder is called does not matter.
    env = {**os.environ, "MAINSTAY_HOME": str(tmp_path / "elsewhere")}
    async with Gateway(tmp_path / "one", tmp_path / "var", ECHO, env) as gateway:
        assert gateway.port > 0
        assert await gateway.records() == {}
        pid = int((tmp_path / "one" / "var" / "run" / "mainstay.pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (tmp_path / "elsewhere").exists()


async def test_a_wrong_configuration_is_a_sentence_with_its_reason(tmp_path: Path) -> None:
    prepare_home(tmp_path / "var")
    with pytest.raises(StartError, match=r"did not start: .*routes\.r\.targets"):
        async with Gateway(tmp_path / "one", tmp_path / "var", "routes: {r: {targets: [none]}}", os.environ):
            pass
