"""Letters to donors: written in the transaction of the event they tell of; gateway.mail sends them.

What a letter says is worded while it is sent, from its kind and its params (gateway.mail.wording).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from accounts import addresses
from accounts.models import Donor, DonorContact, Letter, LetterOptOut

LANGUAGES = ("en", "fr")

LOGIN_LINK = "login_link"
_SITE = {"site", "site_name"}
_CAMPAIGN = {*_SITE, "title", "title_fr", "goal_wei", "raised_wei"}
_PLAN = {*_SITE, "amount_minor", "currency"}
_GIFT = {*_SITE, "number", "name", "operator", "amount", "currency", "amount_wei", "reference"}

KINDS: dict[str, set[str]] = {
    LOGIN_LINK: set(),
    "donation_received": {*_GIFT, "paid_at"},
    "donation_given_back": {*_GIFT, "of_number", "reason", "taken_at", "left_wei"},
    "donation_counts_again": {*_SITE, "of_number", "void_number", "amount", "currency"},
    "campaign_failed": _CAMPAIGN,
    "campaign_succeeded": _CAMPAIGN,
    "plan_started": _PLAN,
    "plan_failed": _PLAN,
    "plan_ended": _PLAN,
    "round_opened": {*_SITE, "round", "number", "title", "title_fr", "day"},
    "round_counted": {*_SITE, "number", "title", "title_fr", "titles", "titles_fr"},
}
"""Which params a letter of a kind has. site is the slug; amounts in wei are text; amount is a
decimal with a point, in currency (a currency's or a crypto asset's code); days and instants are
ISO 8601; round is the round's uid; an empty title_fr stands for the English one."""

NEWS = {"round_opened", "round_counted"}
"""What an address may have enough of. Everything else is about the donor's own money or log-in."""


class NoSuchLetter(ValueError):
    """Nobody knows this kind of letter, or its params are not those of its kind."""


def write(
    *,
    donor: Donor,
    kind: str,
    key: str,
    params: dict[str, Any],
    at: datetime,
    language: str = "",
) -> Letter | None:
    """Queue one letter; None where the donor has no address or wants no news. A key is one letter.

    language: the donor's own where it is not given. params as in KINDS; they hold no secrets: a
    letter's row is read by staff and lies in backups. Raises NoSuchLetter.
    """
    _check(kind=kind, params=params)
    email = addresses.of_donor(donor=donor)
    if not email or (kind in NEWS and addresses.is_opted_out(email=email)):
        return None
    letter, _ = Letter.objects.get_or_create(
        key=key,
        defaults={
            "donor": donor,
            "kind": kind,
            "params": params,
            "language": _spoken(language or addresses.language_of(donor=donor)),
            "next_attempt_at": at,
            "created_at": at,
        },
    )
    return letter


def tell(
    *, donor_ids: Iterable[int], kind: str, key: str, params: dict[str, Any], at: datetime
) -> int:
    """Queue the same letter to many donors, one an address; return how many.

    An address with several donors gets it as the oldest of them; news goes neither to who closed
    the account nor to who had enough of it. Raises NoSuchLetter.
    """
    _check(kind=kind, params=params)
    contacts = DonorContact.objects.filter(donor__in=list(donor_ids)).exclude(email="")
    if kind in NEWS:
        contacts = contacts.filter(donor__closed_at__isnull=True)
    by_address: dict[str, DonorContact] = {}
    for contact in contacts.order_by("donor_id"):
        by_address.setdefault(addresses.plain(contact.email), contact)
    unwanted: set[str] = set()
    if kind in NEWS:
        opted_out = LetterOptOut.objects.filter(email__in=by_address)
        unwanted = set(opted_out.values_list("email", flat=True))
    written = [
        Letter(
            donor_id=contact.donor_id,
            kind=kind,
            key=f"{key}:{contact.donor_id}",
            params=params,
            language=_spoken(contact.language),
            next_attempt_at=at,
            created_at=at,
        )
        for email, contact in by_address.items()
        if email not in unwanted
    ]
    return len(Letter.objects.bulk_create(written, ignore_conflicts=True))


def send_again(*, letter: Letter, at: datetime) -> bool:
    """Queue a letter that failed once more, because a person says so; False for any other."""
    failed = Letter.objects.filter(pk=letter.pk, state=Letter.State.FAILED)
    return bool(failed.update(state=Letter.State.QUEUED, attempts=0, next_attempt_at=at))


def _check(*, kind: str, params: dict[str, Any]) -> None:
    if kind not in KINDS or params.keys() != KINDS[kind]:
        raise NoSuchLetter(f"{kind} with {sorted(params)}, not {sorted(KINDS.get(kind, ()))}")


def _spoken(language: str) -> str:
    return language if language in LANGUAGES else LANGUAGES[0]
