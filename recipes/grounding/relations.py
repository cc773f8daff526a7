"""Surface forms of relations, for the grammar: written by hand for this project, of medicine and ordinary life.

A line begins with what it is: ``c`` a claim, ``e`` evidence; then the poles that it says (``d`` either direction: its
slots follow; ``+``, ``-`` one of them; ``0`` none; ``*`` a claim that there is some effect, of either direction;
``u`` evidence that leaves it open). ``[a|b]`` is a choice, ``(a)`` stands half of the time, ``<slot>`` a word of the
direction and ``<oslot>`` one of the opposite; ``{X}`` and ``{Y}`` are what the relation is between, ``{P}`` who it was
seen in, ``{S}`` and ``{N}`` statistics that say yes or no, ``{Q}`` a share. ``@+`` at the end: for that pole only.
"""

from typing import Final

__all__ = ["RELATIONS"]

_EFFECT: Final = """
c d {X} <s> {Y}.
c d {X} <s> {Y} in {P}.
c d {Y} is <en> by {X}.
c d {X} <ed> {Y}.
c d {X} [leads to|causes|is responsible for] [a|an] <n> in {Y}.
c d {X} has a <valence> effect on {Y}.
c d <Loss> <os> {Y}.
c d <Loss> leads to <oadj> {Y}.
c d {P} lacking {X} have <oadj> {Y}.
c d {P} deficient in {X} [show|exhibit|display] <oadj> {Y}.
c d Blocking {X} <os> {Y}.
c d <Gain> <s> {Y}.
c d <Gain> leads to <adj> {Y}.
c d {X} is a <role> of {Y}.
c d {X} acts as a <role> of {Y}.
c d {Y} <rises> [in response to|after|upon] {X}.
c d {Y} <rises> with {X} and <orises> without it.
c d In the absence of {X}, {Y} <orises>.
c d {Y} is <cmp> with {X} than without.
c d {X} [helps to|can|is known to] <base> {Y}.
c d {X} is capable of <ing> {Y}.
c d {X} [results in|brings about] <adj> {Y}.
c d {X} exposure <s> {Y}.
c d Mice without {X} have <oadj> {Y}.
c d Inhibiting {X} <os> {Y} in {P}.
c d Activation of {X} <s> {Y}.
c d Patients with [high|elevated] {X} have <cmp> {Y}.
c d [Deletion|Knockout] of {X} [triggers|results in] <oadj> {Y}.
c * {X} affects {Y}.
c * {X} [plays a role in|is involved in|has an impact on|influences] {Y}.
c * {X} plays [an important|a major|a key] role in [regulating |controlling |]{Y}.
c * {X} [regulates|modulates|alters|changes|controls] {Y}.
c * {Y} depends on {X}.
c 0 {X} does not affect {Y}.
c 0 {X} has no [effect|influence|impact|bearing] on {Y}.
c 0 {X} does not [play a role in|alter|change|influence|regulate] {Y}.
c 0 {X} is not involved in {Y}.
c 0 {Y} [does not depend on|is independent of|is unaffected by|is not regulated by] {X}.
c 0 {Y} is the same with or without {X}.
c 0 {X} and {Y} are unrelated.
c 0 {X} plays no [important |significant |]role in {Y}.
e d {X} ~ <ed> {Y} (in {P})(, {S}).
e d {X} <s> {Y} [through|by] [a direct mechanism|binding to its target|acting on transcription|an unknown pathway].
e d [Treatment with|Exposure to|Administration of|Addition of] {X} ~ <ed> {Y} (in {P})( ({S})).
e d {Y} was ~ <en> by {X} (in a [dose|time|concentration]-dependent manner).
e d {Y} was ~ <cmp> in {P} [exposed to|treated with|given|with] {X} than in [controls|those without it] ({S}).
e d {Y} ~ <rose> [after|following|upon|in response to|during] {X}( ({S})).
e d There was a [marked|significant|modest|sharp|{Q}] <n> in {Y} [after|following|with|in the presence of] {X}.
e d {X} [led to|resulted in|produced|caused|was accompanied by|was followed by] a [marked|{Q}|significant|profound] \
<n> in {Y}.
e d A [marked|{Q}|significant] <n> [of|in] {Y} was [seen|observed|noted|found|detected] [after|with|following] {X}.
e d The {X}-induced <n> of {Y} was [reversed|abolished|lost] when {X} was [removed|blocked|withdrawn].
e d <Loss> ~ <oed> {Y}( in {P}).
e d <Loss> [resulted in|led to|caused] [a|an] [marked|significant|{Q}] <on> in {Y}.
e d In {P} lacking {X}, {Y} was ~ <oen>( ({S})).
e d {P} [deficient in|without|that lack|null for] {X} [showed|had|exhibited|displayed] ~ <oadj> {Y} [compared with|\
relative to|than] [wild-type controls|littermates|controls].
e d In the absence of {X}, {Y} ~ <orose>.
e d When {X} was [knocked down|deleted|blocked|depleted|removed|silenced], {Y} [was ~ <oen>|~ <orose>].
e d {Y} ~ <orose> [once|when|after] {X} was [lost|deleted|inhibited|withdrawn|neutralised].
e d [Inhibition|Blockade|Neutralisation|Silencing|Withdrawal] of {X} ~ <oed> {Y}, whereas [restoring|adding back|\
overexpression of] it <ed> {Y}.
e d [Removing|Blocking|Inhibiting|Depleting|Silencing] {X} was enough to <obase> {Y}.
e d <Gain> ~ <ed> {Y}(, while its loss had the opposite effect).
e d [Restoring|Re-expressing|Supplying] {X} [was sufficient to <base>|<ed>] {Y}.
e d {Y} was <adj> where {X} was [abundant|high|present] and <oadj> where it was [scarce|low|absent].
e d The [more|higher the level of] {X}, the <cmp> the {Y}.
e d Without {X}, {Y} was [only|no more than] [half|a third|20%|a fraction] of normal; {X} brought it back. @+
e d Without {X}, {Y} was [two|three|four|several] times normal; {X} brought it back down. @-
e d {Y} [doubled|tripled|went from 12 to 31|increased {Q}] [after|with|under] {X}. @+
e d {Y} [halved|fell by {Q}|went from 31 to 12|was cut by half] [after|with|under] {X}. @-
e d {P} given {X} had {Y} of [8.1|24|140|0.9], against [3.2|11|61|0.4] in controls ({S}). @+
e d {P} given {X} had {Y} of [3.2|11|61|0.4], against [8.1|24|140|0.9] in controls ({S}). @-
e d {X}-deficient {P} [exhibit|show] <oadj> {Y}, [higher|lower] {Z}, and [more|less] {W}.
e d [Genetic|Pharmacological] [ablation|inhibition] of {X} <oed> {Y}, [indicating|suggesting] that {X} normally <s> it.
e d {Y} was [rescued|restored] [by|after] [re-expression|addition] of {X}. @+
e d [Inhibitors of {X}|Antibodies to {X}] [relieve|restore|release] {Y}. @-
e d {X} [keeps {Y} in check|puts a brake on {Y}|stands in the way of {Y}|antagonises {Y}]. @-
e d {X} [supports|sustains|fuels|underlies|contributes to] {Y}. @+
e d Our data identify {X} as a <role> of {Y}.
e d These [results|findings] [reveal|establish|show] that {X} is a <role> of {Y}.
e d {X} [failed to|did not] <obase> {Y}; [on the contrary|instead|rather], it <ed> it.
e d Contrary to [expectation|our hypothesis|earlier reports], {X} <ed> rather than <oed> {Y}.
e d [Although|While] {X} had no effect on {Z}, it ~ <ed> {Y}.
e d {Z} was [unchanged|not affected], but {Y} was ~ <en> by {X}.
e d {X}, but not {W}, ~ <ed> {Y}.
e d {X} is thought to <obase> {Y}, but [here|in this study] it <ed> {Y}.
e d We [found|show|report|demonstrate] that {X}, [by itself|alone or with {W}|in {P}], [can <base>|<s>|is able to \
<base>] {Y}.
e d [Together|Taken together|In summary|Thus], {X} <s> {Y}( and could be a target for [therapy|treatment]).
e d This was due to {X}, which <s> {Y}.
e d {X} may [contribute to|explain] the <n> [of|in] {Y} (seen) in {P}.
e d By <ing> {Y}, {X} [shapes|determines|influences] {Z}.
e 0 {X} did not [affect|alter|change|influence|modify] {Y}( ({N})).
e 0 {Y} did not differ between {P} with and without {X} ({N}).
e 0 No [significant |]difference in {Y} was [seen|found|observed] between {X} and [control|placebo|sham] ({N}).
e 0 {X} had no [significant|detectable|measurable|appreciable] [effect|influence|impact] on {Y}.
e 0 {Y} was [similar|comparable|identical|the same] in {P} with and without {X}( ({N})).
e 0 {Y} remained [unchanged|stable|constant|intact] [after|despite|in the absence of|following the loss of] {X}.
e 0 <Loss> [did not alter|had no effect on|left unchanged] {Y}.
e 0 {P} lacking {X} had normal {Y}.
e 0 {Y} was normal in {P} [lacking|deficient in|without] {X}.
e 0 We found no evidence that {X} [influences|changes|affects|drives] {Y}.
e 0 {X} neither increased nor decreased {Y}.
e 0 {X} failed to [change|alter|affect] {Y}.
e 0 {X} ~ changed {Z} but not {Y}.
e 0 {Y} proceeded [normally|at the same rate] whether or not {X} was present.
e 0 [Changes in|Variation in] {Y} [were independent of|could not be explained by|were not due to] {X}.
e u [Whether|How|To what extent] {X} [affects|influences|changes] {Y} [is unknown|remains unclear|has not been \
studied|is debated].
e u We [examined|investigated|tested|studied|asked] whether {X} [affects|influences|is related to] {Y} in {P}.
e u The [aim|objective|purpose] of this study was to [assess|determine|evaluate] the effect of {X} on {Y}.
e u {X} ~ <ed> {Z} (in {P})(, {S}).
e u {W} ~ <ed> {Y} (in {P})(, {S}).
e u {Y} ~ <ed> {X}.
e u {X} and {Y} were [measured|determined|recorded] in {P} at [baseline|three months|the end of the study].
e u {Z} was ~ <cmp> in {P} with {X} than in controls ({S}).
e u {X} is [widely studied|found in many tissues|common], and {Y} is [a frequent finding|of great interest|often \
measured] in {P}.
e u <Loss> ~ <oed> {Z}.
e u Little is known of {X} in relation to {Y}.
"""
_NEED: Final = """
c + {X} is [required|necessary|needed|essential|indispensable|critical|crucial] for {Y}.
c + {Y} [requires|needs|depends on|relies on] {X}.
c + {Y} cannot [occur|happen|take place|proceed] without {X}.
c + {X} deficiency [prevents|abolishes|blocks] {Y}.
c + Without {X}, {Y} fails.
c + {X} plays an essential role in {Y}.
c - {X} is [dispensable|not required|not necessary|unnecessary|not needed|not essential] for {Y}.
c - {Y} [does not require|does not need|does not depend on|is independent of] {X}.
c - {Y} can [occur|happen|take place|proceed] without {X}.
c - {Y} is [intact|normal] in {P} lacking {X}.
c - {P} lacking {X} have normal {Y}.
e + {X} [is|was] [absolutely |strictly |critically |]required for {Y}( in {P}).
e + In the absence of {X}, {Y} [failed|did not occur|was abolished|was severely impaired|was lost|was undetectable].
e + <Loss> [abolished|blocked|completely prevented|eliminated|severely impaired] {Y}.
e + {P} lacking {X} [failed to show|were unable to carry out|did not undergo|had severe defects in] {Y}.
e + {Y} was [lost|abolished|absent|blocked] [in {P} deficient in {X}|when {X} was deleted|upon removal of {X}].
e + {Y} [depended on|relied on|required] {X}, since <loss> [abolished|prevented] it.
e + {Y} occurred only [when|where|if] {X} was present.
e + No {Y} was [seen|observed|detected] [unless {X} was present|without {X}|when {X} was blocked].
e + {X}-deficient {P} [are|were] defective in {Y}, [and|which shows that] {X} is [indispensable|essential].
e + Adding {X} back [rescued|restored] {Y} in {P} [without it|that had lost it].
e + {X} is [an essential|a critical|an indispensable] [mediator|regulator|component|factor] of {Y}.
e + {Y} is strictly {X}-dependent.
e - {X} [is|was] [largely |entirely |completely |]dispensable for {Y}( in {P}).
e - In the absence of {X}, {Y} [proceeded normally|was normal|was not affected|still occurred|was intact].
e - <Loss> [did not impair|had no effect on|did not affect|was without consequence for] {Y}.
e - {P} lacking {X} [showed normal|retained|had intact|underwent normal] {Y}.
e - {Y} was [intact|preserved|unimpaired|normal] [in {P} deficient in {X}|when {X} was deleted|despite the loss of {X}].
e - {Y} [occurred independently of|did not depend on|did not require] {X}.
e - {Y} occurred whether or not {X} was present.
e - {X}-deficient {P} [were fully competent for|had no defect in|did not differ from wild type in] {Y}.
e - Surprisingly, {Y} was [still seen|readily detected|as frequent as in controls] without {X}.
e - {X} is required for {Z} but not for {Y}.
e - {Y} is {X}-independent.
e u {X} is required for {Z}.
e u {W} is required for {Y}.
e u {Y} is required for {X}.
e u Whether {X} is required for {Y} [is unknown|was not tested|remains to be seen].
e u {X} and {Y} have been studied in {P}.
e u <Loss> [abolished|did not affect] {Z}.
e u The requirements for {Y} in {P} are [poorly understood|under study].
"""
_RISK: Final = """
c d {X} <s> the risk of {D}.
c d {X} is a [risk factor for|cause of|contributor to] {D}. @+
c d {X} [causes|leads to|predisposes to|promotes] {D}. @+
c d {X} [prevents|protects against|lowers the odds of|guards against] {D}. @-
c d {X} is protective against {D}. @-
c d {P} with {X} [have|face] [a|an] <cmp> risk of {D}.
c d {X} is associated with [a|an] <cmp> [risk|incidence|rate|prevalence] of {D}.
c d {P} with {X} are <more> likely to [develop|have|get] {D}.
c d {D} is <more> [common|frequent] in {P} with {X}.
c d Lack of {X} <os> the risk of {D}.
c d {X} <s> {D}.
c * {X} is associated with {D}.
c * {X} [affects|influences] the risk of {D}.
c 0 {X} does not [affect|change|influence|alter] the risk of {D}.
c 0 {X} is not [associated with|linked to|related to] {D}.
c 0 {D} is [equally|just as] common with and without {X}.
c 0 There is no [association|link|relationship] between {X} and {D}.
e d {D} occurred in {h}% of {P} with {X} and {l}% of those without ({S}). @+
e d {D} occurred in {l}% of {P} with {X} and {h}% of those without ({S}). @-
e d {X} was associated with [a|an] ({Q}) [<adj> risk|<cmp> incidence|<cmp> rate|<n> in the incidence] of {D}(, {S}).
e d The [hazard|odds|relative risk|risk] ratio for {D} with {X} was {rr} (95% CI {ci}).
e d {P} with {X} were ~ <more> likely to [develop|suffer from|be diagnosed with|have] {D} (RR {rr}, 95% CI {ci}).
e d {D} was <more> [frequent|common] among {P} [with|exposed to|who had] {X}( ({S})).
e d {X} [raises|doubled|tripled] the [risk|odds|likelihood] of {D}. @+
e d {X} [halved|lowers|cut by {Q}] the [risk|odds|likelihood] of {D}. @-
e d {X} [contributes to|promotes|predisposes {P} to|brings on] {D}. @+
e d {X} [protects {P} against|averts|wards off|shields {P} from] {D}. @-
e d {D} developed in few {P} with {X} but in many of those without it. @-
e d {D} developed in many {P} with {X} but in few of those without it. @+
e d {P} without {X} [had|showed] <ocmp> rates of {D}.
e d Compared with {P} who had no {X}, those with it had <more> {D} (adjusted OR {rr}; {ci}).
e d {X} was an independent [predictor|risk factor] for {D}. @+
e d {X} was a protective factor for {D}. @-
e d {D} was <en> by {Q} [with|after|in the group given] {X}.
e d {P} [lacking|deprived of|not given] {X} developed {D} [more often|earlier|more severely] than controls. @-
e d {P} [lacking|free of|not exposed to] {X} [were protected from|rarely developed|did not develop] {D}. @+
e d [Removal|Avoidance|Withdrawal] of {X} [prevented|reduced] {D}. @+
e d [Removal|Withdrawal|Stopping] of {X} [provoked|increased] {D}. @-
e 0 {X} was not [associated with|related to|linked to] {D} (OR 1.0{k}, 95% CI 0.8{k} to 1.2{k}).
e 0 The [incidence|rate|risk] of {D} was similar in {P} with and without {X} ({N}).
e 0 There was no [association|significant difference in {D}|link] between {P} with {X} and [controls|others] ({N}).
e 0 {X} did not [raise|change|affect|alter|reduce] the risk of {D} ({N}).
e 0 {D} occurred in {h}% of both groups, with and without {X}.
e 0 We found no evidence of [a link|an association|a causal relation] between {X} and {D}.
e 0 Adjusted for age and sex, {X} no longer had any relation to {D}.
e u The association between {X} and {D} has not been [studied|established|examined] in {P}.
e u We followed {P} to learn whether {X} [predicts|is related to|changes the risk of] {D}.
e u {W} was associated with [a|an] <cmp> risk of {D} ({S}).
e u {X} was associated with [a|an] <cmp> risk of {D2} ({S}).
e u {D} is a leading cause of [death|disability] in {P}.
e u {P} with {D} and {P} with {X} were [recruited|enrolled] at [four|twelve] centres.
"""
_COMPARE: Final = """
c d {A} [has|have|had] <cmp> {M} than {B}.
c d {M} is <cmp> in {A} than in {B}.
c d {M} is <ocmp> in {B} than in {A}.
c d Compared with {B}, {A} [show|have] <adj> {M}.
c d {B} [has|have] <ocmp> {M} than {A}.
c 0 {A} and {B} have [similar|the same|equal|comparable] {M}.
c 0 {M} does not differ between {A} and {B}.
c 0 There is no difference in {M} between {A} and {B}.
c * {M} differs between {A} and {B}.
c * {A} and {B} differ in {M}.
e d {M} was ~ <cmp> in {A} than in {B} ({S}).
e d {M} was ~ <ocmp> in {B} than in {A} ({S}).
e d {A} had ~ <cmp> {M} [than|compared with] {B}( ({S})).
e d {B} had ~ <ocmp> {M} [than|compared with] {A}( ({S})).
e d Mean {M} was {h} in {A} and {l} in {B} ({S}). @+
e d Mean {M} was {l} in {A} and {h} in {B} ({S}). @-
e d In {B}, {M} was {l}, [against|compared with|as opposed to] {h} in {A}. @+
e d In {B}, {M} was {h}, [against|compared with|as opposed to] {l} in {A}. @-
e d {M} in {A} [exceeded|surpassed|was well above] that in {B}. @+
e d {M} in {A} [was below|did not reach|fell short of] that in {B}. @-
e d {B} [exceeded|outdid|surpassed] {A} in {M}. @-
e d {B} [fell short of|lagged behind|were behind] {A} in {M}. @+
e d Relative to {B}, {M} was <en> by {Q} in {A}.
e d [The highest|Much higher] {M} was [seen|recorded|found] in {A}, and [the lowest|much lower] in {B}. @+
e d [The highest|Much higher] {M} was [seen|recorded|found] in {B}, and [the lowest|much lower] in {A}. @-
e d Whereas {B} had <oadj> {M}, {A} had <adj> {M}.
e d {A} and {B} differed in {M}, which was <cmp> in the [former|first]( ({S})).
e d {A} and {B} differed in {M}, which was <ocmp> in the [latter|second]( ({S})).
e 0 {M} did not differ between {A} and {B} ({N}).
e 0 {M} was [similar|comparable|the same|equivalent] in {A} and {B} ({N}).
e 0 There was no [significant |]difference in {M} between {A} and {B} ({N}).
e 0 {A} had {M} of {h}, and so had {B}.
e 0 Mean {M} was {h}.1 in {A} and {h}.2 in {B} ({N}).
e 0 {A} were no different from {B} in {M}.
e u {M} was measured in {A} and {B}.
e u {A} and {B} were compared for {M2}, which was <cmp> in {A} ({S}).
e u {M} was <cmp> in {A} than in {W} ({S}).
e u Differences between {A} and {B} in {M} have not been [studied|reported].
e u {A} were older than {B}.
"""
RELATIONS: Final = {"effect": _EFFECT, "need": _NEED, "risk": _RISK, "compare": _COMPARE}
