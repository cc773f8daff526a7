"""Files of the kinds that are read, made anew: pictures, PDF, Office. Small, and valid for whoever reads them."""

import base64
import io
import zipfile

__all__ = ["data_url", "docx", "locked_pdf", "pdf", "picture", "pptx", "scanned_pdf", "xlsx", "zipped"]

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
_S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
_RELS = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
_KIND = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def data_url(data: bytes, kind: str) -> str:
    """Return a file as a ``data:`` URL."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def zipped(files: dict[str, str | bytes]) -> bytes:
    """Return a zip file of ``files``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def docx(body: str, **more: str) -> bytes:
    """Return a Word document whose body is ``body`` in its XML; ``more`` are further parts (``footnotes``)."""
    files: dict[str, str | bytes] = {
        "word/document.xml": f'<?xml version="1.0"?><w:document {_W} {_R}><w:body>{body}</w:body></w:document>'
    }
    for name, text in more.items():
        files[f"word/{name}.xml"] = f"<w:{name} {_W}>{text}</w:{name}>"
    return zipped(files)


def pptx(*slides: str, notes: dict[int, str] | None = None) -> bytes:
    """Return a presentation with one paragraph on each slide, the slides' files in the other order."""
    files: dict[str, str | bytes] = {}
    ids = relations = ""
    for place, text in enumerate(slides):
        number = len(slides) - place
        files[f"ppt/slides/slide{number}.xml"] = (
            f"<p:sld {_P} {_A}><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sld>"
        )
        ids += f'<p:sldId id="{place}" r:id="r{place}"/>'
        relations += f'<Relationship Id="r{place}" Type="{_KIND}/slide" Target="slides/slide{number}.xml"/>'
        if notes and place in notes:
            files[f"ppt/slides/_rels/slide{number}.xml.rels"] = (
                f'<Relationships {_RELS}><Relationship Id="n" Type="{_KIND}/notesSlide" '
                f'Target="../notesSlides/notesSlide{number}.xml"/></Relationships>'
            )
            files[f"ppt/notesSlides/notesSlide{number}.xml"] = (
                f"<p:notes {_P} {_A}><a:p><a:r><a:t>{notes[place]}</a:t></a:r></a:p></p:notes>"
            )
    files["ppt/presentation.xml"] = f"<p:presentation {_P} {_R}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>"
    files["ppt/_rels/presentation.xml.rels"] = f"<Relationships {_RELS}>{relations}</Relationships>"
    return zipped(files)


def xlsx(*sheets: tuple[str, str], shared: str = "", styles: str = "", properties: str = "") -> bytes:
    """Return a workbook of sheets: (name, rows in their XML); ``shared`` and ``styles`` are inner XML, too."""
    files: dict[str, str | bytes] = {}
    listed = relations = ""
    for place, (name, rows) in enumerate(sheets):
        files[f"xl/worksheets/sheet{place}.xml"] = f"<worksheet {_S}><sheetData>{rows}</sheetData></worksheet>"
        listed += f'<sheet name="{name}" sheetId="{place}" r:id="r{place}"/>'
        relations += f'<Relationship Id="r{place}" Type="{_KIND}/worksheet" Target="worksheets/sheet{place}.xml"/>'
    files["xl/workbook.xml"] = f"<workbook {_S} {_R}>{properties}<sheets>{listed}</sheets></workbook>"
    files["xl/_rels/workbook.xml.rels"] = f"<Relationships {_RELS}>{relations}</Relationships>"
    if shared:
        files["xl/sharedStrings.xml"] = f"<sst {_S}>{shared}</sst>"
    if styles:
        files["xl/styles.xml"] = f"<styleSheet {_S}>{styles}</styleSheet>"
    return zipped(files)


def pdf(*pages: str, encrypt: str = "", outline: tuple[tuple[str, int], ...] = (), info: str = "") -> bytes:
    """Return a PDF with one line of text on each page; ``encrypt`` is the body of its encryption dictionary,
    ``outline`` are titles and the pages (from 0) that they lead to, ``info`` is what it says of itself."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    kids = []
    for text in pages:
        number = len(objects) + 1
        kids.append(f"{number} 0 R")
        stream = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 << /Type /Font /Subtype "
            f"/Type1 /BaseFont /Helvetica >> >> >> /Contents {number + 1} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    if outline:
        root = len(objects) + 1
        first, last = root + 1, root + len(outline)
        objects[0] = f"<< /Type /Catalog /Pages 2 0 R /Outlines {root} 0 R >>"
        objects.append(f"<< /Type /Outlines /First {first} 0 R /Last {last} 0 R /Count {len(outline)} >>")
        for place, (title, page) in enumerate(outline):
            following = f"/Next {first + place + 1} 0 R " if first + place < last else ""
            objects.append(f"<< /Title ({title}) /Parent {root} 0 R {following}/Dest [{3 + 2 * page} 0 R /Fit] >>")
    said = ""
    if info:
        objects.append(f"<< {info} >>")
        said = f"/Info {len(objects)} 0 R "
    if encrypt:
        objects.append(encrypt)
    out = b"%PDF-1.4\n"
    places = []
    for number, text in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{text}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    locked = f"/Encrypt {len(objects)} 0 R /ID [<00><00>] " if encrypt else ""
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R {said}{locked}>>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def locked_pdf() -> bytes:
    """Return a PDF that opens with a password only."""
    nothing = "00" * 32
    return pdf("secret", encrypt=f"<< /Filter /Standard /V 1 /R 2 /O <{nothing}> /U <{nothing}> /P -4 >>")


def picture(*lines: str, kind: str = "PNG", size: tuple[int, int] = (900, 300)) -> bytes:
    """Return a picture of some lines of text. Needs Pillow."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(36)
    for place, line in enumerate(lines):
        draw.text((30, 40 + 90 * place), line, font=font, fill="black")
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def scanned_pdf(*lines: str) -> bytes:
    """Return a PDF of one page that is a picture of some lines. Needs Pillow."""
    return picture(*lines, kind="PDF")
