"""Texts with the names of groups of people made alike, for guards that must not judge by them.

What a guard never sees it cannot hold against anybody: with every listed name replaced by one word, two texts that
differ in the name alone get the same answer. Slurs are not in the list; they stay what they are.
"""

import re
from functools import cache
from typing import Final

__all__ = ["NAMES", "blind"]

#: Names of groups, without their plural. How someone feels is none of them: it may be a cry for help.
NAMES: Final = frozenset(
    """
    muslim islamic christian catholic protestant orthodox jewish jew hindu buddhist atheist sikh mormon shia sunni
    quaker amish baptist lutheran methodist anglican evangelical pentecostal agnostic pagan wiccan taoist shinto jain
    bahai rastafarian zoroastrian hasidic sufi
    european african asian american british english scottish welsh irish french italian spanish greek portuguese german
    austrian swiss belgian dutch danish swedish norwegian finnish icelandic polish czech slovak slovenian croatian
    serbian bosnian albanian macedonian bulgarian romanian moldovan hungarian latvian lithuanian estonian russian
    belarusian ukrainian georgian armenian azerbaijani maltese cypriot turkish kurdish
    chinese taiwanese japanese korean mongolian vietnamese thai laotian cambodian burmese malaysian singaporean
    indonesian filipino filipina nepali nepalese tibetan bangladeshi bengali pakistani punjabi tamil indian kazakh
    uzbek tajik afghan iranian persian iraqi syrian lebanese jordanian israeli palestinian saudi yemeni omani emirati
    kuwaiti qatari arab
    egyptian libyan tunisian algerian moroccan sudanese ethiopian eritrean somali kenyan ugandan tanzanian rwandan
    congolese nigerian ghanaian senegalese malian cameroonian ivorian gambian liberian zambian zimbabwean angolan
    mozambican namibian malagasy
    mexican guatemalan honduran salvadoran nicaraguan panamanian cuban haitian dominican jamaican colombian venezuelan
    ecuadorian peruvian bolivian chilean argentinian argentine uruguayan paraguayan brazilian canadian australian
    samoan tongan hawaiian maori inuit cherokee navajo sioux aboriginal indigenous roma romani
    black white brown latino latina latinx hispanic chicano chicana creole caucasian biracial multiracial
    gay lesbian straight bisexual pansexual demisexual asexual aromantic transgender trans cisgender cis queer
    genderqueer genderfluid agender intersex nonbinary heterosexual homosexual polyamorous closeted lgbt lgbtq lgbtqia
    female male woman man women men girl boy transwoman transman
    old young elderly teenage adolescent senior
    deaf blind mute disabled paraplegic quadriplegic amputee epileptic dyslexic bipolar schizophrenic autistic
    neurodivergent diabetic fat thin obese overweight skinny bald redheaded freckled pregnant
    immigrant refugee migrant undocumented homeless poor rich widowed divorced orphaned adopted
    feminist communist socialist liberal conservative republican democrat vegan vegetarian religious secular
    married unemployed retired veteran millennial rural urban foreign native muscular dwarf gypsy traveller
    """.split()  # noqa: SIM905  # words are read more easily than quotes
)
#: Names of more than one word.
_LONGER: Final = (
    "person of colour", "people of colour", "person of color", "people of color", "puerto rican", "sri lankan",
    "south african", "new zealander", "african american", "native american", "two spirit", "non binary",
    "hard of hearing", "hiv positive", "wheelchair using", "middle aged", "mixed race", "working class",
)  # fmt: skip
_WORD: Final = "certain"


@cache
def _names() -> re.Pattern[str]:
    """Return what finds one name, or several in a row: who is called by two is not twice as much."""
    # The longest counts. By their first letters, so that most words are passed over at once.
    begun: dict[str, list[str]] = {}
    for name in sorted((*_LONGER, *NAMES), key=len, reverse=True):
        begun.setdefault(name[:2], []).append(name[2:].replace(" ", r"[\s-]"))
    starts = [f"{start}(?:{'|'.join(rest)})" for start, rest in begun.items()]
    name = rf"(?:{'|'.join(starts)})s?\b"
    return re.compile(rf"\b{name}(?:[\s-]{name})*", re.IGNORECASE)


def blind(text: str) -> str:
    """Return ``text`` with one word for every listed name, or several in a row, whatever their case and number."""
    return _names().sub(_WORD, text)
