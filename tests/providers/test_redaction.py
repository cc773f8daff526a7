"""What is taken out of an upstream's error, and what stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import ContentFiltered, MainstayError, UpstreamRefused
from mainstay.core.target import Target
from mainstay.providers.redaction import Redaction

TARGET = Target("fast", "vendor", "openai", "acme-70b.v3")
PLAIN = Target("fast", "vendor", "openai", "default")
RULES = Redaction([b"corp.example.ai-Zx81QQa7", b"s3cr3t/with+signs=="], "vllm-7.models.corp")


def cleaned(words: str, rules: Redaction = RULES, target: Target = TARGET) -> str:
    error = UpstreamRefused(words)
    rules.clean(error, target)
    assert str(error) == error.message
    return error.message


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("Bad key corp.example.ai-Zx81QQa7.", "Bad key [secret]."),
        # A codec took the first part for an address.
        ("Bad key [address]-Zx81QQa7.", "Bad key [address]-[secret]."),
        ("no s3cr3t/with+signs== here", "no [secret] here"),
        ("cannot reach vllm-7.models.corp:8000 now", "cannot reach [address] now"),
        ("cannot reach VLLM-7.models.corp.", "cannot reach [address]."),
        ("The model 'acme-70b.v3' is busy", "The model 'fast' is busy"),
        ("acme-70b.v3: not found", "fast: not found"),
        ("no such model: acme-70b.v3.", "no such model: fast."),
        ("failed in /opt/serving/engine.py now", "failed in [path] now"),
        ('open("/home/svc/keys.json") failed', 'open("[path]") failed'),
        (r"failed in C:\Users\svc\engine.py now", "failed in [path] now"),
    ],
)
def test_what_only_the_operator_knows_is_taken_out(words: str, left: str) -> None:
    assert cleaned(words) == left


@pytest.mark.parametrize(
    "words",
    [
        "temperature must be at most 2, see https://docs.acme.com/errors/temperature",
        "messages[0].content is missing; either/or/both",
        "the image is 12/24 bytes at /v1/files",
        "the model my-acme-70b.v3-mini is another one",
        "an example of corp life with signs",
    ],
)
def test_plain_words_stay_as_they_are(words: str) -> None:
    assert cleaned(words) == words


def test_a_plain_word_is_a_name_or_a_host_only_where_it_is_meant_as_one() -> None:
    rules = Redaction([], "vllm")
    assert cleaned("vllm says no at vllm:8000", rules) == "vllm says no at [address]"
    assert cleaned("see http://vllm/docs", rules) == "see http://[address]/docs"
    assert cleaned("the default is 'default'", rules, PLAIN) == "the default is 'fast'"


@pytest.mark.parametrize(
    "stack",
    [
        'Traceback (most recent call last):\n  File "/x.py", line 1',
        'boom File "engine.py", line 88, in forward',
        "NullPointerException at com.acme.Engine.run(Engine.java:10)",
        "Error: no at forward (/app/engine.js:7:9)",
        "panic: no goroutine 1 [running]:",
    ],
)
def test_a_stack_leaves_nothing_of_its_sentence(stack: str) -> None:
    assert cleaned(f"It failed. {stack}") == cleaned("Traceback (most recent call last)")
    assert "operator" in cleaned(stack)


def test_the_field_the_code_and_the_details_are_cleaned_too() -> None:
    error = ContentFiltered("no", param="acme-70b.v3", code="at vllm-7.models.corp")
    error.extra = {"results": [{"why": "s3cr3t/with+signs== of acme-70b.v3", "kept": 1.5}]}
    RULES.clean(error, TARGET)
    assert (error.param, error.code) == ("fast", "at [address]")
    assert error.extra == {"results": [{"why": "[secret] of fast", "kept": 1.5}]}
    error.extra = {"trace": 'Traceback (most recent call last): File "x"'}
    RULES.clean(error, TARGET)
    assert error.extra is None


def test_an_errors_own_code_stays_the_classs() -> None:
    error = UpstreamRefused("no")
    RULES.clean(error, TARGET)
    assert "code" not in vars(error)


@given(st.text(max_size=60), st.text(min_size=8, max_size=20, alphabet="ab1/+-._"), st.text(max_size=60))
def test_a_whole_secret_never_passes(before: str, secret: str, after: str) -> None:
    error = MainstayError(before + secret + after)
    Redaction([secret.encode()], "h").clean(error, TARGET)
    assert secret not in error.message
