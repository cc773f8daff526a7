"""What kind of document a file is: by its first bytes, and of text by its name, where the text bears that out. Pure.

What a sender or a server says of a file is only believed of text.
"""

import json
import re
from typing import Final

__all__ = ["CODE", "EXTRACTED", "kind_of"]

_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_HEADS: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", ""),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"{\\rtf", "application/rtf"),
)
#: Parts of zip files that tell what they are, by their names as they stand in the file.
_PARTS: Final = (
    (b"word/document.xml", _OFFICE + "wordprocessingml.document"),
    (b"ppt/presentation.xml", _OFFICE + "presentationml.presentation"),
    (b"xl/workbook.xml", _OFFICE + "spreadsheetml.sheet"),
)
#: Kinds that something else takes the text out of, and what an extractor calls its way of doing so.
EXTRACTED: Final = {
    "application/pdf": "pdf",
    "text/html": "html",
    _PARTS[0][1]: "docx",
    _PARTS[1][1]: "pptx",
    _PARTS[2][1]: "xlsx",
}
_TEXTS: Final = {
    "md": "text/markdown",
    "markdown": "text/markdown",
    "mdx": "text/markdown",
    "rst": "text/x-rst",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "jsonl": "application/jsonl",
    "ndjson": "application/jsonl",
    "json": "application/json",
    "html": "text/html",
    "htm": "text/html",
    "xhtml": "text/html",
}
#: Programs, by the ends of their names.
CODE: Final = {
    "py": "python", "pyi": "python", "js": "javascript", "mjs": "javascript", "cjs": "javascript",
    "jsx": "javascript", "ts": "typescript", "tsx": "typescript", "java": "java", "kt": "kotlin", "kts": "kotlin",
    "scala": "scala", "go": "go", "rs": "rust", "c": "c", "h": "c", "cc": "c++", "cpp": "c++", "cxx": "c++",
    "hpp": "c++", "cs": "csharp", "swift": "swift", "rb": "ruby", "php": "php", "pl": "perl", "lua": "lua",
    "r": "r", "jl": "julia", "sh": "shell", "bash": "shell", "zsh": "shell", "ps1": "powershell", "sql": "sql",
    "proto": "protobuf", "tf": "hcl", "yaml": "yaml", "yml": "yaml", "toml": "toml", "ini": "ini", "cfg": "ini",
    "xml": "xml", "css": "css", "scss": "css", "vue": "vue", "ex": "elixir", "exs": "elixir", "erl": "erlang",
    "hs": "haskell", "ml": "ocaml", "clj": "clojure", "dart": "dart", "zig": "zig", "gradle": "groovy",
    "dockerfile": "dockerfile", "makefile": "make",
}  # fmt: skip
_MARKUP: Final = (b"<!doctype html", b"<html", b"<head", b"<body")
_BOMS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
#: What a Markdown text has that a plain one has not: a heading, a fence, a link, a list with emphasis.
_MARKDOWN: Final = re.compile(r"^#{1,6} \S|^```|^\|? ?:?-{3,}:? ?\||\[[^\]\n]+\]\([^)\s]+\)", re.MULTILINE)


def kind_of(data: bytes, name: str = "", media_type: str = "") -> str:
    """Return the media type of a file: ``text/markdown``, ``application/pdf``, ``text/x-python``; "" for what is none
    that is known. Zip files that are no Office files are ``application/zip``.

    Args:
        data: the file.
        name: its name or path; decides between kinds of text.
        media_type: what a server says of it; decides where the name does not.
    """
    for head, kind in _HEADS:
        if data.startswith(head):
            return kind
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(data)
    if b"%PDF-" in data[:1024]:
        return "application/pdf"
    if not data.startswith(_BOMS) and b"\0" in data[:4096]:
        return ""
    if data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_MARKUP):
        return "text/html"
    return _text(data, name, media_type)


def _zipped(data: bytes) -> str:
    # The index of a zip file stands at its end, and names its parts as they are.
    index = data[-min(len(data), 256 * 1024) :]
    return next((kind for part, kind in _PARTS if part in index or part in data[:4096]), "application/zip")


def _text(data: bytes, name: str, media_type: str) -> str:
    base = name.rsplit("/", 1)[-1].lower()
    end = base.rsplit(".", 1)[-1]
    said = media_type.partition(";")[0].strip().lower()
    kind = _TEXTS.get(end) or (f"text/x-{CODE[end]}" if end in CODE else "")
    if not kind and said in {*_TEXTS.values(), "application/xhtml+xml"}:
        kind = "text/html" if said.endswith("xhtml+xml") else said
    head = data[:65536]
    if kind in ("text/csv", "text/tab-separated-values"):
        return kind if _is_table(head, kind) else "text/plain"
    if kind == "application/jsonl":
        return kind if _is_lines(head) else "text/plain"
    if kind:
        return kind
    # A text whose name says nothing: what it looks like.
    marks = _MARKDOWN.findall(head.decode("utf-8", "replace")) if end not in ("txt", "text", "log") else ()
    return "text/markdown" if len(marks) >= 2 else "text/plain"


def _is_table(head: bytes, kind: str) -> bool:
    lines = [line for line in head.decode("utf-8", "replace").splitlines()[:20] if line.strip()]
    apart = "\t" if kind != "text/csv" else next((mark for mark in ",;\t|" if lines and mark in lines[0]), ",")
    return len(lines) > 1 and apart in lines[0] and sum(apart in line for line in lines) * 2 > len(lines)


def _is_lines(head: bytes) -> bool:
    line = head.lstrip(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    if not line[1] and len(head) == 65536:
        # One line that is longer than what is looked at.
        return line[0][:1] in (b"{", b"[")
    try:
        return isinstance(json.loads(line[0]), dict | list)
    except (ValueError, RecursionError):
        return False
