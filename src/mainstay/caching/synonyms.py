"""English words and phrases that may stand for one another in a question, and words that carry nothing. Data, ours."""

import re
from typing import Final

from mainstay.caching.words import stem

__all__ = ["GROUPS", "IDLE", "PHRASES"]

_GROUPS: Final = """
    buy purchase; start begin; picture photo image pic photograph; improve increase enhance boost; remove eliminate;
    fix repair solve resolve; film movie; choose select pick; big large; quick fast quickly rapidly fastest quickest
    faster; help assist; find locate; make create; show display; error mistake; car automobile; job position; child
    kid; doctor physician; rich wealthy; smart intelligent; phone mobile cellphone smartphone; website site webpage;
    app application; use utilize utilise; important significant; difficult hard tough; easy simple easily simply
    cheap inexpensive; change modify alter; delete erase; reason cause; company firm business; country nation; often
    frequently; laptop notebook; trip journey; pay salary; house home; apartment flat; holiday vacation; store shop;
    answer reply; lawyer attorney; quit stop; convert turn; ask inquire; earn make; happen occur; build construct;
    happy glad; gift present; exam test examination; teacher instructor tutor; wifi wi-fi; password passcode;
    internet web online; schedule timetable; money cash; invoice bill; travel journey; speak talk; require need;
    allow permit let; example instance; type kind sort; effect impact consequence; view opinion thought; tip
    suggestion advice; popular famous; weird strange; afraid scared; stay keep remain; usa us america; uk britain;
    programme program; programming coding; college university; student pupil; gain get obtain; city town; lady
    woman; guy man; illness disease; medicine drug medication; wedding marriage; large huge; little small; last
    final; end finish; contact reach; visit see; live reside; salary wage; ad advertisement advert; maths math
    mathematics; tv television; bike bicycle; plane airplane aeroplane aircraft; error issue problem trouble;
    address location; organization organisation; color colour; center centre; favor favour; behavior behaviour; term
    word; garbage trash rubbish; sad unhappy; angry mad; shut close; connect link; cost price; wage pay; sex
    intercourse; mother mom mum; father dad; overcome beat; avoid prevent; control manage; handle manage deal; enter
    join; lose drop; crack clear pass; register enroll enrol; hide conceal; recover retrieve restore; whom who;
    amount quantity; benefit advantage; pro advantage; con disadvantage; drawback disadvantage; future upcoming;
    like enjoy; terrorist terror; biggest largest; differ difference distinction; reduce decrease lower curb lessen
    cut; fear scared afraid; small tiny; risk danger; profit money; affect effect influence; normal regular usual;
    picture pic; addicting addictive; relate link relation relationship relatedness related linked; hate dislike;
    travel visit; gas gasoline petrol; chimp chimpanzee; intend plan; picture image; usual typical average normal;
    characteristic trait feature; strengthen increase; necessary required essential; weigh weight; wrong bad;
    strategy technique; profession career; alive living; raise increase; cool awesome; scariest creepiest; weirdest
    strangest; prepare preparation; compare comparison; differ vary; hint clue; grade mark score; purpose aim;
    cheapest lowest; hardest toughest; smartest cleverest; nude naked; fat overweight; pc computer; examine check
    test; verify confirm check; guess think; talk chat; remove uninstall; fear phobia; hobby pastime; skill ability;
    goal aim; habit custom
"""
_IDLE: Final = """
    a an the please just really actually basically generally exactly usually truly currently nowadays ever even
    possible possibly also too very so such own certain several various different some any many much most is are am
    be been being was were do does did done doing have has had having can could will would shall should may might
    must ought of in on at for to from with by about into onto as via through regarding within and or then if that
    which what who whom whose when where why how whether there here it its i me my mine myself we us our ours you
    your yours yourself one ones oneself way thing get getting got go going know tell explain say take someone
    somebody anyone anybody people person effective effectively proper properly successfully efficient efficiently
    become becomes becoming became they them their theirs main major still actual upon few available realistically
    hi hello hey thanks thank guys help between exact real behind individual happen happened happening happens s re
    ve ll m d t
"""
_PHRASES: Final = """
    get rid of=remove; got rid of=remove; getting rid of=remove; machine learning=ml; artificial intelligence=ai;
    united states of america=usa; the united states=usa; united states=usa; the u s=usa; united kingdom=uk; look
    for=search; call off=cancel; mobile phone=phone; cell phone=phone; smart phone=phone; web site=website; wi
    fi=wifi; e mail=email; each other=other; as well as=and; in order to=to; so that=to; a lot of=many; lots
    of=many; is it possible to=can i; be able to=can; search engine optimization=seo; what is up with=why; how
    come=why; for the first time=first; get better at=improve; become better at=improve; be better at=improve; get
    good at=improve; become good at=improve; get over=overcome; deal with=handle; cope with=handle; work
    out=exercise; give up=quit; set up=setup; log in=login; sign in=login; sign up=register; find out=discover;
    carry on=continue; go on=continue; come up with=find; make sure=ensure; right now=; at the moment=; these days=;
    in the world=world; all over the world=world; all around the world=world; of all time=ever; till now=ever; so
    far=ever; to date=ever; in your life=ever; in your opinion=you think; do you think=you think; according to
    you=you think; self confidence=confidence; weight loss=lose weight; losing weight=lose weight; lost weight=lose
    weight; new delhi=delhi; sexual intercourse=sex; short term=shortterm; long term=longterm; vice versa=reverse;
    what was it like=what is it like; is it possible for=can; my self=myself; different from=differ from; different
    than=differ from; what is different between=what is difference of; most different=differ; using the
    internet=online; using internet=online; on the internet=online; on internet=online; over the internet=online;
    through the internet=online; through internet=online; via internet=online; from the internet=online; from
    internet=online; from online=online; made up of=made of; loose weight=lose weight; get back=recover; find out
    if=know if; find out about=know about; find out whether=know if; get started=start; getting started=start; what
    does it feel like to=what is it like to; how does it feel to=what is it like to; what does it feel to=what is it
    like to; how is it to=what is it like to; what do you think about=what is opinion on; what do you think of=what
    is opinion on; what are your opinions on=what is opinion on; what are your views on=what is opinion on; what is
    your opinion on=what is opinion on; what is your opinion about=what is opinion on; what is your opinion of=what
    is opinion on; what are your thoughts on=what is opinion on; what are your thoughts about=what is opinion on;
    what is your view on=what is opinion on; what is your take on=what is opinion on; in an effective way=; in a
    proper way=; in the best way=; in a good way=; in the right way=; kind of=; sort of=; turn into=become; turns
    into=become; take off=remove; whenever=when; the same time=a time; or not=; go back=return; relationship
    between=relation of; relation between=relation of; you have ever=you ever; i have ever=i ever
"""


def _forms(group: str) -> frozenset[str]:
    return frozenset(form for word in group.split() for form in (word, stem(word)))


def _phrases() -> list[tuple[re.Pattern[str], str]]:
    rows = [row.split("=") for row in " ".join(_PHRASES.split()).split("; ")]
    rows.sort(key=lambda row: -len(row[0]))
    return [(re.compile(rf"\b{re.escape(phrase)}\b"), word) for phrase, word in rows]


#: Words of which each may stand for another, with their stems.
GROUPS: Final = tuple(_forms(group) for group in " ".join(_GROUPS.split()).split("; "))
#: What carries no matter of its own.
IDLE: Final = frozenset(_IDLE.split())
#: Phrases and what stands for them, longest first.
PHRASES: Final = tuple(_phrases())
