"""Ways of asking that mean the same, words that mean the same, and words that change what is asked. Ours; data."""

from typing import Final

__all__ = [
    "ADDED",
    "ASIDES",
    "FRAMES",
    "NOUNS",
    "PLACES",
    "POLITE",
    "SYNONYMS",
    "VERBS",
    "WHO",
]

#: Groups of ways to ask one thing; ways of different groups ask different things. {x}: a verb phrase with "I", "my".
FRAMES: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    (
        "how",
        "verb",
        (
            "how do i {x}",
            "how can i {x}",
            "how should i {x}",
            "how to {x}",
            "how does one {x}",
            "how do you {x}",
            "what is the best way to {x}",
            "what's the best way to {x}",
            "what is a good way to {x}",
            "what are some ways to {x}",
            "what are the ways to {x}",
            "what should i do to {x}",
            "what do i need to do to {x}",
            "what is the way to {x}",
            "how could i {x}",
            "what can i do to {x}",
            "what are the best ways to {x}",
            "how would i {x}",
            "how do we {x}",
            "which is the best way to {x}",
            "ways to {x}",
            "what are some tips to {x}",
            "what steps do i take to {x}",
            "what is the process to {x}",
            "how do people {x}",
            "is there a way to {x}",
        ),
    ),
    (
        "why",
        "verb",
        (
            "why should i {x}",
            "why would i {x}",
            "what is the reason to {x}",
            "what are the reasons to {x}",
            "for what reason should i {x}",
            "why do people {x}",
            "why does anyone {x}",
        ),
    ),
    (
        "when",
        "verb",
        (
            "when should i {x}",
            "when do i {x}",
            "what is the best time to {x}",
            "when is the best time to {x}",
            "what time should i {x}",
            "when is a good time to {x}",
        ),
    ),
    (
        "where",
        "verb",
        (
            "where can i {x}",
            "where do i {x}",
            "where should i {x}",
            "what is the best place to {x}",
            "where is the best place to {x}",
            "what are the best places to {x}",
            "which place is the best to {x}",
        ),
    ),
    (
        "may",
        "verb",
        (
            "can i {x}",
            "is it possible to {x}",
            "am i able to {x}",
            "is it possible for me to {x}",
            "could i {x}",
        ),
    ),
    (
        "should",
        "verb",
        (
            "should i {x}",
            "is it a good idea to {x}",
            "is it worth it to {x}",
            "would it be wise to {x}",
        ),
    ),
    (
        "cost",
        "verb",
        (
            "how much does it cost to {x}",
            "what does it cost to {x}",
            "what is the cost to {x}",
            "how expensive is it to {x}",
        ),
    ),
    (
        "long",
        "verb",
        (
            "how long does it take to {x}",
            "how much time does it take to {x}",
            "how long will it take to {x}",
            "how long would it take me to {x}",
        ),
    ),
    ("must", "verb", ("do i need to {x}", "do i have to {x}", "is it necessary to {x}", "must i {x}")),
    (
        "what",
        "noun",
        (
            "what is {x}",
            "what's {x}",
            "what is {x} exactly",
            "what is the meaning of {x}",
            "what does {x} mean",
            "what exactly is {x}",
            "define {x}",
            "what do you mean by {x}",
            "what is meant by {x}",
        ),
    ),
    ("worth", "noun", ("is {x} good", "how good is {x}", "is {x} any good", "is {x} worth it")),
    (
        "best",
        "noun",
        (
            "what is the best {x}",
            "which is the best {x}",
            "which {x} is the best",
            "what are the best {x}",
            "what are some good {x}",
            "what is a good {x}",
            "which are the best {x}",
            "what are some of the best {x}",
            "what are the top {x}",
            "can you recommend the best {x}",
        ),
    ),
    ("worst", "noun", ("what is the worst {x}", "which is the worst {x}", "what are the worst {x}")),
    ("works", "noun", ("how does {x} work", "how do {x} work", "what is the working of {x}", "how {x} works")),
    (
        "pros",
        "noun",
        (
            "what are the advantages of {x}",
            "what are the benefits of {x}",
            "what are the pros of {x}",
            "what advantages does {x} have",
            "what is the advantage of {x}",
        ),
    ),
    (
        "cons",
        "noun",
        (
            "what are the disadvantages of {x}",
            "what are the drawbacks of {x}",
            "what are the cons of {x}",
            "what is the disadvantage of {x}",
            "what are the downsides of {x}",
        ),
    ),
    ("both", "noun", ("what are the pros and cons of {x}", "what are the advantages and disadvantages of {x}")),
    (
        "learn",
        "noun",
        (
            "how do i learn {x}",
            "what is the best way to learn {x}",
            "how can i learn {x}",
            "how should i start learning {x}",
            "how do i start learning {x}",
            "what is the best way to start learning {x}",
        ),
    ),
    ("teach", "noun", ("how do i teach {x}", "what is the best way to teach {x}", "how can i teach {x}")),
    ("history", "noun", ("what is the history of {x}", "how did {x} begin", "what is the origin of {x}")),
    ("invented", "noun", ("who invented {x}", "who was the inventor of {x}", "by whom was {x} invented")),
    (
        "price",
        "noun",
        (
            "how much does {x} cost",
            "what is the price of {x}",
            "what does {x} cost",
            "how much is {x}",
            "what is the cost of {x}",
        ),
    ),
    ("used", "noun", ("what is {x} used for", "what are the uses of {x}", "what is the use of {x}", "why is {x} used")),
    (
        "future",
        "noun",
        ("what is the future of {x}", "what will be the future of {x}", "how will the future of {x} look"),
    ),
    (
        "important",
        "noun",
        ("why is {x} important", "what is the importance of {x}", "what makes {x} important", "why does {x} matter"),
    ),
    (
        "causes",
        "noun",
        ("what causes {x}", "what are the causes of {x}", "what is the cause of {x}", "why does {x} happen"),
    ),
    (
        "effects",
        "noun",
        (
            "what are the effects of {x}",
            "what effects does {x} have",
            "what is the effect of {x}",
            "what is the impact of {x}",
        ),
    ),
    (
        "types",
        "noun",
        (
            "what are the types of {x}",
            "what are the different types of {x}",
            "what types of {x} are there",
            "what kinds of {x} are there",
        ),
    ),
    ("examples", "noun", ("what are some examples of {x}", "what are examples of {x}", "what is an example of {x}")),
    (
        "buy",
        "noun",
        ("where can i buy {x}", "where do i buy {x}", "where can i purchase {x}", "what is the best place to buy {x}"),
    ),
    ("sell", "noun", ("where can i sell {x}", "where do i sell {x}", "what is the best place to sell {x}")),
    (
        "choose",
        "noun",
        (
            "how do i choose {x}",
            "how should i choose {x}",
            "how to choose {x}",
            "how do i select {x}",
            "how do i pick {x}",
        ),
    ),
    (
        "opinion",
        "noun",
        (
            "what do you think about {x}",
            "what do you think of {x}",
            "what is your opinion on {x}",
            "what are your views on {x}",
            "what is your opinion about {x}",
            "what are your thoughts on {x}",
        ),
    ),
)

POLITE: Final = (
    "please tell me {q}",
    "can you tell me {q}",
    "{q}, please",
    "i want to know {q}",
    "i would like to know {q}",
    "hi, {q}",
    "hello, {q}",
    "could you explain {q}",
    "do you know {q}",
    "{q}, thanks",
    "i need to know {q}",
    "tell me {q}",
)
#: What may stand in a question without changing it.
ASIDES: Final = ("really", "actually", "exactly", "just", "even", "basically", "usually", "generally")

_VERBS: Final = """lose weight; gain weight; learn to swim; make money online; start a business; improve my english;
    learn python; stop smoking; get a passport; renew my license; invest in stocks; buy a house;
    sell my car; find a job; write a resume; prepare for an interview; get rid of acne; grow my
    hair; fix a leaking tap; reset my router; unlock my phone; back up my files; delete my account;
    change my email address; recover a deleted photo; remove a stain from a shirt; cook rice; bake
    bread; train my dog; stop my cat from scratching; apply for a visa; move to canada; study
    abroad; learn to play the guitar; become a data scientist; become a pilot; build a website;
    write a novel; publish a book; meet new people; overcome anxiety; control my anger; sleep
    better; wake up early; stay motivated; read faster; improve my memory; learn machine learning;
    save money; pay off my debt; improve my credit score; file my taxes; open a bank account;
    transfer money abroad; increase traffic to my blog; get more followers; root my phone; install
    linux; update my drivers; speed up my computer; convert a pdf to word; merge two tables; sort a
    list; encrypt a hard drive; set up a vpn; block a website; cancel my subscription; return an
    order; track my package; change my flight; book a hotel; rent an apartment; repair a bicycle;
    clean a laptop screen; remove a virus; get pregnant; treat a burn; lower my blood pressure;
    reduce belly fat; build muscle; run a marathon; learn to draw; paint a wall; plant tomatoes;
    raise chickens; keep fish; adopt a child; get a divorce; write a will; contact support; report a
    bug; join the army; study medicine; pass the exam; learn spanish; improve my handwriting; give a
    speech; make friends; tell a joke; plan a wedding; pack for a trip; hide my ip address; download
    a video; edit a photo; record my screen; share a file; print a page; scan a document; sign a
    contract"""
VERBS: Final = tuple(" ".join(_VERBS.split()).split("; "))
_NOUNS: Final = """machine learning; artificial intelligence; quantum computing; blockchain; yoga; meditation; the
    stock market; photosynthesis; democracy; inflation; solar energy; nuclear power; a black hole; a
    mortgage; a credit card; cloud computing; chess; the piano; the guitar; python; java;
    javascript; sql; a electric car; running shoes; laptops; headphones; smartphones; cameras; books
    on history; movies about war; novels; restaurants; hotels; schools; universities; colleges for
    engineering; jobs in finance; programming languages; text editors; search engines; operating
    systems; web browsers; antivirus software; video games; board games; dog food; green tea;
    coffee; red wine; olive oil; brown rice; vitamin d; protein powder; sugar; salt; climate change;
    global warming; deforestation; air pollution; earthquakes; hurricanes; volcanoes; migraine;
    diabetes; asthma; cancer; depression; anxiety; insomnia; the flu; back pain; hair loss; the
    moon; mars; gravity; electricity; magnetism; evolution; the internet; the printing press; the
    steam engine; communism; capitalism; feminism; the constitution; the united nations; the
    european union; a visa; a passport; insurance; life insurance; health insurance; car insurance;
    real estate; gold; bitcoin; mutual funds; bonds; the gre; the gmat; an mba; a phd; engineering;
    mathematics; statistics; physics; chemistry; biology; economics; psychology; philosophy; law;
    medicine; french; german; spanish; mandarin; arabic"""
NOUNS: Final = tuple(" ".join(_NOUNS.split()).split("; "))
_PLACES: Final = """india; china; canada; germany; france; japan; brazil; kenya; spain; mexico; italy; egypt; turkey;
    norway; poland; london; paris; berlin; tokyo; mumbai; delhi; toronto; chicago; boston; texas;
    california; florida; sydney; dubai; singapore; bangalore; seattle; rome; madrid; africa; europe;
    asia"""
PLACES: Final = tuple(" ".join(_PLACES.split()).split("; "))
#: What, added, asks something else.
_ADDED: Final = """for beginners; for kids; for free; without money; at home; at night; in winter; in one week;
    with no experience; for women; for men; on a mac; on an iphone; on android; on windows; after
    surgery; before marriage; during pregnancy; with a small budget; for a living; at work; in
    school; online; offline; in a relationship; without a degree; for small companies; by myself; as
    a student; as a foreigner; on a weekend; with children; for seniors; with diabetes; from
    scratch; over the phone; with excel; in the morning; in the past; in ancient times; while
    driving; after an accident; without a lawyer"""
ADDED: Final = tuple(" ".join(_ADDED.split()).split("; "))
#: One of a group for another: another question.
WHO: Final = (
    (
        "my wife",
        "my husband",
        "my son",
        "my daughter",
        "my boss",
        "my mother",
        "my father",
        "my neighbour",
        "my friend",
    ),
    ("a girl", "a boy"),
    ("women", "men", "children", "teenagers", "seniors"),
    ("cats", "dogs", "birds", "horses"),
    ("checking account", "savings account"),
    ("credit card", "debit card"),
    ("first", "last"),
    ("free", "paid"),
    ("online", "offline"),
    ("large", "small"),
    ("new", "used"),
    ("red", "blue", "green"),
    ("hotel", "flight", "car"),
    ("email", "password", "username"),
    ("monday", "tuesday", "friday"),
    ("breakfast", "lunch", "dinner"),
    ("battery", "screen", "keyboard", "charger"),
)
#: One of a group for another: the same question.
_SYNONYMS: Final = """buy/purchase; start/begin; picture/photo/image; improve/increase/enhance; get rid
    of/remove/eliminate; fix/repair; movie/film; movies/films; choose/select/pick; big/large;
    quickly/fast; help/assist; find/locate; make/create; show/display; get/obtain; error/mistake;
    car/automobile; job/position; child/kid; kids/children; doctor/physician; rich/wealthy;
    smart/intelligent; phone/mobile phone; cellphone/cell phone/mobile phone; website/site/web site;
    app/application; use/utilize; important/significant; difficult/hard; easy/simple;
    cheap/inexpensive; change/modify; delete/erase; begin/start; reason/cause;
    reduce/decrease/lower; company/firm; country/nation; often/frequently; method/technique; united
    states/us/usa/america; uk/united kingdom/britain; ml/machine learning; ai/artificial
    intelligence; tv/television; laptop/notebook; trip/journey; salary/pay; house/home;
    apartment/flat; holiday/vacation; store/shop; answer/reply; lawyer/attorney; sick/ill;
    quit/stop; convert/turn; become/turn into; meaning/definition; difference/distinction;
    email/e-mail; wifi/wi-fi; ask/inquire; earn/make; happen/occur; build/construct; happy/glad;
    gift/present; exam/test; prepare/get ready; teacher/instructor; gym/fitness center; weight/body
    weight; blood pressure/bp; english/english language; password/passcode; internet/web;
    address/location; bank account/account at the bank; cancel/call off; schedule/timetable;
    restaurant/place to eat; flight/plane ticket; hotel/place to stay; money/cash; bill/invoice;
    balance/amount; traffic/congestion; recipe/instructions; forecast/prediction; reset/restore;
    travel/go; speak/talk; require/need; allow/permit; search/look for; possible/feasible;
    examples/instances; types/kinds/sorts; effects/impacts/consequences; views/opinions/thoughts;
    tips/suggestions/advice; popular/famous; currently/now; weird/strange; scared/afraid; film/movie"""
SYNONYMS: Final = tuple(tuple(words.split("/")) for words in " ".join(_SYNONYMS.split()).split("; "))
