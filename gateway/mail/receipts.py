"""Receipts of gifts as PDF: one page, the same bytes for the same letter whenever it is made.

The page is not compressed, so that its text can be read without a PDF library. The letters of the
standard fonts are those of Western European languages; others are written as near as these allow.
"""

from __future__ import annotations

import unicodedata
from io import BytesIO

from django.utils.translation import gettext as _
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from accounts.models import Letter
from gateway.mail import figures
from gateway.mail.network import Attachment
from gateway.sms import gsm

REGULAR, BOLD = "Helvetica", "Helvetica-Bold"
MARGIN_POINTS = 60
LABELS_POINTS = 170
LINE_POINTS = 15
WIDTH_POINTS, HEIGHT_POINTS = int(A4[0]), int(A4[1])
_SPACES = str.maketrans({"\u202f": "\xa0", "\u2009": "\xa0"})


def of(*, letter: Letter) -> tuple[Attachment, ...]:
    """Return what hangs on a letter: a receipt, a credit letter, or nothing.

    Called with the letter's language active.
    """
    told = letter.params
    if letter.kind == "donation_received":
        title, rows, note = _("Receipt of a gift"), _received(told), _gift_note()
    elif letter.kind == "donation_given_back":
        title, rows, note = _("Credit letter of a gift"), _given_back(told), _credit_note()
    else:
        return ()
    pdf = _page(
        title=title,
        operator=told["operator"],
        rows=[(name, value) for name, value in rows if value],
        note=note,
        language=letter.language,
    )
    return (Attachment(name=f"{told['number']}.pdf", content=pdf, media_type="application/pdf"),)


def _received(told: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (_("Receipt number"), told["number"]),
        (_("Paid at"), figures.instant(told["paid_at"])),
        (_("Given by"), told["name"]),
        (_("Given to"), told["operator"]),
        (_("For the site"), told["site_name"]),
        (_("Amount paid"), figures.amount(told["amount"], currency=told["currency"])),
        (_("Counted as"), figures.dai(told["amount_wei"])),
        (_("Reference of the payment"), told["reference"]),
    ]


def _given_back(told: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (_("Credit letter number"), told["number"]),
        (_("Takes back receipt"), told["of_number"]),
        (_("Taken back at"), figures.instant(told["taken_at"])),
        (_("Given by"), told["name"]),
        (_("Given to"), told["operator"]),
        (_("For the site"), told["site_name"]),
        (_("Amount given back"), figures.amount(told["amount"], currency=told["currency"])),
        (_("Counted as"), figures.dai(told["amount_wei"])),
        (_("Still counts"), figures.dai(told["left_wei"])),
        (_("Reference of the payment"), told["reference"]),
    ]


def _gift_note() -> str:
    return _(
        "This is a gift without return: no loan, no deposit, no investment and no payment for "
        "goods or services. The giver has no claim to money. Impact tokens show what the gift "
        "does; they are worth no money."
    )


def _credit_note() -> str:
    return _("The receipt named above holds no more for the amount given back.")


def _page(
    *, title: str, operator: str, rows: list[tuple[str, str]], note: str, language: str
) -> bytes:
    file = BytesIO()
    # invariant: no clock and no random id in the file.
    page = Canvas(file, pagesize=A4, pageCompression=0, invariant=1, lang=language)
    page.setTitle(_drawable(f"{title} {rows[0][1]}"))
    page.setAuthor(_drawable(operator))
    top = HEIGHT_POINTS - MARGIN_POINTS
    top = _lines(page, operator, left=MARGIN_POINTS, top=top, font=REGULAR, size=11)
    top = _lines(page, title, left=MARGIN_POINTS, top=top - 20, font=BOLD, size=20) - 20
    for name, value in rows:
        width = LABELS_POINTS - 10
        below = _lines(page, name, left=MARGIN_POINTS, top=top, font=REGULAR, size=11, width=width)
        beside = _lines(
            page, value, left=MARGIN_POINTS + LABELS_POINTS, top=top, font=BOLD, size=11
        )
        top = min(below, beside) - 6
    _lines(page, note, left=MARGIN_POINTS, top=top - 20, font=REGULAR, size=10)
    page.showPage()
    page.save()
    return file.getvalue()


def _lines(
    page: Canvas, text: str, *, left: int, top: int, font: str, size: int, width: int = 0
) -> int:
    """Write a text within the margins; return where the next one may begin."""
    room = width or WIDTH_POINTS - MARGIN_POINTS - left
    page.setFont(font, size)
    fitting = _broken(_drawable(text), font=font, size=size, room=room)
    for line in simpleSplit(fitting, font, size, room) or [""]:
        page.drawString(left, top, line)
        top -= max(LINE_POINTS, size + 4)
    return top


def _drawable(text: str) -> str:
    """A text in the characters of the standard fonts."""
    return "".join(_nearest(each) for each in unicodedata.normalize("NFC", text).translate(_SPACES))


def _nearest(character: str) -> str:
    try:
        character.encode("cp1252")
    except UnicodeEncodeError:
        return gsm.to_gsm7(character)
    return character if character.isprintable() or character == "\xa0" else " "


def _broken(text: str, *, font: str, size: int, room: int) -> str:
    """A text whose words each fit into a line: references are longer than that."""
    words = []
    for word in text.split(" "):
        part = ""
        for character in word:
            if stringWidth(part + character, font, size) > room:
                words.append(part)
                part = ""
            part += character
        words.append(part)
    return " ".join(words)
