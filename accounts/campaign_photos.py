"""Photos of milestones: whatever a camera made, as a small JPEG without anything that was hidden
in it (place, time, camera, comments)."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP")
MOST_BYTES_READ = 12 * 1024 * 1024
MOST_PIXELS = 50_000_000
"""A file of a few kilobytes can unfold to gigabytes; a phone's largest photo fits in here."""
LONGEST_EDGE = 640
MOST_BYTES = 24_000
QUALITIES = (80, 70, 60, 50, 40)
SMALLER = (1, 1), (3, 4), (1, 2), (1, 4)
"""What the longest edge is shortened to, in parts, until the photo is small enough."""


class PhotoRefused(ValueError):
    """The file is no photo that can be shown; the message says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Photo:
    """A JPEG, and the SHA-256 of it in hexadecimal."""

    jpeg: bytes
    hash: str


def path(*, slug: str, content_hash: str) -> str:
    """Return where a photo of a site's campaign is served; its content never changes."""
    return f"/donate/{slug}/photos/{content_hash}.jpg"


def made_small(*, data: bytes) -> Photo:
    """Return an uploaded photo as it is shown. Raises PhotoRefused."""
    if len(data) > MOST_BYTES_READ:
        raise PhotoRefused(f"Choose a photo of at most {MOST_BYTES_READ // 1024**2} MB.")
    image = _read(data)
    for part, whole in SMALLER:
        edge = LONGEST_EDGE * part // whole
        shrunk = image.copy()
        shrunk.thumbnail((edge, edge))
        for quality in QUALITIES:
            jpeg = _jpeg(shrunk, quality=quality)
            if len(jpeg) <= MOST_BYTES:
                return Photo(jpeg=jpeg, hash=hashlib.sha256(jpeg).hexdigest())
    raise PhotoRefused("The photo can't be made small enough: choose another one.")


def _read(data: bytes) -> Image.Image:
    """The pixels alone, upright, on white; nothing else of the file comes along."""
    try:
        # The head only: how large it is is known before any of it is unfolded.
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise PhotoRefused(
                    f"Choose a photo of at most {MOST_PIXELS // 10**6} million pixels."
                )
            opened.thumbnail((LONGEST_EDGE, LONGEST_EDGE))
            pixels = ImageOps.exif_transpose(opened).convert("RGBA")
    except UnidentifiedImageError:
        raise PhotoRefused("This is no photo: choose a JPEG, PNG or WebP file.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, PhotoRefused):
            raise
        raise PhotoRefused("The photo is damaged: choose another one.") from None
    clean = Image.new("RGB", pixels.size, "white")
    clean.paste(pixels, mask=pixels.getchannel("A"))
    return clean


def _jpeg(image: Image.Image, *, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, format="JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue()
