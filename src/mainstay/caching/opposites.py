"""Pairs of English words of which one asks the opposite of the other, or another thing of the same kind. Data."""

from typing import Final

__all__ = ["OPPOSITES"]

_PAIRS: Final = """same different; similar different; difference similarity; differences similarities; difference
    relationship; on off; enable disable; enabled disabled; activate deactivate; increase decrease;
    raise lower; raise reduce; grow shrink; increase reduce; gain lose; add remove; add delete; add
    subtract; install uninstall; open close; opened closed; start stop; start end; begin end; begin
    finish; start finish; before after; buy sell; borrow lend; push pull; up down; upload download;
    upgrade downgrade; import export; encode decode; encrypt decrypt; compress decompress; compress
    extract; zip unzip; lock unlock; mute unmute; subscribe unsubscribe; follow unfollow; block
    unblock; hide show; hide reveal; show conceal; connect disconnect; log sign; login logout;
    signin signout; join leave; join quit; enter exit; enter leave; arrive depart; come go; give
    take; send receive; accept reject; accept decline; accept refuse; approve deny; approve reject;
    allow forbid; allow block; allow prevent; allow deny; permit prohibit; grant revoke; win lose;
    pass fail; succeed fail; success failure; love hate; like dislike; agree disagree; trust
    distrust; believe doubt; true false; right wrong; right left; correct incorrect; good bad; best
    worst; better worse; good evil; positive negative; pro con; pros cons; advantage disadvantage;
    advantages disadvantages; benefit drawback; benefits drawbacks; benefits risks; strength
    weakness; strengths weaknesses; high low; higher lower; highest lowest; big small; bigger
    smaller; biggest smallest; large small; larger smaller; largest smallest; long short; longer
    shorter; longest shortest; tall short; taller shorter; fast slow; faster slower; fastest
    slowest; speed slow; hot cold; hotter colder; warm cool; heat cool; heating cooling; freeze
    melt; wet dry; hard soft; hard easy; difficult easy; harder easier; hardest easiest; simple
    complex; simple complicated; cheap expensive; cheaper costlier; cheapest costliest; rich poor;
    old new; older younger; oldest newest; oldest youngest; old young; early late; earlier later;
    earliest latest; first last; next previous; next last; past future; ancient modern; inside
    outside; internal external; indoor outdoor; indoors outdoors; in out; into out; above below;
    over under; top bottom; front back; forward backward; forwards backwards; ascending descending;
    asc desc; north south; east west; northern southern; eastern western; left right; more less;
    more fewer; most least; many few; maximum minimum; max min; maximize minimize; maximise
    minimise; all none; always never; everything nothing; everyone nobody; with without; include
    exclude; including excluding; inclusive exclusive; public private; male female; man woman; men
    women; boy girl; boys girls; husband wife; father mother; dad mom; dad mum; son daughter;
    brother sister; king queen; boyfriend girlfriend; uncle aunt; guy girl; guys girls; him her; he
    she; his her; life death; live die; alive dead; birth death; born died; kill save; sick healthy;
    ill well; strong weak; stronger weaker; thick thin; thicker thinner; wide narrow; deep shallow;
    heavy light; heavier lighter; fat thin; fat skinny; full empty; fill empty; bright dark; light
    dark; day night; morning evening; am pm; sunrise sunset; summer winter; spring autumn; black
    white; clean dirty; safe dangerous; safe unsafe; happy sad; optimist pessimist; introvert
    extrovert; introverts extroverts; friend enemy; friends enemies; hire fire; hired fired; employ
    dismiss; employer employee; employers employees; teacher student; teachers students; parent
    child; parents children; buyer seller; landlord tenant; lender borrower; doctor patient; sender
    receiver; sender recipient; client server; frontend backend; input output; read write; reader
    writer; ask answer; question answer; teach learn; win loss; profit loss; asset liability; assets
    liabilities; debit credit; deposit withdraw; deposit withdrawal; income expense; revenue cost;
    supply demand; save spend; earn spend; lend borrow; rent buy; lease buy; invest withdraw; bull
    bear; bullish bearish; long short; attack defend; offense defense; war peace; guilty innocent;
    legal illegal; prove disprove; support oppose; for against; create destroy; create delete; build
    destroy; make break; fix break; repair break; assemble disassemble; attach detach; mount
    unmount; expand collapse; expand contract; widen narrow; lengthen shorten; inflate deflate;
    tighten loosen; fasten unfasten; tie untie; wrap unwrap; load unload; pack unpack; bind unbind;
    do undo; undo redo; commit rollback; merge split; join split; combine separate; multiply divide;
    sum difference; odd even; prime composite; even uneven; static dynamic; local remote; local
    global; online offline; manual automatic; manually automatically; synchronous asynchronous; sync
    async; vertical horizontal; vertically horizontally; row column; rows columns; parallel serial;
    acid base; acidic alkaline; solid liquid; protagonist antagonist; hero villain; arrival
    departure; arrivals departures; inbound outbound; incoming outgoing; import-export
    export-import; entrance exit; ascend descend; climb descend; rise fall; rising falling; appear
    disappear; remember forget; wake sleep; awake asleep; sit stand; lose find; lost found; throw
    catch; hit miss; praise blame; praise criticize; praise criticise; encourage discourage; improve
    worsen; promote demote; promotion demotion; strengthen weaken; accelerate decelerate; accelerate
    brake; extend shorten; delay hasten; postpone advance; cause cure; cause prevent; cause treat;
    prevent treat; prevent cure; causes treatment; causes effects; cause effect; symptom cure;
    symptoms treatment; symptoms causes; hypertension hypotension; hyperthyroidism hypothyroidism;
    hypoglycemia hyperglycemia; overweight underweight; overestimate underestimate; overvalued
    undervalued; majority minority; superior inferior; senior junior; major minor; primary
    secondary; former latter; domestic international; domestic foreign; native foreign; urban rural;
    natural artificial; real fake; hardware software; mac windows; android ios; iphone android;
    undergraduate graduate; bachelor master; bachelors masters; theory practice; democrat
    republican; democrats republicans; liberal conservative; liberals conservatives; left-wing
    right-wing; communism capitalism; socialism capitalism; atheist theist; vegetarian vegan; veg
    nonveg; single married; marry divorce; marriage divorce; pregnant infertile; virgin nonvirgin;
    naked clothed; muted unmuted; visible invisible; visible hidden; possible impossible; able
    unable; useful useless; careful careless; harmful harmless; sent received; bought sold; gained
    lost; won lost; gave took; rose fell; grew shrank; began ended; came went; taught learned; lent
    borrowed; opened shut; open shut; shutdown startup; boot shutdown; restart shutdown; pause
    resume; play pause; play stop; stop continue; stop resume; stop keep; quit continue; quit start;
    cancel confirm; cancel renew; cancel keep; cancel book; cancel order; cancel schedule; freeze
    unfreeze; lock open; book cancel; archive restore; backup restore; hire resign; deploy undeploy;
    publish unpublish; publish retract; friend unfriend; pin unpin; tag untag; check uncheck; select
    deselect; stage unstage; stash pop; pull push"""


def _build() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for pair in _PAIRS.replace("\n", " ").split(";"):
        first, second = pair.split()
        table.setdefault(first, set()).add(second)
        table.setdefault(second, set()).add(first)
    return {word: frozenset(others) for word, others in table.items()}


OPPOSITES: Final = _build()
