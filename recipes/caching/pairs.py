"""Pairs of questions that ask the same or not, made by rule: what the verifier of the cache learns from.

Same: other ways of asking, synonyms, courtesies, slips of the pen; two queries of one CLINC150 intent that has no
slots. Different: another word in its place, one more that matters, one less, another kind of question, a negation, an
opposite, words that changed places, numbers; two near queries of different intents.
"""

import random
import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from mainstay.caching.opposites import OPPOSITES
from mainstay.caching.words import FUNCTION
from recipes.caching.words import (
    ADDED,
    ASIDES,
    FRAMES,
    NOUNS,
    PLACES,
    POLITE,
    SYNONYMS,
    VERBS,
    WHO,
)

__all__ = ["SLOTLESS", "Pair", "from_intents", "from_rules", "from_texts", "swaps"]

_SLOTLESS: Final = """account_blocked apr are_you_a_bot change_accent change_user_name change_ai_name credit_limit
    credit_score damaged_card direct_deposit do_you_have_pets expiration_date fun_fact goodbye
    greeting how_old_are_you improve_credit_score income insurance interest_rate jump_start
    last_maintenance lost_luggage maybe meaning_of_life min_payment mpg new_card next_holiday no
    oil_change_how oil_change_when order_checks payday pin_change pto_balance pto_request_status
    pto_used redeem_rewards repeat report_lost_card reset_settings rewards_balance rollover_401k
    routing sync_device taxes tell_joke thank_you tire_change tire_pressure user_name w2
    what_are_your_hobbies what_can_i_ask_you what_is_your_name what_song where_are_you_from
    who_do_you_work_for who_made_you yes replacement_card_duration application_status
    insurance_change flip_coin roll_dice"""
#: CLINC150's intents whose queries all ask one thing.
SLOTLESS: Final = frozenset(_SLOTLESS.split())
_PERSONS: Final = (("i", "you"), ("my", "your"), ("i", "we"), ("my", "our"), ("i", "one"))
_ASKING: Final = ("how", "why", "when", "where", "what", "who", "which")
_ENDS: Final = ("why", "how does it work", "what is it used for", "how much does it cost", "when")
#: How a question is made into another; what stands here more often is done more often.
_CHANGES: Final = (
    "replace",
    "replace",
    "replace",
    "add",
    "add",
    "drop",
    "negate",
    "opposite",
    "asking",
    "who",
    "number",
    "place",
    "two",
)
_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)?")


class Pair(NamedTuple):
    """Two texts, whether they ask the same, and how they were made."""

    first: str
    second: str
    same: bool
    kind: str


def _dress(text: str, chance: random.Random) -> str:
    """Write a question as people do: with or without a capital, a mark, an article, with a slip now and then."""
    if chance.random() < 0.04:
        words = text.split()
        at = chance.randrange(len(words))
        word = words[at]
        if len(word) > 5:
            cut = chance.randrange(1, len(word) - 2)
            turned = word[:cut] + word[cut + 1] + word[cut] + word[cut + 2 :]
            words[at] = chance.choice((word[:cut] + word[cut + 1 :], turned))
            text = " ".join(words)
    if chance.random() < 0.06:
        text = re.sub(r"\b(?:the|a|an) ", "", text, count=1)
    if chance.random() < 0.7:
        text = re.sub(r"\bi\b", "I", text[:1].upper() + text[1:])
    return text + ("?" if chance.random() < 0.75 else "")


def _synonym(text: str, chance: random.Random) -> str:
    groups = [group for group in SYNONYMS if any(re.search(rf"\b{re.escape(word)}\b", text) for word in group)]
    if not groups:
        return text
    group = chance.choice(groups)
    there = next(word for word in sorted(group, key=len, reverse=True) if re.search(rf"\b{re.escape(word)}\b", text))
    return re.sub(rf"\b{re.escape(there)}\b", chance.choice(group), text, count=1)


def _same(text: str, chance: random.Random) -> str:
    """Return ``text`` said a little otherwise."""
    for _ in range(chance.choice((1, 1, 2))):
        way = chance.random()
        if way < 0.4:
            text = _synonym(text, chance)
        elif way < 0.6:
            text = chance.choice(POLITE).format(q=text)
        elif way < 0.75:
            one, other = chance.choice(_PERSONS)
            text = re.sub(rf"\b{one}\b", other, text)
        elif way < 0.85:
            words = text.split()
            words.insert(chance.randrange(1, len(words) + 1) if len(words) > 2 else len(words), chance.choice(ASIDES))
            text = " ".join(words)
        elif way < 0.95:
            text = text.replace("what is", "what's").replace("do not", "don't").replace("i am", "i'm")
        else:
            text = re.sub(r"\b(what|which) (is|are) the best\b", r"which \2 the best", text)
    return text


def _other(text: str, words: Sequence[str], chance: random.Random) -> tuple[str, str]:
    """Return ``text`` changed so that it asks something else, and how; "" where it could not be."""
    found = text.split()
    inner = [at for at, word in enumerate(found) if word not in FUNCTION and len(word) > 2]
    way = chance.choice(_CHANGES)
    if way == "replace" and inner:
        found[chance.choice(inner)] = chance.choice(words)
    elif way == "add":
        return f"{text} {chance.choice(ADDED)}", way
    elif way == "place":
        return f"{text} in {chance.choice(PLACES)}", way
    elif way == "drop" and len(inner) > 2:
        del found[chance.choice(inner)]
    elif way == "negate" and len(found) > 3:
        for at, word in enumerate(found):
            if word in ("is", "are", "do", "does", "can", "should", "will", "did", "was"):
                found.insert(at + chance.choice((1, 2)), "not")
                break
        else:
            return "", way
    elif way == "opposite":
        there = [at for at, word in enumerate(found) if word in OPPOSITES]
        if not there:
            return "", way
        at = chance.choice(there)
        found[at] = chance.choice(sorted(OPPOSITES[found[at]]))
    elif way == "asking" and found[0] in _ASKING:
        found[0] = chance.choice([word for word in _ASKING if word != found[0]])
    elif way == "who":
        for group in WHO:
            named = next((word for word in group if re.search(rf"\b{word}\b", text)), None)
            if named:
                return re.sub(rf"\b{named}\b", chance.choice([w for w in group if w != named]), text, count=1), way
        return "", way
    elif way == "number" and inner:
        one, other = chance.sample(range(2, 60), 2)
        at = chance.choice(inner)
        both = (" ".join([*found[:at], str(number), *found[at:]]) for number in (one, other))
        return "\0".join(both), way
    elif way == "two":
        return f"{text} and {chance.choice(_ENDS)}", way
    else:
        return "", way
    changed = " ".join(found)
    return ("", way) if changed == text else (changed, way)


def _pair(first: str, second: str, same: bool, kind: str, chance: random.Random) -> Pair:
    one, other = _dress(first, chance), _dress(second, chance)
    return Pair(other, one, same, kind) if chance.random() < 0.5 else Pair(one, other, same, kind)


def from_rules(count: int, seed: int) -> list[Pair]:
    """Return pairs from ways of asking and things to ask for."""
    chance = random.Random(seed)
    things = {"verb": VERBS, "noun": NOUNS}
    words = sorted({word for thing in (*VERBS, *NOUNS) for word in thing.split() if word not in FUNCTION})
    found: list[Pair] = []
    while len(found) < count:
        kind, sort, ways = chance.choice(FRAMES) if chance.random() < 0.8 else FRAMES[0]
        thing = chance.choice(things[sort])
        if chance.random() < 0.45:
            thing += f" in {chance.choice(PLACES)}" if chance.random() < 0.5 else f" {chance.choice(ADDED)}"
        one, other = chance.choice(ways).format(x=thing), chance.choice(ways).format(x=thing)
        if chance.random() < 0.5:
            said = _same(other, chance) if chance.random() < 0.6 else other
            found.append(_pair(one, said, True, f"way {kind}", chance))
            continue
        if chance.random() < 0.35:
            rest = [frame for frame in FRAMES if frame[1] == sort and frame[0] != kind]
            wrong = chance.choice(rest)
            found.append(_pair(one, chance.choice(wrong[2]).format(x=thing), False, f"frame {kind} {wrong[0]}", chance))
        elif chance.random() < 0.3:
            # The same way of asking for another thing, which shares a word with it as often as not.
            shared = [t for t in things[sort] if t != thing and set(t.split()) & set(thing.split()) - FUNCTION]
            wrong_thing = chance.choice(ways).format(x=chance.choice(shared or things[sort]))
            found.append(_pair(one, wrong_thing, False, "thing", chance))
        else:
            base = other if chance.random() < 0.7 else one
            changed, way = _other(base, words, chance)
            if changed:
                left, _, right = changed.partition("\0")
                found.append(_pair(left if right else one, right or changed, False, way, chance))
    return [pair for pair in found if pair.first != pair.second or pair.same]


def from_texts(texts: Sequence[str], count: int, seed: int) -> list[Pair]:
    """Return pairs of real questions and what a small change makes of them."""
    chance = random.Random(seed)
    plain = [text.lower().rstrip("?. ") for text in texts if 3 <= len(text.split()) <= 25]
    words = sorted({word for text in plain for word in _WORD.findall(text) if word not in FUNCTION and len(word) > 3})
    found: list[Pair] = []
    while len(found) < count:
        text = chance.choice(plain)
        if chance.random() < 0.5:
            found.append(_pair(text, _same(text, chance), True, "said otherwise", chance))
            continue
        changed, way = _other(text, words, chance)
        if changed:
            left, _, right = changed.partition("\0")
            base = left if right else text
            other = right or changed
            if chance.random() < 0.4:
                base = _same(base, chance)
            found.append(_pair(base, other, False, way, chance))
    return found


def from_intents(
    rows: Sequence[tuple[str, str]], near: Callable[[Sequence[str]], Sequence[Sequence[int]]], count: int, seed: int
) -> list[Pair]:
    """Return pairs of queries with their intents: same of one that has no slots, different of near ones of two intents.

    ``near`` returns for each text which others are nearest in meaning.
    """
    chance = random.Random(seed)
    groups: dict[str, list[str]] = {}
    for text, intent in rows:
        groups.setdefault(intent, []).append(text)
    one = [intent for intent in sorted(groups) if intent in SLOTLESS]
    found = []
    for _ in range(count // 2):
        first, second = chance.sample(groups[chance.choice(one)], 2)
        found.append(_pair(first, second, True, "intent", chance))
    neighbours = near([text for text, _ in rows])
    while len(found) < count:
        at = chance.randrange(len(rows))
        others = [other for other in neighbours[at] if rows[other][1] != rows[at][1]]
        if others:
            found.append(_pair(rows[at][0], rows[chance.choice(others[:4])][0], False, "intents", chance))
    return found


def swaps(count: int, seed: int) -> list[Pair]:
    """Return pairs of which one asks for the reverse of the other: the two ends of a way, two sides of a comparison."""
    chance = random.Random(seed)
    ends = [noun.split(" ", 1)[-1] for noun in NOUNS if " on " not in noun] + list(PLACES)
    forms = (
        "how do i convert {a} to {b}",
        "how do i get from {a} to {b}",
        "flights from {a} to {b}",
        "is {a} better than {b}",
        "why is {a} worse than {b}",
        "should i learn {a} before {b}",
        "how do i move from {a} to {b}",
        "does {a} cause {b}",
        "how do i translate {a} into {b}",
        "is {a} more expensive than {b}",
        "did {a} come after {b}",
        "can {a} replace {b}",
        "how does {a} affect {b}",
        "how does {a} depend on {b}",
        "why did {a} attack {b}",
        "how do i import {a} from {b}",
    )
    found = []
    for _ in range(count):
        a, b = chance.sample(ends, 2)
        form = chance.choice(forms)
        if chance.random() < 0.6:
            found.append(_pair(form.format(a=a, b=b), form.format(a=b, b=a), False, "swap", chance))
        else:
            said = form.format(a=a, b=b)
            found.append(_pair(said, _same(said, chance), True, "swap kept", chance))
    return found
