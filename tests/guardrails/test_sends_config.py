"""What ``routes.X.sends`` may say, and what is said of mistakes in it."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.guardrails.sends_config import SendsConfig


def made(**fields: Any) -> SendsConfig:
    return SendsConfig.model_validate(fields)


def test_an_empty_section_means_that_every_tool_sends_and_none_may_after_untrusted_content() -> None:
    config = made()
    assert (config.unknown, config.otherwise, config.mode, config.mark) == ("sends", "refuse", "enforce", True)


def test_one_name_may_stand_for_a_list_and_hosts_are_in_small_letters() -> None:
    config = made(trusted="clock", rules=[{"tool": "mail", "after": "web", "to": "*.Example.COM"}])
    assert config.trusted == ("clock",)
    assert (config.rules[0].after, config.rules[0].to) == (("web",), ("*.example.com",))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rules": [{"tool": "mail", "to": "https://example.com"}]}, "is a host or a pattern of hosts"),
        ({"rules": [{"tool": "mail", "to": "bob@example.com"}]}, "is a host or a pattern of hosts"),
        ({"rules": [{"tool": "mail", "after": []}]}, "at least 1"),
        ({"rules": [{"tool": "mail", "do": "deny"}]}, "'allow', 'refuse' or 'human'"),
        ({"otherwise": "allow", "mark": False}, "stops nothing"),
        ({"tools": {"mail": False}, "rules": [{"tool": "mail"}]}, "write `mail: true` under 'tools'"),
        ({"tools": {"ma*": False}, "rules": [{"tool": "mail"}]}, "'mail' sends nothing"),
        ({"unknown": "harmless", "rules": [{"tool": "mail"}]}, "'mail' sends nothing"),
        ({"unknown": "harmless", "tools": {"x": False}, "rules": [{"tool": "m*"}]}, "'m*' sends nothing"),
        ({"rules": [{"tool": "ma*"}, {"tool": "mail", "do": "refuse"}]}, "'rules[0]' always fits before it"),
        ({"rules": [{"tool": "*"}, {"tool": "ma*"}]}, "'rules[0]' always fits before it"),
        ({"trusted": ["cl*"], "rules": [{"tool": "mail", "after": "clock"}]}, "which 'trusted' names"),
        ({"tool": {}}, "Extra inputs"),
    ],
)
def test_a_row_that_cannot_work_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        made(**fields)
    assert said in str(refused.value)


def test_rows_that_can_be_reached_stand() -> None:
    rows = made(
        unknown="harmless",
        tools={"mail": True, "post_*": True},
        rules=[{"tool": "mail", "to": "a.example"}, {"tool": "mail", "do": "human"}, {"tool": "post_x"}],
    )
    assert [row.do for row in rows.rules] == ["allow", "human", "allow"]
    assert len(made(rules=[{"tool": "mail", "after": "web"}, {"tool": "mail", "do": "refuse"}]).rules) == 2
