"""What the grammar's relations are between: lists written by hand, and noun phrases found in titles and abstracts."""

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["HAND", "mined"]


def _list(text: str) -> list[str]:
    return [one.strip() for one in text.replace("\n", " ").split(";") if one.strip()]


#: By the letter that stands for them in a template.
HAND: Final[dict[str, list[str]]] = {
    "X": _list("""
aspirin; metformin; vitamin D; cold exposure; exercise; smoking; coffee; IL-6; TNF; interferon gamma; TGF-beta; p53;
Notch signalling; autophagy; a high-fat diet; sleep deprivation; statin use; insulin; oestrogen; rapamycin; hypoxia;
zinc; dietary fibre; the gut microbiome; breastfeeding; early screening; vaccination; chemotherapy; cognitive
behavioural therapy; obesity; maternal stress; air pollution; alcohol; caspase-1; NF-kappaB; mTORC1; a Mediterranean
diet; tamoxifen; dexamethasone; the A allele; calcium; leptin; caloric restriction; PI3K; miR-21; histone acetylation;
the enzyme; the drug; the vaccine; the new pricing plan; remote work; the tax; the update; automation; free parking;
the training course; fertiliser; rainfall; caching; the discount; advertising; the speed limit; a minimum wage; night
shifts; tutoring; the merger; compression; encryption
"""),
    "Y": _list("""
cell proliferation; apoptosis; IL-10 production; insulin secretion; blood pressure; bone density; tumour growth;
neuronal survival; T cell activation; lipid accumulation; angiogenesis; fibrosis; inflammation; glucose uptake; viral
replication; wound healing; DNA repair; synaptic plasticity; food intake; body weight; heart rate; memory formation;
cell migration; mitochondrial respiration; histone methylation; telomere length; milk production; self-renewal;
neutrophil recruitment; antibody titres; LDL cholesterol; energy expenditure; airway resistance; protein synthesis;
life span; social behaviour; pain; platelet aggregation; gene expression; stem cell differentiation; calcium influx;
ribosome biogenesis; metastasis; muscle mass; collagen synthesis; sales; traffic; crop yield; unemployment; response
time; customer satisfaction; memory use; house prices; fuel consumption; test scores; staff turnover; error rates; the
number of complaints; throughput; page load time; crime; energy demand; profits
"""),
    "P": _list("""
mice; patients; rats; zebrafish; children; adults; women; men; older adults; human cells; neurons; macrophages; T
cells; fibroblasts; yeast; infants; pregnant women; HeLa cells; tumour cells; embryonic stem cells; healthy
volunteers; smokers; knock-in mice; flies; worms; hepatocytes; epithelial cells; diabetic patients; students; workers;
firms; towns; servers
"""),
    "D": _list("""
breast cancer; stroke; type 2 diabetes; asthma; depression; Alzheimer's disease; heart failure; preterm birth; hip
fracture; sepsis; malaria; tuberculosis; lung cancer; obesity; schizophrenia; multiple sclerosis; rheumatoid
arthritis; colorectal cancer; hypertension; kidney failure; insomnia; migraine; influenza; HIV infection;
osteoporosis; atherosclerosis; pneumonia; dementia; autism; myocardial infarction; coronary artery disease; leukaemia;
chronic pain; low back pain; anaemia; eczema; deep vein thrombosis; liver fibrosis; glaucoma; psoriasis; accidents;
burnout; data loss; bankruptcy; crashes; flooding
"""),
    "M": _list("""
survival; mortality; blood pressure; body mass index; IL-6 levels; the relapse rate; bone mineral density; life
expectancy; the response rate; serum cholesterol; viral load; the number of lesions; tumour size; the cost per
patient; pain scores; cortisol levels; the rate of complications; expression of CD44; telomere length; insulin
sensitivity; the prevalence of anaemia; average income; the dropout rate; latency; mean temperature; battery life;
voter turnout; rent; literacy; the accident rate
"""),
    "A": _list("""
men; women; smokers; non-smokers; children; adults; wild-type mice; knockout mice; the treatment group; the placebo
group; carriers; non-carriers; patients with diabetes; healthy controls; vegetarians; meat eaters; naive cells; memory
cells; tumour tissue; normal tissue; rural areas; cities; older patients; younger patients; the surgery group; the
drug group; females; males; primary tumours; metastases; Asia; Europe; private schools; state schools; the first
version; the second version; twins; athletes; nurses; doctors; high-income countries; low-income countries; B cells;
monocytes; the liver; the kidney
"""),
    "T": _list("""
cisplatin; ionising radiation; oxidative stress; infection; heat shock; starvation; bacterial toxins; ultraviolet
light; paclitaxel; antibiotics; TNF-induced death; influenza virus; salt; drought; hypoxia; endotoxin; gefitinib;
anti-PD-1 therapy; listeria; temozolomide; noise; fluconazole; cold; malaria parasites; ischaemia; high doses of
insulin
"""),
    "L": _list("""
the hippocampus; neurons; the liver; regulatory T cells; breast tumours; beta cells; the nucleus; mitochondria; adult
muscle; the retina; bone marrow; the placenta; astrocytes; plasma; colorectal cancer stem cells; keratinocytes; the
endoplasmic reticulum; adipose tissue; macrophages; sperm; the cerebellum; drinking water; tumour samples; leaves; the
thymus; saliva
"""),
    "F": _list("""
a TP53 mutation; antibodies to the virus; abnormal PrP; diabetes; fever; regional metastases; a family history of
cancer; hearing loss; vitamin D deficiency; a positive test; high blood pressure; the risk allele; sleep problems;
anxiety; fatigue; a smartphone; insurance; relapse; copy number changes; a second infection; side effects; the ApoE4
allele; lymph node involvement; debts
"""),
    "E": _list("""
menopause; puberty; cell cycle entry; wound closure; disease onset; flowering; recovery; death; progression; fracture
healing; myelination; senescence; first walking; relapse; mitosis; delivery; gastric emptying; sleep onset; hatching;
the launch; discharge
"""),
}
_WORD: Final = (
    r"(?!(?:is|are|was|were|that|which|and|or|by|with|from|to|for|in|on|at|as|after|during|through|via|but|not|we|this|these"
    r"|when|whether|has|have|had|been|can|may|be|between|the|its|their|both|using|who|patients)\b)[A-Za-z0-9α-ω/+'-]+"
)
_PHRASE: Final = rf"((?:the |an? )?{_WORD}(?: {_WORD}){{0,4}}(?: of (?:the )?{_WORD}(?: {_WORD}){{0,2}})?)"
_CAUSE: Final = (
    r"(?:increases?|reduces?|decreases?|inhibits?|promotes?|induces?|suppresses|enhances?|prevents?|regulates?|mediates?"
    r"|controls?|activates?|blocks?|impairs?|improves?|stimulates?|drives?|modulates?|affects?|attenuates?|increased|reduced"
    r"|decreased|inhibited|promoted|induced|suppressed|enhanced|impaired|improved|is required for|is essential for"
    r"|is necessary for|are required for|is critical for)"
)
_FOUND: Final = (
    re.compile(rf"^{_PHRASE} {_CAUSE} {_PHRASE}"),
    re.compile(rf"\b(?:[Ee]ffects?|[Rr]oles?|[Ii]mpact|[Ii]nfluence) of {_PHRASE} (?:on|in) {_PHRASE}"),
    re.compile(rf"\b(?:that|and|,) {_PHRASE} {_CAUSE} {_PHRASE}"),
    re.compile(rf"\b[Aa]ssociation (?:of|between) {_PHRASE} (?:with|and) {_PHRASE}"),
)
_POOR: Final = re.compile(
    r"^(?:it|they|he|she|there|what|how|why|here|also|thus|each|such|no|all|some|one|two|more|less|further|data|results|our)\b"
    r"|\b(?:increas|decreas|reduc|inhibit|significant|loss|lack|deficien|defici|absence|absent|knockout|overexpress|deplet"
    r"|deletion|suppress|impair|block|enhanc|improv|higher|lower|only|do|does|did|could|would|will|than|show|suggest"
    r"|low|high)\w*\b",
    re.IGNORECASE,
)


def mined(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Return what is said to act on what in titles and sentences: pairs of noun phrases without words of direction."""
    found = []
    for text in texts:
        for pattern in _FOUND:
            for match in pattern.finditer(text):
                one, two = (part.strip() for part in match.groups())
                if min(len(one), len(two)) > 2 and not _POOR.search(one) and not _POOR.search(two) and one != two:
                    found.append((_lowered(one), _lowered(two)))
    return found


def _lowered(phrase: str) -> str:
    first, _, rest = phrase.partition(" ")
    return f"{first.lower()} {rest}".strip() if re.fullmatch(r"[A-Z][a-z]+", first) else phrase
