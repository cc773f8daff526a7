"""Word, PowerPoint and Excel files say what their reader would see."""

import pytest

from mainstay.core.errors import Unreadable
from mainstay.reading.office import read_office
from mainstay.reading.port import Limits
from support.files import docx, pptx, xlsx, zipped


def paragraph(*runs: str) -> str:
    return f"<w:p>{''.join(runs)}</w:p>"


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def cell(*paragraphs: str) -> str:
    return f"<w:tc>{''.join(map(paragraph, map(run, paragraphs)))}</w:tc>"


def test_a_document_is_read_with_its_tables_tabs_breaks_and_notes() -> None:
    body = (
        paragraph(run("Minutes "), run("of &lt;Monday&gt;"))
        + paragraph(run("Present:"), "<w:r><w:tab/></w:r>", run("all"), "<w:r><w:br/></w:r>", run("Absent: none"))
        + f"<w:tbl><w:tr>{cell('Item')}{cell('Cost', 'in EUR')}</w:tr><w:tr>{cell('Tea')}{cell('2')}</w:tr></w:tbl>"
        + paragraph(run("The end"))
    )
    read = read_office(docx(body, footnotes=paragraph(run("A note"))), Limits())
    assert read.how == "docx"
    assert read.text == (
        "Minutes of <Monday>\nPresent:\tall\nAbsent: none\nItem\tCost in EUR\nTea\t2\nThe end\n\nA note"
    )


def test_what_was_deleted_or_computed_or_is_there_twice_is_left_out() -> None:
    body = paragraph(
        run("kept"),
        f"<w:del>{run('deleted')}</w:del>",
        "<w:r><w:instrText>PAGE</w:instrText></w:r>",
        '<mc:AlternateContent xmlns:mc="urn:mc"><mc:Choice>' + run(" once") + "</mc:Choice>"
        "<mc:Fallback>" + run(" twice") + "</mc:Fallback></mc:AlternateContent>",
    )
    assert read_office(docx(body), Limits()).text == "kept once"


def test_slides_come_in_the_order_of_the_show_with_their_notes() -> None:
    read = read_office(pptx("First", "Second", notes={1: "Smile"}), Limits())
    assert (read.how, read.pages) == ("pptx", 2)
    assert read.text == "Slide 1\nFirst\n\nSlide 2\nSecond\nNotes: Smile"
    with pytest.raises(Unreadable, match="has 2 slides and this route reads at most 1"):
        read_office(pptx("First", "Second"), Limits(pages=1))


SHARED = "<si><t>Item</t></si><si><r><t>Te</t></r><r><t>a</t></r><rPh><t>tii</t></rPh></si>"
STYLES = (
    '<numFmts><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="0.00&quot;days&quot;"/>'
    "</numFmts><cellStyleXfs><xf numFmtId='14'/></cellStyleXfs>"
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>'
    '<xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="22"/></cellXfs>'
)
ROWS = (
    '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="inlineStr"><is><t>When</t></is></c></row>'
    '<row r="3"><c r="A3" t="s"><v>1</v></c><c r="B3"><f>1+1</f><v>2</v></c><c r="C3" s="1"><v>45000</v></c>'
    '<c r="D3" s="2"><v>45000.5</v></c><c r="E3" s="3"><v>7.5</v></c><c r="F3" t="b"><v>1</v></c>'
    '<c r="G3" t="e"><v>#N/A</v></c><c r="H3" s="4"><v>0.25</v></c></row><row r="4"><c r="A4"/></row>'
)


def test_cells_are_read_in_rows_with_shared_texts_dates_and_gaps() -> None:
    read = read_office(xlsx(("Costs", ROWS), ("Empty", ""), shared=SHARED, styles=STYLES), Limits())
    assert (read.how, read.pages) == ("xlsx", 2)
    assert read.text == (
        "Sheet Costs\nItem\t\tWhen\nTea\t2\t2023-03-15\t2023-03-15 12:00:00\t7.5\tTRUE\t#N/A\t06:00:00\n\nSheet Empty"
    )


def test_a_workbook_may_count_its_days_from_1904() -> None:
    row = '<row><c r="A1" s="1"><v>1</v></c></row>'
    data = xlsx(("S", row), styles=STYLES, properties='<workbookPr date1904="1"/>')
    assert read_office(data, Limits()).text == "Sheet S\n1904-01-02"


@pytest.mark.parametrize(
    "row",
    [
        '<c r="XFD1"><v>1</v></c>',
        '<c t="s"><v>99</v></c><c t="s"><v>-1</v></c><c t="s"><v>x</v></c><c><v>1</v></c>',
        '<c s="9999999999"><v>1</v></c>',
        '<c s="1"><v>1e300</v></c>',
        '<c s="1"><v>nan</v></c>',
    ],
)
def test_odd_cells_break_nothing(row: str) -> None:
    text = read_office(xlsx(("S", f"<row>{row}</row>"), styles=STYLES), Limits()).text
    assert text.startswith("Sheet S\n")
    assert len(text) < 100


def test_limits_hold_for_sheets_and_text() -> None:
    with pytest.raises(Unreadable, match="has 2 sheets"):
        read_office(xlsx(("A", ""), ("B", "")), Limits(pages=1))
    many = "".join('<row><c t="s"><v>0</v></c></row>' for _ in range(100))
    with pytest.raises(Unreadable, match="more text"):
        read_office(xlsx(("S", many), shared=f"<si><t>{'x' * 50}</t></si>"), Limits(characters=1000))
    with pytest.raises(Unreadable, match="more text"):
        read_office(xlsx(("S", ""), shared=f"<si><t>{'x' * 5000}</t></si>"), Limits(characters=1000))
    with pytest.raises(Unreadable, match="more text"):
        read_office(docx(paragraph(run("x" * 2000))), Limits(characters=1000))


def test_a_zip_file_of_something_else_is_refused() -> None:
    with pytest.raises(Unreadable, match="no Office document"):
        read_office(zipped({"readme.txt": "x"}), Limits())
    with pytest.raises(Unreadable, match="damaged"):
        read_office(zipped({"word/document.xml": "<w:p>"}), Limits())


def styled(style: str, *runs: str) -> str:
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>{"".join(runs)}</w:p>'


STYLED = '<w:style w:styleId="Titel"><w:name w:val="Title"/></w:style>' + "".join(
    f'<w:style w:styleId="berschrift{level}"><w:name w:val="heading {level}"/></w:style>' for level in (1, 2)
)


def test_headings_of_a_document_are_told_whatever_its_language_calls_their_styles() -> None:
    body = (
        paragraph()
        + styled("Titel", run("Handbuch"))
        + styled("berschrift1", run("Urlaub "), run("und mehr"))
        + paragraph(run("Dreißig Tage."))
        + f"<w:tbl><w:tr><w:tc>{styled('berschrift1', run('in a table'))}</w:tc></w:tr></w:tbl>"
        + styled("berschrift2", run("Krank"))
        + '<w:p><w:pPr><w:outlineLvl w:val="2"/></w:pPr>' + run("By its level") + "</w:p>"
        + '<w:p><w:pPr><w:outlineLvl w:val="9"/></w:pPr>' + run("body") + "</w:p>"
    )  # fmt: skip
    read = read_office(docx(body, styles=STYLED), Limits())
    assert [(mark.kind, mark.number, mark.title) for mark in read.marks] == [
        ("heading", 0, "Handbuch"),
        ("heading", 1, "Urlaub und mehr"),
        ("heading", 2, "Krank"),
        ("heading", 3, "By its level"),
    ]
    assert all(read.text[mark.offset :].startswith(mark.title) for mark in read.marks)
    broken = docx(body, styles="<unclosed>")
    assert read_office(broken, Limits()).text == read.text
    assert read_office(broken, Limits()).marks[0].title == "By its level"


def test_slides_and_sheets_are_pages_under_their_names() -> None:
    title = '</a:t></a:r></a:p></p:txBody><p:sp><p:nvPr><p:ph type="ctrTitle"/></p:nvPr><a:p><a:r><a:t>Plan</a:t></a:r>'
    title += "</a:p></p:sp><p:txBody><a:p><a:r><a:t>more"
    read = read_office(pptx("First", f"words{title}"), Limits())
    assert [(mark.kind, mark.number, mark.title, read.text[mark.offset :][:7]) for mark in read.marks] == [
        ("page", 1, "", "Slide 1"),
        ("heading", 1, "Slide 1", "Slide 1"),
        ("page", 2, "", "Slide 2"),
        ("heading", 1, "Plan", "Slide 2"),
    ]
    read = read_office(xlsx(("Staff", ""), ("Rooms", "")), Limits())
    assert [mark.title for mark in read.marks if mark.kind == "heading"] == ["Staff", "Rooms"]
    assert all(read.text[mark.offset :].startswith("Sheet") for mark in read.marks)


def test_a_document_says_what_it_is_called_and_when_it_was_changed() -> None:
    core = (
        '<c:coreProperties xmlns:c="urn:c" xmlns:d="urn:d" xmlns:t="urn:t"><d:title> The &amp; handbook</d:title>'
        "<t:created>2024-01-01T00:00:00Z</t:created><t:modified>2025-02-03T04:05:06Z</t:modified></c:coreProperties>"
    )
    parts = {"word/document.xml": "<document><p><t>x</t></p></document>"}
    read = read_office(zipped({**parts, "docProps/core.xml": core}), Limits())
    assert read.properties == {"title": "The & handbook", "date": "2025-02-03T04:05:06Z"}
    assert read_office(zipped({**parts, "docProps/core.xml": "<broken"}), Limits()).properties == {}
