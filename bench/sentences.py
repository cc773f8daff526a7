"""What the detector of languages is measured on: a short and a long question in each language, and what is no language.

Written for this purpose, by language code (ISO 639): the same two questions, where the station is, and when the next
train leaves and what a ticket costs.
"""

__all__ = ["MIXED", "NOTHING", "SENTENCES"]

SENTENCES: dict[str, tuple[str, str]] = {
    "af": ("Waar is die stasie?", "Kan jy my sê wanneer die volgende trein vertrek en hoeveel 'n kaartjie kos?"),
    "am": ("ጣቢያው የት ነው?", "የሚቀጥለው ባቡር መቼ እንደሚነሳ እና ቲኬቱ ስንት እንደሆነ ሊነግሩኝ ይችላሉ?"),
    "ar": ("أين تقع المحطة؟", "هل يمكنك أن تخبرني متى يغادر القطار القادم وكم ثمن التذكرة؟"),
    "az": ("Stansiya haradadır?", "Növbəti qatarın nə vaxt yola düşdüyünü və biletin neçəyə olduğunu deyə bilərsiniz?"),
    "be": ("Дзе знаходзіцца вакзал?", "Ці можаце вы сказаць, калі адпраўляецца наступны цягнік і колькі каштуе білет?"),
    "bg": ("Къде е гарата?", "Можете ли да ми кажете кога тръгва следващият влак и колко струва билетът?"),
    "bn": ("স্টেশন কোথায়?", "পরের ট্রেন কখন ছাড়বে এবং টিকিটের দাম কত, আপনি কি বলতে পারেন?"),
    "ca": ("On és l'estació?", "Em pots dir quan surt el proper tren i quant costa un bitllet?"),
    "cs": ("Kde je nádraží?", "Můžete mi říct, kdy odjíždí další vlak a kolik stojí jízdenka?"),
    "cy": (
        "Ble mae'r orsaf?",
        "Allwch chi ddweud wrthyf pryd mae'r trên nesaf yn gadael a faint mae tocyn yn ei gostio?",
    ),
    "da": ("Hvor ligger stationen?", "Kan du sige mig, hvornår det næste tog kører, og hvad en billet koster?"),
    "de": (
        "Wo ist der Bahnhof?",
        "Können Sie mir sagen, wann der nächste Zug fährt und wie viel eine Fahrkarte kostet?",
    ),
    "el": (
        "Πού είναι ο σταθμός;",
        "Μπορείτε να μου πείτε πότε φεύγει το επόμενο τρένο και πόσο κοστίζει το εισιτήριο;",
    ),
    "en": ("Where is the station?", "Can you tell me when the next train leaves and how much a ticket costs?"),
    "eo": ("Kie estas la stacidomo?", "Ĉu vi povas diri al mi, kiam foriros la sekva trajno kaj kiom kostas bileto?"),
    "es": ("¿Dónde está la estación?", "¿Puede decirme cuándo sale el próximo tren y cuánto cuesta un billete?"),
    "et": ("Kus asub raudteejaam?", "Kas te oskate öelda, millal väljub järgmine rong ja kui palju maksab pilet?"),
    "eu": ("Non dago geltokia?", "Esango al didazu noiz irteten den hurrengo trena eta zenbat balio duen txartelak?"),
    "fa": ("ایستگاه کجاست؟", "می‌توانید به من بگویید قطار بعدی چه ساعتی حرکت می‌کند و قیمت بلیت چقدر است؟"),
    "fi": ("Missä on rautatieasema?", "Voitteko kertoa, milloin seuraava juna lähtee ja paljonko lippu maksaa?"),
    "fr": ("Où est la gare ?", "Pouvez-vous me dire quand part le prochain train et combien coûte un billet ?"),
    "ga": (
        "Cá bhfuil an stáisiún?",
        "An féidir leat a rá liom cathain a fhágann an chéad traein eile agus cé mhéad atá ar thicéad?",
    ),
    "gl": ("Onde está a estación?", "Pode dicirme cando sae o próximo tren e canto custa un billete?"),
    "gu": ("સ્ટેશન ક્યાં છે?", "આગળની ટ્રેન ક્યારે ઉપડે છે અને ટિકિટની કિંમત કેટલી છે તે તમે મને કહી શકો છો?"),
    "he": ("איפה התחנה?", "אתה יכול להגיד לי מתי יוצאת הרכבת הבאה וכמה עולה כרטיס?"),
    "hi": ("स्टेशन कहाँ है?", "क्या आप मुझे बता सकते हैं कि अगली ट्रेन कब चलेगी और टिकट कितने का है?"),
    "hr": ("Gdje je kolodvor?", "Možete li mi reći kada polazi sljedeći vlak i koliko stoji karta?"),
    "hu": ("Hol van az állomás?", "Meg tudná mondani, mikor indul a következő vonat, és mennyibe kerül egy jegy?"),
    "hy": ("Որտե՞ղ է կայարանը:", "Կարո՞ղ եք ասել, թե երբ է մեկնում հաջորդ գնացքը և որքան արժե տոմսը:"),
    "id": (
        "Di mana stasiunnya?",
        "Bisakah Anda memberi tahu saya kapan kereta berikutnya berangkat dan berapa harga tiketnya?",
    ),
    "is": ("Hvar er lestarstöðin?", "Geturðu sagt mér hvenær næsta lest fer og hvað miðinn kostar?"),
    "it": ("Dov'è la stazione?", "Può dirmi quando parte il prossimo treno e quanto costa un biglietto?"),
    "ja": ("駅はどこですか？", "次の電車は何時に出発しますか。切符はいくらですか。"),
    "ka": ("სად არის სადგური?", "შეგიძლიათ მითხრათ, როდის გადის შემდეგი მატარებელი და რა ღირს ბილეთი?"),
    "kk": ("Вокзал қай жерде?", "Келесі пойыз қашан жүретінін және билет қанша тұратынын айта аласыз ба?"),
    "km": ("ស្ថានីយ៍នៅឯណា?", "តើអ្នកអាចប្រាប់ខ្ញុំបានទេថារថភ្លើងបន្ទាប់ចេញនៅពេលណា ហើយសំបុត្រថ្លៃប៉ុន្មាន?"),
    "kn": ("ನಿಲ್ದಾಣ ಎಲ್ಲಿದೆ?", "ಮುಂದಿನ ರೈಲು ಯಾವಾಗ ಹೊರಡುತ್ತದೆ ಮತ್ತು ಟಿಕೆಟ್ ಬೆಲೆ ಎಷ್ಟು ಎಂದು ಹೇಳುತ್ತೀರಾ?"),
    "ko": ("역이 어디에 있나요?", "다음 기차가 언제 출발하고 표가 얼마인지 알려 주시겠어요?"),
    "ky": ("Вокзал кайда жайгашкан?", "Кийинки поезд качан жөнөй турганын жана билет канча турарын айта аласызбы?"),
    "lo": ("ສະຖານີຢູ່ໃສ?", "ທ່ານບອກຂ້ອຍໄດ້ບໍວ່າລົດໄຟຂະບວນຕໍ່ໄປອອກເວລາໃດ ແລະ ປີ້ລາຄາເທົ່າໃດ?"),
    "lt": (
        "Kur yra geležinkelio stotis?",
        "Gal galite pasakyti, kada išvyksta kitas traukinys ir kiek kainuoja bilietas?",
    ),
    "lv": ("Kur atrodas stacija?", "Vai varat pateikt, kad atiet nākamais vilciens un cik maksā biļete?"),
    "mk": ("Каде е станицата?", "Можете ли да ми кажете кога тргнува следниот воз и колку чини билетот?"),
    "ml": ("സ്റ്റേഷൻ എവിടെയാണ്?", "അടുത്ത ട്രെയിൻ എപ്പോൾ പുറപ്പെടുമെന്നും ടിക്കറ്റിന് എത്ര വിലയാണെന്നും പറയാമോ?"),
    "mn": ("Буудал хаана байдаг вэ?", "Дараагийн галт тэрэг хэзээ хөдлөх, тасалбар ямар үнэтэй вэ гэдгийг хэлж өгөөч?"),
    "mr": ("स्टेशन कुठे आहे?", "पुढची गाडी कधी सुटते आणि तिकिटाची किंमत किती आहे ते मला सांगू शकाल का?"),
    "ms": (
        "Di manakah stesen itu?",
        "Bolehkah anda beritahu saya bila kereta api seterusnya bertolak dan berapakah harga tiketnya?",
    ),
    "my": ("ဘူတာရုံ ဘယ်မှာလဲ။", "နောက်ရထား ဘယ်အချိန်ထွက်မလဲ၊ လက်မှတ်ဘယ်လောက်လဲ ပြောပြနိုင်မလား။"),
    "ne": ("स्टेशन कहाँ छ?", "अर्को रेल कहिले छुट्छ र टिकटको मूल्य कति हो, मलाई भन्न सक्नुहुन्छ?"),
    "nl": (
        "Waar is het station?",
        "Kunt u mij vertellen wanneer de volgende trein vertrekt en hoeveel een kaartje kost?",
    ),
    "no": (
        "Hvor er jernbanestasjonen?",
        "Kan du si meg når neste tog går, og hva en billett koster? Jeg vil gjerne vite det nå.",
    ),
    "pa": ("ਸਟੇਸ਼ਨ ਕਿੱਥੇ ਹੈ?", "ਕੀ ਤੁਸੀਂ ਮੈਨੂੰ ਦੱਸ ਸਕਦੇ ਹੋ ਕਿ ਅਗਲੀ ਰੇਲਗੱਡੀ ਕਦੋਂ ਚੱਲੇਗੀ ਅਤੇ ਟਿਕਟ ਕਿੰਨੇ ਦੀ ਹੈ?"),
    "pl": ("Gdzie jest dworzec?", "Czy może mi pan powiedzieć, kiedy odjeżdża następny pociąg i ile kosztuje bilet?"),
    "pt": ("Onde fica a estação?", "Pode dizer-me quando parte o próximo comboio e quanto custa um bilhete?"),
    "ro": ("Unde este gara?", "Îmi puteți spune când pleacă următorul tren și cât costă un bilet?"),
    "ru": ("Где находится вокзал?", "Вы можете сказать, когда отправляется следующий поезд и сколько стоит билет?"),
    "si": ("දුම්රිය ස්ථානය කොහෙද?", "ඊළඟ දුම්රිය පිටත් වන්නේ කවදාද සහ ප්‍රවේශ පත්‍රයක් කීයද කියා මට කියන්න පුළුවන්ද?"),
    "sk": ("Kde je železničná stanica?", "Môžete mi povedať, kedy odchádza ďalší vlak a koľko stojí lístok?"),
    "sl": ("Kje je železniška postaja?", "Mi lahko poveste, kdaj odpelje naslednji vlak in koliko stane vozovnica?"),
    "sq": ("Ku është stacioni?", "A mund të më thoni kur niset treni tjetër dhe sa kushton një biletë?"),
    "sr": ("Где је железничка станица?", "Можете ли да ми кажете када полази следећи воз и колико кошта карта?"),
    "sv": ("Var ligger stationen?", "Kan du säga mig när nästa tåg går och vad en biljett kostar?"),
    "sw": ("Kituo kiko wapi?", "Unaweza kuniambia treni inayofuata inaondoka lini na tiketi ni bei gani?"),
    "ta": ("நிலையம் எங்கே இருக்கிறது?", "அடுத்த ரயில் எப்போது புறப்படும், டிக்கெட் விலை எவ்வளவு என்று சொல்ல முடியுமா?"),
    "te": ("స్టేషన్ ఎక్కడ ఉంది?", "తదుపరి రైలు ఎప్పుడు బయలుదేరుతుందో, టికెట్ ధర ఎంతో నాకు చెప్పగలరా?"),
    "tg": ("Истгоҳ дар куҷост?", "Метавонед бигӯед, ки қатораи навбатӣ кай ҳаракат мекунад ва чипта чанд пул аст?"),
    "th": ("สถานีอยู่ที่ไหน", "ช่วยบอกหน่อยได้ไหมว่ารถไฟขบวนต่อไปออกเมื่อไรและตั๋วราคาเท่าไร"),
    "tl": (
        "Nasaan ang istasyon?",
        "Maaari mo bang sabihin sa akin kung kailan aalis ang susunod na tren at magkano ang tiket?",
    ),
    "tr": (
        "İstasyon nerede?",
        "Bir sonraki trenin ne zaman kalktığını ve biletin ne kadar olduğunu söyleyebilir misiniz?",
    ),
    "uk": ("Де знаходиться вокзал?", "Ви можете сказати, коли відправляється наступний потяг і скільки коштує квиток?"),
    "ur": ("اسٹیشن کہاں ہے؟", "کیا آپ مجھے بتا سکتے ہیں کہ اگلی ٹرین کب روانہ ہوگی اور ٹکٹ کتنے کا ہے؟"),
    "uz": (
        "Vokzal qayerda joylashgan?",
        "Keyingi poyezd qachon joʻnab ketishini va chipta qancha turishini ayta olasizmi?",
    ),
    "vi": (
        "Nhà ga ở đâu?",
        "Bạn có thể cho tôi biết khi nào chuyến tàu tiếp theo khởi hành và vé giá bao nhiêu không?",
    ),
    "zh": ("车站在哪里？", "您能告诉我下一班火车什么时候开，一张票多少钱吗？"),
}

#: Texts of two languages in about equal parts.
MIXED: tuple[str, ...] = (
    "Where is the station, I have to catch a train in ten minutes. Wo ist der Bahnhof, ich muss in zehn Minuten los.",
    "I would like to book a table for two tonight. Je voudrais réserver une table pour deux personnes ce soir.",
    "¿Cuánto cuesta el billete de ida y vuelta? Quanto custa o bilhete de ida e volta para amanhã?",
    "Где находится ближайшая аптека? Could you show me the nearest pharmacy on the map?",
    "What does this sentence mean to you, my friend? この文はあなたにとってどういう意味ですか、友よ。",
    "Il treno parte alle otto di sera dal binario tre. Der Zug fährt um acht Uhr abends von Gleis drei ab.",
)

#: Texts of no language, or too little of one to tell.
NOTHING: tuple[str, ...] = (
    "",
    "   ",
    "12345 67.89",
    "ok",
    "hm",
    "👍👍👍",
    "???",
    "asdfgh qwrtzp",
    "xkcd zzqj bvvt",
    "https://example.com/path?q=1",
    "user@example.com",
    '{"a": 1, "b": [true, null]}',
    "```python\ndef f(x):\n    return x + 1\n```",
    "E = mc^2",
    "SELECT * FROM t WHERE a = 1;",
    "<div class='x'></div>",
)
