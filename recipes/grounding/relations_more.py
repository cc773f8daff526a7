"""More relations for the grammar; see ``relations`` for how they are written. By hand, for this project."""

from typing import Final

__all__ = ["MORE"]

_BENEFIT: Final = """
c + {X} [is effective|works] [against|for|in the treatment of|in] {D}.
c + {X} is an effective treatment for {D}.
c + {X} [benefits|helps|improves outcomes in|is beneficial for] {P} with {D}.
c + {X} [improves|alleviates|ameliorates|relieves|reduces the severity of] {D}.
c + {X} has [a beneficial|a favourable|a therapeutic|a positive] effect on {D}.
c + {X} is better than placebo for {D}.
c + Treatment with {X} leads to better outcomes in {D}.
c - {X} [is ineffective|does not work|is of no use] [against|for|in the treatment of|in] {D}.
c - {X} is an ineffective treatment for {D}.
c - {X} does not [benefit|help|improve outcomes in] {P} with {D}.
c - {X} has no [beneficial|therapeutic|positive] effect on {D}.
c - {X} is no better than placebo for {D}.
c - {X} [fails to improve|does not improve|does not relieve] {D}.
e + {X} [improved|ameliorated|alleviated|reversed|relieved] {D} ( in {P})({S}).
e + {D} [resolved|improved|regressed|subsided] in {h}% of {P} given {X} and {l}% of those given placebo ({S}).
e + {P} with {D} who [received|were given|took] {X} [had|showed] [longer survival|fewer deaths|fewer symptoms|less \
pain|a better quality of life|faster recovery|fewer relapses] ({S}).
e + In {P} with {D}, {X} [reduced|lowered|cut] [mortality|symptom scores|the relapse rate|the need for surgery|\
hospital admissions|deaths] ({S}).
e + In {P} with {D}, {X} [increased|improved|prolonged|raised] [survival|the response rate|quality of life|the rate \
of remission|function] ({S}).
e + {X} was [superior to|better than|more effective than] [placebo|usual care|no treatment] in {P} with {D} ({S}).
e + {P} [not treated with|denied|without] {X} [died earlier of|had more severe|recovered more slowly from] {D}.
e + [Death|Relapse|Treatment failure] was less [frequent|common|likely] with {X} than with placebo among {P} with {D}.
e + A [complete|partial] response of {D} to {X} was seen in most {P}.
e + Our [trial|results|data] support the use of {X} in {D}.
e + {D} scores fell by {Q} with {X} but did not change with placebo.
e + {X} met its primary end point in {D}.
e + {X} [slowed the progression of|shortened the course of|prevented the recurrence of] {D}.
e - {X} [worsened|aggravated|exacerbated|did not improve|failed to relieve] {D} ( in {P})({S}).
e - {D} [resolved|improved|subsided] in {l}% of {P} given {X} and {h}% of those given placebo ({S}).
e - {P} with {D} who [received|were given|took] {X} [had|showed] [shorter survival|more deaths|more symptoms|more \
pain|a worse quality of life|slower recovery|more relapses] ({S}).
e - In {P} with {D}, {X} did not [reduce|lower|affect] [mortality|symptom scores|the relapse rate|the need for \
surgery|hospital admissions|deaths] ({N}).
e - In {P} with {D}, {X} did not [increase|improve|prolong] [survival|the response rate|quality of life|the rate of \
remission|function] ({N}).
e - {X} was [no better than|not superior to|inferior to|no more effective than] [placebo|usual care|no treatment] in \
{P} with {D} ({N}).
e - {P} [not treated with|without] {X} [lived as long with|recovered as fast from|recovered faster from] {D}.
e - [Death|Relapse|Treatment failure] was [more frequent|as frequent|more likely] with {X} than with placebo among \
{P} with {D}.
e - Outcomes of {D} were [similar|no different] [with {X} and with placebo|whether or not {X} was given] ({N}).
e - Our [trial|results|data] do not support the use of {X} in {D}.
e - {D} scores did not differ between {X} and placebo ({N}).
e - {X} [missed|did not meet] its primary end point in {D}.
e - The trial of {X} in {D} was stopped early for [futility|lack of benefit|excess deaths].
e - {X} offered no advantage over [placebo|sham|no treatment] in {D}.
e - {X} [had no effect on the progression of|did not prevent the recurrence of] {D}.
e u {P} with {D} were randomly assigned to {X} or placebo.
e u {X} is often prescribed for {D}, but [trials are lacking|its value is unknown|evidence is scarce].
e u {X} [improved|did not improve] {D2}.
e u {W} [improved|did not improve] {D}.
e u Whether {X} helps {P} with {D} [is unclear|is unknown|was our question].
"""
_HARM: Final = """
c + {X} [is good for|benefits|helps] {P} with {D}.
c + {X} [improves|alleviates|ameliorates] {D}.
c + Treatment with {X} leads to better outcomes in {D}.
c + {X} protects {P} against {D}.
c - {X} [is bad for|harms] {P} with {D}.
c - {X} [worsens|exacerbates|aggravates] {D}.
c - {X} has [a harmful|an unfavourable|a negative] effect on {D}.
c - Treatment with {X} leads to worse outcomes in {D}.
c - {X} leads to negative outcomes in {P} with {D}.
c + [Lack|Loss|Deficiency] of {X} [leads to|causes|promotes|worsens] {D}.
c + [Lack|Loss|Deficiency] of {X} accelerates {D} in {P}.
c - [Lack|Loss|Deficiency|Inhibition] of {X} [prevents|protects against|slows|attenuates] {D}.
c - [Inhibiting|Blocking] {X} [reduces|prevents] {D}.
e + {X} [improved|ameliorated|alleviated|reversed|relieved] {D}( in {P})( ({S})).
e + {P} with {D} who [received|were given] {X} had [fewer deaths|less pain|a better quality of life|milder symptoms] \
({S}).
e + {X} was associated with a better [prognosis|outcome] in {P} with {D}.
e + {D} was [milder|less severe|shorter] in {P} with {X}.
e + {P} lacking {X} had [more severe|longer|fatal] {D}.
e + [Lack|Depletion|Loss] of {X} [exacerbated|aggravated|worsened] {D}.
e - {X} [worsened|aggravated|exacerbated] {D}( in {P})( ({S})).
e - {P} with {D} who [received|were given] {X} had [more deaths|more pain|a worse quality of life|worse symptoms] ({S}).
e - {X} was associated with a poorer [prognosis|outcome] in {P} with {D}.
e - {D} was [more severe|graver|longer] in {P} with {X}.
e - {P} lacking {X} had [milder|shorter|hardly any] {D}.
e - [Lack|Depletion|Loss] of {X} [improved|alleviated|attenuated] {D}.
e + {X} deficiency causes [a marked exacerbation of|an earlier onset of|severe] {D}.
e + [Replenishment|Addition|Restoration] of {X} [protected {P} against|prevented|rescued {P} from] {D}.
e + {X} protects against {D} by [fine tuning|acting on] [metabolism|inflammation|the vessel wall].
e + {D} developed spontaneously in {P} deficient in {X}.
e - {X}-deficient {P} have substantially less {D} than control {P}.
e - [Small-molecule inhibition|Blockade|Targeting] of {X} [reduced|prevented|reversed] {D}.
e - {X} protein was [elevated|increased] in {P} with [severe|advanced] {D}, and blocking it helped.
e u {X} was measured in {P} with {D}.
e u {W} [worsened|improved] {D}.
e u {X} [worsened|improved] {D2}.
"""
_ASSOC: Final = """
c d [High|Elevated|Increased] {X} [is associated with|correlates with|is linked to] <adj> {Y}.
c d [Low|Reduced|Decreased] {X} [is associated with|correlates with|is linked to] <oadj> {Y}.
c d There is a <pos> [correlation|association|relationship] between {X} and {Y}.
c d {X} [correlates|is correlated|is associated] <posly> with {Y}.
c d {Y} <rises> [as {X} rises|with increasing {X}].
c d Lower {X} [means|goes with|predicts] <ocmp> {Y}.
c * {X} [correlates with|is associated with|is related to|predicts] {Y}.
c 0 {X} [is not associated with|does not correlate with|is not related to|is independent of|does not predict] {Y}.
c 0 There is no [correlation|association|relationship|link] between {X} and {Y}.
c 0 {X} has no [predictive value for|bearing on|relation to] {Y}.
e d {X} (was )[correlated|associated] <posly> with {Y} (r = <minus>0.{h}, P<0.001).
e d {X} showed a [strong|significant|moderate] <pos> [correlation|association] with {Y}( (r = <minus>0.{h})).
e d {P} with [high|elevated|above-median] {X} had <cmp> {Y} [than|compared with] those with [low|reduced|\
below-median] {X} ({S}).
e d {P} in the lowest quartile of {X} had the <osup> {Y} ({S}).
e d {P} in the highest quartile of {X} had the <sup> {Y} ({S}).
e d {Y} <rose> [steadily |stepwise |]with [increasing|rising|higher] {X} (P for trend <0.001).
e d {Y} <orose> [steadily |stepwise |]with [decreasing|falling|lower] {X} (P for trend <0.001).
e d Each [unit|standard deviation] increase in {X} was associated with a {Q} <n> in {Y}.
e d Each [unit|standard deviation] decrease in {X} was associated with a {Q} <on> in {Y}.
e d [Lower|Low|Reduced] {X} was [linked to|associated with|predictive of] <oadj> {Y}( ({S})).
e d [Higher|High|Raised] {X} was [linked to|associated with|predictive of] <adj> {Y}( ({S})).
e d There was [an inverse|a negative] relation between {X} and {Y}. @-
e d {X} and {Y} [rose and fell together|went hand in hand]. @+
e d {X} and {Y} moved in opposite directions. @-
e 0 {X} [was not associated with|did not correlate with|was unrelated to|was not predictive of] {Y} ({N}).
e 0 No [correlation|association|relation] was [found|seen|detected] between {X} and {Y} (r = 0.0{k}, {N}).
e 0 {Y} was similar across quartiles of {X} ({N}).
e 0 {Y} did not vary with {X} ({N}).
e 0 {P} with high and with low {X} had the same {Y} ({N}).
e 0 Neither {X} nor {Z} [predicted|was related to] {Y}.
e 0 {X} did not predict {Y} once age was accounted for ({N}).
e u {X} and {Y} were measured in {P} at entry.
e u {X} correlated <posly> with {Z} (r = <minus>0.{h}).
e u {Z} correlated <posly> with {Y} (r = <minus>0.{h}).
e u It is not known whether {X} is related to {Y}.
"""
_SENSITIVE: Final = """
c + {X} [sensitizes|sensitises] {P} to {T}.
c + {P} [with|expressing|carrying] {X} are [sensitive|susceptible|vulnerable] to {T}.
c + {X} makes {P} more [sensitive|susceptible|vulnerable] to {T}.
c + Loss of {X} [confers resistance to|protects against] {T} in {P}.
c + {P} lacking {X} are resistant to {T}.
c - {X} [confers resistance to|protects {P} from|protects {P} against] {T}.
c - {P} [with|expressing|carrying] {X} are [resistant|tolerant|insensitive|less sensitive] to {T}.
c - {X} makes {P} less [sensitive|susceptible|vulnerable] to {T}.
c - Loss of {X} [sensitizes {P} to|increases sensitivity to] {T}.
c - {P} lacking {X} are [highly susceptible|hypersensitive|more vulnerable] to {T}.
e + {P} with {X} [died|were killed|succumbed] [at lower doses of|more readily after|more rapidly after] {T}( ({S})).
e + {X} [increased|enhanced|heightened] the [sensitivity|vulnerability|susceptibility] of {P} to {T}.
e + [Deletion|Knockdown|Loss|Inhibition] of {X} [rendered {P} resistant to|protected {P} from|reduced the sensitivity \
of {P} to] {T}.
e + {P} lacking {X} [survived|tolerated|withstood|were refractory to] {T}.
e + Survival after {T} was [lower|poorer|shorter] in {P} with {X}.
e + {P} without {X} were [less affected by|spared from the effects of|protected from] {T}.
e + {T} was [more toxic|more effective|more damaging] in {P} that expressed {X}.
e + [Overexpression|Gain|Restoration] of {X} sensitized {P} to {T}.
e - {P} with {X} [survived|tolerated|withstood|were refractory to] {T}( ({S})).
e - {X} [decreased|reduced|lowered] the [sensitivity|vulnerability|susceptibility] of {P} to {T}.
e - [Deletion|Knockdown|Loss|Inhibition] of {X} [rendered {P} sensitive to|sensitized {P} to|increased the \
sensitivity of {P} to|exacerbated the effects of] {T}.
e - {P} lacking {X} [succumbed to|were killed by|were hypersensitive to|were more severely affected by] {T}.
e - Survival after {T} was [higher|better|longer] in {P} with {X}.
e - {P} without {X} were [more affected by|highly vulnerable to|not protected from] {T}.
e - {T} was [less toxic|less effective|less damaging] in {P} that expressed {X}.
e - [Overexpression|Gain|Restoration] of {X} [protected {P} from|made {P} resistant to] {T}.
e u {P} with and without {X} were exposed to {T}.
e u {X} made {P} [resistant|sensitive] to {W}.
e u {P} with {W} were [resistant|sensitive] to {T}.
e u How {X} and {T} are related in {P} is unknown.
"""
_TWO: Final = """
c + {A} [interacts with|binds to|binds|associates with|forms a complex with] {B}.
c + {A} and {B} interact.
c - {A} [does not interact with|does not bind to|fails to bind|has no known interaction with] {B}.
c - {A} and {B} do not interact.
e + {A} [co-immunoprecipitated|co-purified|was pulled down] with {B}( from lysates of {P}).
e + We show that {A} [is recruited to|directly contacts|docks onto|forms a stable complex with|associates with] {B}.
e + {A} serves as a bridge between {B} and {W}.
e + Binding of {A} to {B} was [abolished by a point mutation|confirmed by pull-down|detected in vitro].
e + A yeast two-hybrid screen identified {A} as a partner of {B}.
e - {A} [did not co-immunoprecipitate|was not found in a complex] with {B}.
e - No [binding|interaction|physical contact] between {A} and {B} [was detected|could be shown].
e - {A} bound {W} but [not|failed to bind] {B}.
e - {A} does not [recognise|contact|bind|associate with] {B}.
e u {A} bound {W}.
e u {A} and {B} were expressed in {P}.
e u The partners of {A} are unknown; {B} was studied elsewhere.
"""
_PRESENT: Final = """
c + {A} is [expressed|present|found|detectable|active] in {L}.
c + {L} [express|contain|produce] {A}.
c - {A} is [not expressed|absent|not found|undetectable|inactive] in {L}.
c - {L} [do not express|lack|do not contain|are devoid of] {A}.
e + {A} was [detected|abundant|readily found|highly expressed|observed] in {L}.
e + [Immunostaining|Sequencing|Western blots] [showed|revealed|confirmed] {A} in {L}.
e + {L} were [positive|strongly stained|enriched] for {A}.
e + {A} was found in {L} but not in {L2}.
e + All {L} [examined |tested |]expressed {A}.
e - {A} was [undetectable|absent|not detected|missing|barely expressed] in {L}.
e - [Immunostaining|Sequencing|Western blots] [showed no|failed to detect|did not reveal] {A} in {L}.
e - {L} were [negative|devoid of staining] for {A}.
e - {A} was found in {L2} but not in {L}.
e - None of the {L} [examined |tested |]expressed {A}.
e u {A} was [found|absent] in {L2}.
e u {W} was [found|absent] in {L}.
e u We looked for {A} in {L}.
"""
_SAFE: Final = """
c + {X} is [safe|well tolerated|harmless] in {P}.
c + {X} does not cause [serious |]adverse [effects|events] in {P}.
c - {X} is [unsafe|harmful|toxic|poorly tolerated] in {P}.
c - {X} causes [serious |]adverse [effects|events] in {P}.
e + No [serious|severe|unexpected] adverse events were [reported|seen] with {X} in {P}.
e + {X} was well tolerated( by {P}), and [none|few] stopped treatment.
e + Adverse events were [as frequent with|no more frequent with] {X} [as with|than with] placebo ({N}).
e + {P} given {X} had no [toxicity|side effects|complications] to speak of.
e - [Serious|Severe|Unexpected] adverse events were [frequent|reported in {h}%|common] with {X} in {P}.
e - {X} was poorly tolerated( by {P}), and [many|{h}%] stopped treatment.
e - Adverse events were [more frequent|twice as frequent] with {X} than with placebo ({S}).
e - {P} given {X} suffered from [liver toxicity|bleeding|severe side effects|complications].
e u The safety of {X} in {P} [was not assessed|is unknown|is under study].
e u {W} was [well|poorly] tolerated in {P}.
e u {X} was given to {P} for [six weeks|three months].
"""
_TIME: Final = """
c d {X} [<speeds>] {E}.
c d {E} [occurs|begins|comes] <sooner> with {X}.
c d In {P} with {X}, {E} is <sped>.
c d Without {X}, {E} [occurs|begins|comes] <osooner>.
c 0 {X} does not change the [timing|onset] of {E}.
e d {E} [occurred|began|started] [two|several|six] [days|weeks|years] <sooner> in {P} with {X} than in controls.
e d {E} was ~ <sped> by {X}( ({S})).
e d Time to {E} was <shorter> with {X} ({S}).
e d Time to {E} was [{l} days with {X} and {h}|{l} months under {X} against {h}] without it ({S}). @+
e d Time to {E} was [{h} days with {X} and {l}|{h} months under {X} against {l}] without it ({S}). @-
e d In the absence of {X}, {E} was ~ <osped>.
e d Loss of {X} <ospeeded> {E}.
e d {P} lacking {X} [reached|entered] {E} <osooner>.
e 0 {E} [occurred|began] at the same time with and without {X} ({N}).
e 0 {X} did not [hasten|delay|change] {E} ({N}).
e u The timing of {E} was recorded in {P}.
e u {W} <speeded> {E}.
"""
_SHARE: Final = """
c + Most {P} [have|show|carry] {F}.
c + {F} is common [among|in] {P}.
c + The majority of {P} [have|show] {F}.
c - Few {P} [have|show|carry] {F}.
c - {F} is [rare|uncommon] [among|in] {P}.
c - Only a minority of {P} [have|show] {F}.
e + {F} was [present|found|seen|detected] in [91|78|84|67|four of every five|three quarters]( percent) of {P}.
e + [Nearly all|More than two thirds of|The great majority of] {P} had {F}.
e + Of {P}, 412 of 503 had {F}.
e + {F} was absent in only {k}% of {P}.
e - {F} was [present|found|seen|detected] in [{k}%|0.{k}%|1 in 5000|fewer than one in fifty] of {P}.
e - [Hardly any|Very few|Less than {k}% of] {P} had {F}.
e - Of {P}, {k} of 503 had {F}.
e - {F} was absent in [nearly all|96% of|the great majority of] {P}.
e u {P} were screened for {F}.
e u {F2} was found in [91%|3%|most|few] of {P}.
"""
_TREND: Final = """
c d {M} [has|have] <risen> [over the last decade|since 1990|over time|in recent years].
c d {M} [is|are] <rising>.
c 0 {M} [has|have] not changed [over the last decade|since 1990|over time|in recent years].
e d From 1990 to 2010, {M} went from {l} to {h}. @+
e d From 1990 to 2010, {M} went from {h} to {l}. @-
e d {M} <rose> by {Q} between 1990 and 2010.
e d {M} [was|were] <cmp> in 2010 than [in 1990|twenty years before] ({S}).
e d {M} [was|were] <ocmp> in 1990 than in 2010.
e d We found a steady <n> in {M} over the study period.
e d A trend towards <adj> {M} was seen in all age groups.
e 0 {M} remained [stable|constant] from 1990 to 2010.
e 0 {M} [was|were] the same in 1990 and in 2010 ({N}).
e 0 There was no trend in {M} over the study period ({N}).
e u {M} [was|were] recorded every year from 1990 to 2010.
e u {M2} <rose> between 1990 and 2010.
"""
_ENOUGH: Final = """
c + {X} (alone )is [sufficient|enough] [for|to produce] {Y}.
c + {X} alone can [produce|bring about|cause] {Y}.
c - {X} (alone )is [insufficient|not sufficient|not enough] [for|to produce] {Y}.
c - {X} alone cannot [produce|bring about|cause] {Y}.
e + {X} by itself [gave rise to|produced|brought about|elicited] {Y}( in {P}).
e + {Y} was seen in {P} [given|expressing] {X} [and nothing else|in the absence of {W}].
e + Forced expression of {X} was all it took for {Y}.
e - {X} by itself [did not produce|failed to bring about|was unable to elicit] {Y}( in {P}).
e - {Y} was seen only [when {W} was given with|in the presence of both {W} and] {X}.
e - Besides {X}, {W} was needed for {Y}.
e u {X} is found where {Y} occurs.
e u {W} by itself [produced|did not produce] {Y}.
"""
_SUPERIOR: Final = """
c + {A} is [superior to|better than|more effective than|preferable to] {B} for {D}.
c + {A} leads to better outcomes than {B} in {D}.
c + {B} is inferior to {A} in [treating|managing] {D}.
c - {A} is [not superior to|no better than|not more effective than|not preferable to] {B} for {D}.
c - {A} does not lead to better outcomes than {B} in {D}.
c - {B} is as good as {A} in [treating|managing] {D}.
e + {A} resulted in improved [short- and long-term |]outcomes of {D} compared with {B} ({S}).
e + In {D}, {A} was significantly better than {B} on {k} outcome measures.
e + {P} with {D} fared better with {A} than with {B} ({S}).
e + {D} scores were {h} with {A} and {l} with {B} (higher is better).
e + Recovery from {D} was [faster|more complete] in the {A} group than in the {B} group ({S}).
e - There was no significant difference between {A} and {B} in outcomes of {D} over 2 years ({N}).
e - In {D}, {A} was not significantly better than {B} on any outcome measure.
e - {P} with {D} fared the same with {A} as with {B} ({N}).
e - {D} scores were {h}.1 with {A} and {h}.3 with {B} ({N}).
e - {P} with {D} fared better with {B} than with {A} ({S}).
e - Between-group differences in {D} ({A} minus {B}) were 0.{k} points (95% CI -1.{k} to 2.{k}; {N}).
e u {P} with {D} were randomised to {A} or {B}.
e u {A} was better than {W} in {D}.
e u The costs of {A} and {B} in {D} were compared.
"""
_DEPENDS: Final = """
c + {Y} is {X}-dependent.
c + {Y} occurs in [a|an] {X}-dependent manner.
c + {X} mediates {Y}.
c - {Y} is {X}-independent.
c - {Y} occurs independently of {X}.
c - {X} does not mediate {Y}.
e + {Y} was [abrogated|lost|blunted] in the absence of {X}, showing that it acts through {X}.
e + We show that {Y} [is mediated by|occurs through|goes via|acts through] {X}.
e + {X} mediates {Y} in {P}.
e + {Y} required [functional|intact|active] {X}.
e - {Y} was [preserved|unchanged|just as strong] in the absence of {X}.
e - We describe [a|an] {X}-independent mechanism of {Y}.
e - {Y} [is not mediated by|does not act through|bypasses] {X}.
e - {Y} occurred even [when {X} was blocked|in {P} without {X}].
e u {Y} is mediated by {W}.
e u Whether {Y} acts through {X} was not tested.
"""
MORE: Final = {
    "superior": _SUPERIOR,
    "depends": _DEPENDS,
    "benefit": _BENEFIT,
    "harm": _HARM,
    "assoc": _ASSOC,
    "sensitive": _SENSITIVE,
    "bind": _TWO,
    "present": _PRESENT,
    "safe": _SAFE,
    "time": _TIME,
    "share": _SHARE,
    "trend": _TREND,
    "enough": _ENOUGH,
}
