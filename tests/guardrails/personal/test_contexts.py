"""Words near a place: before it, shortly after it, whole, and no further away than promised."""

from mainstay.guardrails.personal.contexts import LOCALES, NEAR, open_contexts


def test_a_word_counts_before_a_place_and_shortly_after() -> None:
    contexts = open_contexts()
    assert contexts.near("birth", "Born on 1 May", 8, 13)
    assert contexts.near("birth", "1 May is my birthday", 0, 5)
    assert not contexts.near("birth", "1 May" + " " * 30 + "birthday", 0, 5)
    assert not contexts.near("birth", "stubborn on 1 May", 12, 17)


def test_a_word_cut_by_the_edge_of_what_is_looked_at_does_not_count() -> None:
    contexts = open_contexts()
    text = "unborn" + " " * (NEAR - 4) + "1 May"
    assert not contexts.near("birth", text, len(text) - 5, len(text))
    text = "un born" + " " * (NEAR - 4) + "1 May"
    assert contexts.near("birth", text, len(text) - 5, len(text))


def test_only_the_languages_asked_for_count() -> None:
    german = open_contexts(["de"], {"room": ["zimmer"]})
    assert german.near("birth", "geboren 1 Mai", 8, 13)
    assert not german.near("birth", "born 1 Mai", 5, 10)
    assert german.near("room", "Zimmer 3", 7, 8)
    assert not german.near("unknown", "Zimmer 3", 7, 8)


def test_every_language_has_words_for_every_topic() -> None:
    for locale in LOCALES:
        for topic in ("card", "phone", "birth", "address"):
            assert open_contexts([locale])._patterns[topic].pattern
