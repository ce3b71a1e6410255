"""E-mail addresses of donors: which donors have one, who proved it, and who wants no news.

Each gift without a log-in makes a donor of its own, so an address may have several donors.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from accounts.models import Donor, DonorContact, LetterOptOut

_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def plain(email: str) -> str:
    """Return an address as addresses are compared: without blanks around it, ASCII in lower case.

    Other letters stay as they are: lower case takes several of them to an ASCII letter (the Kelvin
    sign to k), and whoever owns an address that only looks the same would log in as its donors.
    """
    return email.strip().translate(_ASCII_LOWER)


def donors_of(*, email: str) -> list[Donor]:
    """Return the open donors with an address, oldest first."""
    asked = plain(email)
    if not asked:
        return []
    # The database's upper case is broader than ours: it finds, and the comparison decides.
    contacts = DonorContact.objects.filter(
        email__iexact=asked, donor__closed_at__isnull=True
    ).select_related("donor")
    found = [each.donor for each in contacts if plain(each.email) == asked]
    return sorted(found, key=lambda donor: donor.pk)


def of_donor(*, donor: Donor) -> str:
    """Return a donor's address as it was given, "" for none."""
    told = DonorContact.objects.filter(donor=donor).values_list("email", flat=True).first()
    return (told or "").strip()


def language_of(*, donor: Donor) -> str:
    """Return the language of a donor's letters."""
    told = DonorContact.objects.filter(donor=donor).values_list("language", flat=True).first()
    return told or "en"


def prove(*, donors: Iterable[Donor], email: str) -> None:
    """Note that the holder of an address logged in as these donors."""
    DonorContact.objects.filter(donor__in=[donor.pk for donor in donors]).update(
        verified_email=plain(email)
    )


def proven_with(*, donor: int) -> set[int]:
    """Return the ids of the donors with the address that a donor (id) has and that was proved; none
    where nobody proved it, or it was changed since."""
    own = DonorContact.objects.filter(donor=donor).exclude(verified_email="").first()
    if own is None or plain(own.email) != own.verified_email:
        return set()
    same = DonorContact.objects.filter(verified_email=own.verified_email)
    return {each.donor_id for each in same if plain(each.email) == each.verified_email}


def is_opted_out(*, email: str) -> bool:
    """Return whether an address wants no news."""
    return LetterOptOut.objects.filter(email=plain(email)).exists()


def opt_out(*, email: str, at: datetime) -> None:
    """Send this address no news any more."""
    LetterOptOut.objects.get_or_create(email=plain(email), defaults={"opted_out_at": at})


def opt_in(*, email: str) -> None:
    """Send this address news again."""
    LetterOptOut.objects.filter(email=plain(email)).delete()
