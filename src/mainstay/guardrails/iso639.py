"""The languages that a detector here may name: codes of ISO 639, of two letters where there is one, and their names."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["LANGUAGES"]

_TABLE: Final = """
    aa Afar; ab Abkhaz; af Afrikaans; ak Akan; am Amharic; an Aragonese; ar Arabic; as Assamese; ast Asturian;
    av Avar; ay Aymara; az Azerbaijani; ba Bashkir; bar Bavarian; bcl Central Bikol; be Belarusian; bg Bulgarian;
    bho Bhojpuri; bi Bislama; bn Bengali; bo Tibetan; bpy Bishnupriya; br Breton; bs Bosnian; bxr Russia Buriat;
    ca Catalan; cbk Chavacano; ce Chechen; ceb Cebuano; chr Cherokee; co Corsican; crs Seychelles Creole; cs Czech;
    cv Chuvash; cy Welsh; da Danish; de German; diq Dimli; dsb Lower Sorbian; dty Dotyali; dv Dhivehi; dz Dzongkha;
    ee Ewe; egl Emilian; el Greek; en English; eo Esperanto; es Spanish; et Estonian; eu Basque; fa Persian;
    fi Finnish; fj Fijian; fo Faroese; fr French; frr North Frisian; fy West Frisian; ga Irish; gaa Ga;
    gd Scottish Gaelic; gl Galician; gn Guarani; gom Goan Konkani; gsw Alemannic; gu Gujarati; gv Manx; ha Hausa;
    haw Hawaiian; he Hebrew; hi Hindi; hif Fiji Hindi; hmn Hmong; hr Croatian; hsb Upper Sorbian; ht Haitian Creole;
    hu Hungarian; hy Armenian; ia Interlingua; id Indonesian; ie Interlingue; ig Igbo; ik Inupiaq; ilo Ilocano;
    io Ido; is Icelandic; it Italian; iu Inuktitut; ja Japanese; jbo Lojban; jv Javanese; ka Georgian; kha Khasi;
    kk Kazakh; kl Greenlandic; km Khmer; kn Kannada; ko Korean; krc Karachay-Balkar; kri Krio; ks Kashmiri;
    ku Kurdish; kv Komi; kw Cornish; ky Kyrgyz; la Latin; lb Luxembourgish; lez Lezgian; lg Ganda; li Limburgish;
    lif Limbu; lmo Lombard; ln Lingala; lo Lao; loz Lozi; lrc Northern Luri; lt Lithuanian; lua Luba-Lulua; luo Luo;
    lv Latvian; mai Maithili; mfe Mauritian Creole; mg Malagasy; mhr Meadow Mari; mi Maori; min Minangkabau;
    mk Macedonian; ml Malayalam; mn Mongolian; mr Marathi; mrj Hill Mari; ms Malay; mt Maltese; mwl Mirandese;
    my Burmese; myv Erzya; mzn Mazanderani; na Nauru; nah Nahuatl; nap Neapolitan; nds Low German; ne Nepali;
    new Newar; nl Dutch; no Norwegian; nr Southern Ndebele; nso Northern Sotho; ny Chichewa; oc Occitan; om Oromo;
    or Odia; os Ossetian; pa Punjabi; pam Pampanga; pfl Palatine German; pl Polish; pms Piedmontese;
    pnb Western Punjabi; ps Pashto; pt Portuguese; qu Quechua; raj Rajasthani; rm Romansh; rn Rundi; ro Romanian;
    ru Russian; rue Rusyn; rw Kinyarwanda; sa Sanskrit; sah Yakut; sc Sardinian; scn Sicilian; sco Scots; sd Sindhi;
    sg Sango; si Sinhala; sk Slovak; sl Slovenian; sm Samoan; sn Shona; so Somali; sq Albanian; sr Serbian; ss Swati;
    st Southern Sotho; su Sundanese; sv Swedish; sw Swahili; syr Syriac; ta Tamil; te Telugu; tg Tajik; th Thai;
    ti Tigrinya; tk Turkmen; tl Tagalog; tn Tswana; to Tongan; tr Turkish; ts Tsonga; tt Tatar; tum Tumbuka; tw Twi;
    tyv Tuvan; ug Uyghur; uk Ukrainian; ur Urdu; uz Uzbek; ve Venda; vec Venetian; vep Veps; vi Vietnamese;
    vls West Flemish; vo Volapük; wa Walloon; war Waray; wo Wolof; xal Kalmyk; xh Xhosa; xmf Mingrelian; yi Yiddish;
    yo Yoruba; za Zhuang; zh Chinese; zu Zulu
"""

#: English name by code.
LANGUAGES: Final[Mapping[str, str]] = MappingProxyType(
    {code: name for code, _, name in (entry.strip().partition(" ") for entry in _TABLE.split(";"))}
)
