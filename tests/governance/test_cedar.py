"""Policies as they are written: cut where they end, named, and told of by file and line where they are broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.governance.cedar import STARTER, PolicyText, find_flaws, read_policies

GOOD = """\
// Who may do what; in two policies.
@id("everyone")
permit(principal, action, resource);

@id("here; only")
@advice("Ask \\"near\\"; it is free.")
forbid(principal, action == Action::"ask", resource)
when { context.data.contains("personal; // not a comment") && !resource.local };
"""


def flaws(text: str, name: str = "a.cedar") -> list[tuple[int, str]]:
    return [(flaw.line, flaw.message) for flaw in find_flaws([PolicyText(f"/etc/{name}", text)])]


def test_policies_are_cut_at_their_ends_and_at_no_sign_in_a_text_or_a_comment() -> None:
    assert flaws(GOOD) == []
    first, second = read_policies([PolicyText("/etc/a.cedar", GOOD)])
    assert (first.id, first.permits, first.advice, first.line) == ("everyone", True, "", 2)
    assert (second.id, second.permits, second.line) == ("here; only", False, 5)
    assert second.advice == 'Ask "near"; it is free.'


def test_a_policy_is_called_otherwise_whatever_is_noted_of_it() -> None:
    text = f'@permit("x") // permit;\n@id("\\"forbid\\"") @forbid {STARTER}'
    [policy] = read_policies([PolicyText("/etc/a.cedar", text)])
    assert policy.called("7") == f'@id("7") {STARTER}'
    assert policy.id == '"forbid"'


def test_a_policy_without_a_name_is_called_after_its_place() -> None:
    [policy] = read_policies([PolicyText("/etc/policies/rest.cedar", f"\n\n{STARTER}")])
    assert policy.id == "rest.cedar:3"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("permit(principal, action, resource)", 1, "unexpected end of input"),
        ("permit(principal, action, resource)\nwhen {\n  context.data.contains(;\n};", 3, "unexpected token"),
        (f"{STARTER}\nforbid(principal,\n  action == , resource);", 3, "unexpected token `,`"),
        (f'{STARTER}\n"never closed', 2, "is no policy"),
        ("permit(principal == ?principal, action, resource);", 1, "slot"),
        ("\nforbid(principal, action, resource)\nwhen {\n  !resource.locl };", 4, "`locl`"),
        ('forbid(principal in Tem::"x", action, resource);', 1, "`Tem`"),
        ('forbid(principal, action == Action::"asks", resource);', 1, '`Action::"asks"`'),
        ("forbid(principal, action, resource)\nwhen { context.data == 3 };", 1, "not compatible"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int, said: str) -> None:
    found = flaws(text)
    assert found[0][0] == line
    assert said in found[0][1]


def test_a_name_given_twice_is_said_of_the_second_and_where_the_first_is() -> None:
    texts = [PolicyText("/etc/a.cedar", f'@id("x") {STARTER}'), PolicyText("/etc/b.cedar", f'\n@id("x") {STARTER}')]
    assert [(flaw.path, flaw.line) for flaw in find_flaws(texts)] == [("/etc/b.cedar", 2)]
    assert "a.cedar:1" in next(find_flaws(texts)).message


def test_a_file_of_comments_has_no_policies() -> None:
    assert flaws("// nothing yet\n  // really") == []
    assert read_policies([PolicyText("/etc/a.cedar", "// nothing; yet")]) == []


@given(st.lists(st.text(max_size=20).filter(lambda text: "\r" not in text), max_size=6))
def test_any_text_in_a_policy_is_read_back_and_every_policy_is_found(advice: list[str]) -> None:
    def quoted(text: str) -> str:
        return "".join(f"\\u{{{ord(c):x}}}" if not c.isalnum() or ord(c) > 126 else c for c in text)

    text = "\n".join(f'@id("p{at}") @advice("{quoted(one)};") {STARTER}' for at, one in enumerate(advice))
    found = read_policies([PolicyText("/etc/a.cedar", text)])
    assert [(one.id, one.advice) for one in found] == [(f"p{at}", f"{one};") for at, one in enumerate(advice)]
    assert [one.line for one in found] == list(range(1, len(advice) + 1))


@given(st.text(max_size=60))
def test_whatever_a_file_holds_is_read_or_told_of_and_never_breaks_the_check(text: str) -> None:
    for flaw in find_flaws([PolicyText("/etc/a.cedar", text)]):
        assert 1 <= flaw.line <= text.count("\n") + 1
