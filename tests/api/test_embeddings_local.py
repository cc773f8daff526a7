"""The official OpenAI SDK against the bundled local model, asked for vectors and completions: a real engine."""

from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI

from support.gateway import Gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    model = {"kind": "llamacpp", "model": "smollm2-135m-instruct", "context": 512, "parallel": 2, "pooling": "mean"}
    config = {"providers": {"house": model}, "models": {"small": {"provider": "house"}}}
    with Gateway(tmp_path_factory.mktemp("local"), config) as running:
        yield running


@pytest.fixture
def sdk(gateway: Gateway) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
        yield client


def test_a_local_model_makes_vectors_of_texts_and_tokens(sdk: OpenAI, gateway: Gateway) -> None:
    answer = sdk.embeddings.create(model="small", input=["one", "one", "two words"])
    first, again, other = (entry.embedding for entry in answer.data)
    assert len(first) == 576
    assert first == pytest.approx(again, abs=1e-3)
    assert first != pytest.approx(other, abs=1e-3)
    assert len(sdk.embeddings.create(model="small", input=[[1, 2], [3]], encoding_format="float").data) == 2
    usage = gateway.journal()[-1].usage
    assert usage is not None
    assert (usage.input, usage.estimated) == (3, False)


def test_the_length_of_its_vectors_is_not_the_callers_to_choose(sdk: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.embeddings.create(model="small", input="one", dimensions=4)
    assert caught.value.param == "dimensions"


def test_it_completes_a_prompt_and_each_of_a_list(sdk: OpenAI, gateway: Gateway) -> None:
    whole = sdk.completions.create(model="small", prompt="One two three four", max_tokens=4, temperature=0)
    assert whole.choices[0].finish_reason == "length"
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 4
    both = sdk.completions.create(model="small", prompt=["One two three four", "A b c"], max_tokens=4, temperature=0)
    assert both.choices[0].text == whole.choices[0].text
    assert both.usage is not None
    assert both.usage.completion_tokens == 8
    pieces = sdk.completions.create(
        model="small", prompt="One two three four", max_tokens=4, temperature=0, stream=True
    )
    assert "".join(piece.choices[0].text for piece in pieces if piece.choices) == whole.choices[0].text
    assert gateway.journal()[-1].operation == "text_completion"


def test_it_still_talks(sdk: OpenAI) -> None:
    answer = sdk.chat.completions.create(model="small", messages=[{"role": "user", "content": "Hi"}], max_tokens=3)
    assert answer.choices[0].message.content
