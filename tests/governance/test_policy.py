"""Decisions: as Cedar makes them, the same for the same values, and told with the policies that made them."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.governance.cedar import STARTER, PolicyText, read_policies
from mainstay.governance.policy import Asking, ModelFacts, Policies

TEXT = f"""
@id("everyone") {STARTER}
@id("personal-stays") @advice("Ask 'near'.")
forbid(principal, action, resource) when {{ context.data.contains("personal") && !resource.local }};
@id("europe")
forbid(principal in Organisation::"acme", action, resource) unless {{ resource.local || resource.region like "eu-*" }};
@id("kids") forbid(principal in Team::"kids", action, resource) unless {{ context.purpose == "school" }};
@id("terms") forbid(principal == Key::"careful", action, resource)
when {{ resource.trains || resource.retention_days > 30 }};
@id("bob") forbid(principal, action, resource) when {{ context.user == User::"bob" && context.route == "chat" }};
"""
MODELS = (
    ModelFacts("near", vendor="llamacpp", local=True, retention_days=0, trains=False, open_weights=True),
    ModelFacts("far", vendor="openai", region="us-east-1", country="US"),
    ModelFacts("known", vendor="mistral", region="eu-west-1", country="FR", retention_days=30, trains=False),
)


@pytest.fixture(scope="module")
def policies() -> Policies:
    return made(TEXT)


def made(*texts: str) -> Policies:
    return Policies(read_policies(PolicyText(f"/etc/{at}.cedar", text) for at, text in enumerate(texts)), MODELS)


@pytest.mark.parametrize(
    ("asking", "model", "denied_by"),
    [
        (Asking("k"), "far", ()),
        (Asking("k", data=frozenset({"personal", "email"})), "far", ("personal-stays",)),
        (Asking("k", data=frozenset({"personal"})), "near", ()),
        (Asking("k", masked=frozenset({"personal"})), "far", ()),
        (Asking("k", "sales", "acme"), "far", ("europe",)),
        (Asking("k", "", "acme"), "far", ("europe",)),
        (Asking("k", "sales", "acme"), "known", ()),
        (Asking("k", "sales", "other"), "far", ()),
        (Asking("k", "kids", "default"), "near", ("kids",)),
        (Asking("k", "kids", "default", purpose="school"), "near", ()),
        (Asking("careful"), "far", ("terms",)),
        (Asking("careful"), "known", ()),
        (Asking("careful"), "near", ()),
        (Asking("k", user="bob", route="chat"), "near", ("bob",)),
        (Asking("k", user="bob", route="other"), "near", ()),
        (Asking("k", "sales", "acme", data=frozenset({"personal"})), "far", ("personal-stays", "europe")),
    ],
)
def test_a_call_is_denied_by_the_policies_that_forbid_it_and_permitted_where_none_does(
    policies: Policies, asking: Asking, model: str, denied_by: tuple[str, ...]
) -> None:
    decision = policies.decide(asking, model)
    assert decision.permitted is not bool(denied_by)
    assert decision.policies == (denied_by or ("everyone",))


def test_what_no_policy_permits_is_denied_and_the_error_says_how_to_permit_it() -> None:
    decision = made('@id("none") forbid(principal, action, resource) when { resource.local };').decide(
        Asking("k"), "far"
    )
    assert (decision.permitted, decision.policies) == (False, ())
    error = decision.refusal("far")
    assert (error.status, error.code, error.extra) == (403, "policy_denied", {"policies": []})
    assert STARTER in error.message


def test_a_refusal_names_its_policies_and_says_what_they_advise(policies: Policies) -> None:
    one = policies.decide(Asking("k", data=frozenset({"personal"})), "far").refusal("far")
    assert one.message == "The policy 'personal-stays' does not let this request go to 'far'. Ask 'near'."
    two = policies.decide(Asking("k", "s", "acme", data=frozenset({"personal"})), "far").refusal("far")
    assert two.message.startswith("The policies 'personal-stays' and 'europe' do not let this request go to 'far'.")
    assert two.extra == {"policies": ["personal-stays", "europe"]}


def test_policies_of_several_files_count_together_in_their_order() -> None:
    both = made(
        f'@id("a") {STARTER}',
        '@id("b") forbid(principal, action, resource); @id("c") permit(principal, action, resource);',
    )
    assert both.decide(Asking("k"), "near").policies == ("b",)
    assert [one.id for one in both.policies] == ["a", "b", "c"]


def test_a_policy_that_cannot_be_worked_out_denies() -> None:
    text = f"""@id("all") {STARTER}
    @id("sum") forbid(principal, action, resource)
    when {{ resource.retention_days * 9223372036854775807 > 1 && resource.retention_days > 30 }};"""
    decision = made(text).decide(Asking("k"), "far")
    assert not decision.permitted
    assert made(text).decide(Asking("k"), "near").permitted


def test_a_decision_is_made_once_and_remembered(policies: Policies) -> None:
    first = policies.decide(Asking("remembered", data=frozenset({"a", "b"})), "near")
    assert policies.decide(Asking("remembered", data=frozenset({"b", "a"})), "near") is first


def test_what_no_policy_mentions_is_known_and_so_is_another_version() -> None:
    plain, other = made(STARTER), made(f"{STARTER} {STARTER}")
    assert not plain.read_data
    assert not plain.mention("purpose")
    assert made(STARTER).version == plain.version != other.version
    assert made(TEXT).read_data


_WHO = ("", 'principal == Key::"{}"', 'principal in Team::"{}"', 'principal in Organisation::"{}"', "principal is Key")
_WHAT = ("resource", 'resource == Model::"near"', 'resource in Model::"far"', "resource is Model")
_RULES = st.tuples(
    st.sampled_from(("permit", "forbid")),
    st.sampled_from(_WHO),
    st.sampled_from("abc"),
    st.sampled_from(_WHAT),
    st.sampled_from(("", 'when { context.data.contains("x") }', "unless { resource.local }")),
)


@settings(max_examples=25)
@given(st.lists(_RULES, min_size=1, max_size=12))
def test_of_many_policies_those_whose_heads_hold_decide_as_all_of_them_do(rules: list[tuple[str, ...]]) -> None:
    text = "\n".join(
        f"{effect} ({who.format(name) or 'principal'}, action, {what}) {when};"
        for effect, who, name, what, when in rules
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mainstay.governance.policy._WHOLE", 0)
        some = made(text)
    whole = made(text)
    for key, team, organisation in product("ab", ("", "a", "c"), "ac"):
        for model, data in product(("near", "far"), (frozenset[str](), frozenset({"x"}))):
            asking = Asking(key, team, organisation, data=data)
            one, other = some.decide(asking, model), whole.decide(asking, model)
            assert one == other


@given(st.text(max_size=40), st.text(max_size=40), st.sets(st.text(max_size=20), max_size=4))
def test_no_name_or_kind_of_data_breaks_a_decision(policies: Policies, key: str, team: str, data: set[str]) -> None:
    decision = policies.decide(Asking(key, team, "default", user=key, data=frozenset(data)), "far")
    assert decision.permitted is not ("personal" in data or team == "kids" or key == "careful")
