"""A share card's words and its picture: 1200 x 630 pixels, the figures and nothing else.

Drawn once, when a card is made. The font is Bitstream Vera, as reportlab brings it along; its
licence lets anybody embed it.
"""

from __future__ import annotations

import unicodedata
from fractions import Fraction
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import reportlab
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from PIL import Image, ImageDraw, ImageFont

from dashboard import wording
from tokens.share_cards import Figures

WIDTH, HEIGHT = 1200, 630
_MARGIN = 80
_NIGHT, _SUN, _PAPER, _QUIET = "#0f2a3d", "#ffd166", "#ffffff", "#c6d6e1"
_FONTS = Path(reportlab.__file__).parent / "fonts"
_SMALLEST = 24
_BODY = 40


def title(told: Figures) -> str:
    """Return a card's heading."""
    return _("Solar power for %(site)s") % {"site": told.site_name}


def lines(told: Figures) -> list[str]:
    """Return what a card says, a line each."""
    said = [
        _("More than %(energy)s kWh of sun used in the village")
        % {"energy": wording.rounded(Fraction(told.kwh), decimals=0)}
    ]
    if told.co2_kilograms:
        said.append(
            _("More than %(mass)s kg of CO2 avoided against diesel")
            % {"mass": wording.rounded(Fraction(told.co2_kilograms), decimals=0)}
        )
    if told.households is not None:
        said.append(
            ngettext("%(count)d household served", "%(count)d households served", told.households)
            % {"count": told.households}
        )
    return said


def day(told: Figures) -> str:
    """Return when a card's figures were taken."""
    return _("As of %(day)s") % {"day": date_format(told.made_on, "j F Y")}


def draw(*, told: Figures, language: str) -> bytes:
    """Return the card as a PNG without metadata, in a language ("en", "fr")."""
    with translation.override(language):
        heading, body, dated = _("Solar power for"), lines(told), day(told)
    image = Image.new("RGB", (WIDTH, HEIGHT), _NIGHT)
    canvas = ImageDraw.Draw(image)
    canvas.ellipse((WIDTH - 250, -150, WIDTH + 150, 250), fill=_SUN)
    canvas.rectangle((0, HEIGHT - 14, WIDTH, HEIGHT), fill=_SUN)
    _write(canvas, heading, top=80, size=36, colour=_QUIET, room=WIDTH - 350)
    _write(canvas, told.site_name, top=130, size=72, colour=_PAPER, is_bold=True, room=WIDTH - 350)
    for position, said in enumerate(body):
        _write(canvas, said, top=270 + 75 * position, size=_BODY, colour=_PAPER)
    _write(canvas, dated, top=HEIGHT - 100, size=32, colour=_QUIET)
    content = BytesIO()
    image.quantize(64).save(content, "PNG", optimize=True)
    return content.getvalue()


def _write(
    canvas: ImageDraw.ImageDraw,
    text: str,
    *,
    top: int,
    size: int,
    colour: str,
    is_bold: bool = False,
    room: int = WIDTH - 2 * _MARGIN,
) -> None:
    """Write one line, smaller where it is too long, and cut where that does not help."""
    printable = _printable(text)
    while size > _SMALLEST and canvas.textlength(printable, font=_font(is_bold, size)) > room:
        size -= 2
    font = _font(is_bold, size)
    while canvas.textlength(printable, font=font) > room:
        printable = printable[:-2] + "…"
    canvas.text((_MARGIN, top), printable, font=font, fill=colour)


def _printable(text: str) -> str:
    """Return the text in letters that the font has: accents that it lacks are left out."""
    return "".join(_letter(each) for each in unicodedata.normalize("NFC", text))


def _letter(letter: str) -> str:
    if _has(letter):
        return letter
    if letter.isspace():
        return " "
    plain = unicodedata.normalize("NFKD", letter)[0]
    return plain if _has(plain) else "?"


def _has(letter: str) -> bool:
    """Whether it is of Windows' Western European code page, which Vera covers."""
    return letter.isprintable() and bool(letter.encode("cp1252", errors="ignore"))


@lru_cache(maxsize=64)
def _font(is_bold: bool, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONTS / ("VeraBd.ttf" if is_bold else "Vera.ttf"), size)
