"""HTML that is complete in itself: no script, nothing loaded, every text escaped.

Method: the standard library's element tree holds text as text and escapes it when it is written; nobody here puts
strings of markup together. Names from outside are set apart by direction, so that one that writes from right to left
cannot turn the words around it. Must not: take a string for markup, or depend on the time of day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring  # noqa: S405 - it writes here and parses nothing

from aws_lambda_powertools.event_handler import Response

_UNSHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; color: #1b1f24; margin: 24px auto; max-width: 1080px; padding: 0 16px; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 28px 0 8px; } p { margin: 4px 0; }
table { border-collapse: collapse; width: 100%; margin: 8px 0; }
th, td { border-bottom: 1px solid #d5dae0; padding: 6px 8px; text-align: left; vertical-align: top; }
th { font-weight: 600; background: #f4f6f8; } td.number, th.number { text-align: right; white-space: nowrap; }
td.hash { font: 12px/1.4 ui-monospace, monospace; word-break: break-all; } .quiet { color: #57606a; }
@media print { body { margin: 0; max-width: none; } }
"""


def clean(text: object) -> str:
    """The text as a document can hold it: what has no shape becomes a mark."""
    return _UNSHOWN.sub("\ufffd", str(text))


class Page:
    """A document that is written from its top to its end."""

    def __init__(self, title: str) -> None:
        self._html = Element("html", {"lang": "en"})
        head = SubElement(self._html, "head")
        SubElement(head, "meta", {"charset": "utf-8"})
        SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
        SubElement(head, "title").text = clean(title)
        SubElement(head, "style").text = _STYLE
        self._body = SubElement(self._html, "body")
        self._add(self._body, "h1", title)

    def heading(self, text: str) -> None:
        self._add(self._body, "h2", text)

    def line(self, text: str, *, quiet: bool = False) -> None:
        self._add(self._body, "p", text, "quiet" if quiet else "")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """``columns`` name the cells; one that begins with ``>`` holds numbers, one with ``:`` hashes."""
        kinds = ["number" if name[:1] == ">" else "hash" if name[:1] == ":" else "" for name in columns]
        table = SubElement(self._body, "table")
        header = SubElement(SubElement(table, "thead"), "tr")
        for name, kind in zip(columns, kinds, strict=True):
            self._add(header, "th", name.lstrip(">:"), "number" if kind == "number" else "")
        body = SubElement(table, "tbody")
        for cells in rows:
            row = SubElement(body, "tr")
            for cell, kind in zip(cells, kinds, strict=True):
                self._add(row, "td", "\u2013" if cell is None else str(cell), kind)

    def text(self) -> str:
        """The document; the same calls give the same characters."""
        return "<!DOCTYPE html>\n" + tostring(self._html, encoding="unicode", method="html") + "\n"

    @staticmethod
    def _add(parent: Element, tag: str, text: str, kind: str = "") -> None:
        element = SubElement(parent, tag, {"class": kind} if kind else {})
        SubElement(element, "bdi").text = clean(text)


def html_file(name: str, content: str) -> Response[Any]:
    """A download: a document that holds names from outside is not opened where people are signed in."""
    return Response(
        status_code=200,
        content_type="text/html; charset=utf-8",
        body=content,
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )
