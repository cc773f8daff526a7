"""Names, identifiers, quotations and code of two questions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.caching.names import names, names_differ


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How is life in Paris?", "how is life in paris"),
        ("Is Wi-Fi harmful?", "is wifi harmful?"),
        ("The iPhone 6 is slow", "iphone6 is slow"),
        ("Who is the CEO of Initech?", "Who's the ceo of Initech?"),
        ("What Is The Best Way To Learn Quickly", "what is the best way to learn quickly"),
        ("Why do I sleep?", "why do i sleep"),
        ("HOW DO I RESET IT", "How do I reset it"),
    ],
)
def test_a_name_in_other_letters_is_the_same(one: str, other: str) -> None:
    assert names_differ(one, other) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How is life in Paris?", "How is life in Rome?"),
        ("Is the CEO of Initech rich?", "Is the CEO of Globex rich?"),
        ("What does os.path.join do?", "What does os.path.split do?"),
        ("Learn C", "Learn C++"),
        ("why use C#", "why use C++"),
        ("Explain `a + b`", "Explain `a - b`"),
        ('What does "hello" mean?', 'What does "goodbye" mean?'),
        ("read https://example.com/a", "read https://example.com/b"),
        ("what is get_user", "what is set_user"),
        ("mail to ann@example.com", "mail to bob@example.com"),
        ("the error E1001", "the error E1002"),
        ("run rm -r", "run rm -f"),
        ("open /etc/hosts", "open /etc/passwd"),
        ("Does NATO pay?", "Does the UN pay?"),
    ],
)
def test_another_name_differs_both_ways(one: str, other: str) -> None:
    assert names_differ(one, other)
    assert names_differ(other, one)


@settings(deadline=None)
@given(st.text())
def test_any_text_agrees_with_itself(text: str) -> None:
    assert names_differ(text, text) is None
    assert isinstance(names(text), frozenset)


@settings(deadline=None)
@given(
    st.sampled_from(["Anna", "Berlin", "Kenya", "Toyota", "XK220"]),
    st.sampled_from(["Boris", "Vienna", "Chile", "Nissan", "XK230"]),
    st.sampled_from(["Tell me about {}", "how old is {} now", "does the school in {} open"]),
)
def test_no_question_with_another_name_passes(one: str, other: str, form: str) -> None:
    assert names_differ(form.format(one), form.format(other)) is not None
