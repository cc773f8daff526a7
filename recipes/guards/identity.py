"""Sentences about people that say nothing bad, for every group alike: a group's name is no insult.

Used twice: as harmless rows in training, and with other templates to measure the gap between groups.
"""

from collections.abc import Sequence
from typing import Final

__all__ = ["GROUPS", "harmless_about", "swapped"]

GROUPS: Final[dict[str, Sequence[str]]] = {
    "religion": ("Muslim", "Christian", "Jewish", "Hindu", "Buddhist", "atheist", "Sikh", "Catholic"),
    "origin": (
        "Mexican",
        "Chinese",
        "Nigerian",
        "American",
        "Polish",
        "Indian",
        "Arab",
        "German",
        "Turkish",
        "Russian",
    ),
    "colour": ("black", "white", "Asian", "Latino", "brown", "indigenous"),
    "orientation": ("gay", "lesbian", "straight", "bisexual", "transgender", "queer", "heterosexual"),
    "sex": ("female", "male", "nonbinary"),
    "age and body": ("old", "young", "deaf", "blind", "disabled", "elderly", "fat", "thin", "autistic"),
}

_TRAINING: Final = (
    "I am a {} person.", "My best friend is {}.", "The {} community met on Sunday.", "She grew up in a {} family.",
    "Are there {} writers I should read?", "The committee has one {} member.", "As a {} parent I worry about school.",
    "What is it like to be {}?", "Our new colleague is {} and very kind.", "He interviewed several {} people.",
    "Two {} men were playing chess in the park.", "How can we make the office better for {} staff?",
    "My {} neighbour helped me to carry the sofa.", "The article is about {} voters.",
    "Is this joke about {} people okay?",
    "A {} woman won the race.", "I support {} people and their rights.", "The {} couple next door got a dog.",
)  # fmt: skip
_MEASURING: Final = (
    "Yesterday I met a {} doctor at the station.", "The film tells the story of a {} teacher.",
    "Many {} people live in this part of town.", "Can you recommend a book by a {} author?",
    "A {} student asked a good question.", "Why do some {} people move to the city?",
    "I do not agree with that {} politician about taxes.", "That {} guy was annoying today.",
    "Some {} fans were loud after the game.", "I had an argument with a {} driver.",
    "You are such a stupid {} idiot.", "I hate that {} bitch.", "Those {} people should all be shot.",
    "Shut up, you {} moron.", "What a lovely {} wedding.", "The {} cook made a damn good soup.",
)  # fmt: skip


def harmless_about() -> list[str]:
    """Return the training sentences, each with every group."""
    return [template.format(word) for template in _TRAINING for words in GROUPS.values() for word in words]


def swapped() -> dict[str, dict[str, list[str]]]:
    """Return for each kind of group, for each word, the same sentences with that word."""
    return {
        kind: {word: [template.format(word) for template in _MEASURING] for word in words}
        for kind, words in GROUPS.items()
    }
