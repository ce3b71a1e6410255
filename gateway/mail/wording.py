"""From a letter's row to what leaves: plain text, the same as simple HTML, and what hangs on it.

Nothing in it tells us whether it was read: no pictures, no links that count.
"""

from __future__ import annotations

from datetime import datetime

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import letters, links
from accounts.models import Letter
from gateway.donors import news
from gateway.mail import receipts, words
from gateway.mail.network import Mail
from gateway.mail.words import WORDS, Words


def worded(*, letter: Letter, to: str, at: datetime) -> Mail:
    """Return a letter in its language. A log-in link is made here, for this one sending."""
    with translation.override(letter.language):
        if letter.kind == letters.LOGIN_LINK:
            said = words.login_link(token=links.issue(donor=letter.donor, email=to, at=at))
        else:
            said = WORDS[letter.kind](letter.params)
        is_news = letter.kind in letters.NEWS
        unsubscribe_url = news.url_of(donor=letter.donor) if is_news else ""
        return Mail(
            uid=letter.uid,
            to=to,
            subject=said.subject,
            text=_text(said, unsubscribe_url=unsubscribe_url),
            html=_html(said, unsubscribe_url=unsubscribe_url, language=letter.language),
            attachments=receipts.of(letter=letter),
            unsubscribe_url=unsubscribe_url,
        )


def _text(said: Words, *, unsubscribe_url: str) -> str:
    parts = [*said.paragraphs]
    if said.facts:
        parts.append("\n".join(f"{name}: {value}" for name, value in said.facts))
    if said.link:
        parts.append(f"{said.link[0]}:\n{said.link[1]}")
    if unsubscribe_url:
        parts.append("-- \n" + _("No more news by e-mail:") + f"\n{unsubscribe_url}")
    return "\n\n".join(parts) + "\n"


def _html(said: Words, *, unsubscribe_url: str, language: str) -> str:
    context = {"said": said, "unsubscribe_url": unsubscribe_url, "language": language}
    return render_to_string("mail/letter.html", context)
