"""Letters beside what they tell of: once a key, to addresses only, news only to who wants it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.db import transaction

from accounts import addresses, letters
from accounts.letters import NoSuchLetter
from accounts.models import Donor, Letter, LetterOptOut
from tests.mailbox import giver

pytestmark = pytest.mark.django_db

PLAN = {"site": "kisima", "site_name": "Kisima", "amount_minor": 2_500, "currency": "EUR"}
NEWS = {
    "site": "kisima",
    "site_name": "Kisima",
    "number": 1,
    "title": "Dry season",
    "title_fr": "Saison sèche",
    "titles": ["Mill"],
    "titles_fr": ["Moulin"],
}


def write(donor: Donor, *, at: datetime, **changes: Any) -> Letter | None:
    told: dict[str, Any] = {"kind": "plan_started", "key": "k", "params": PLAN, **changes}
    return letters.write(donor=donor, at=at, **told)


def tell(donors: list[Donor], *, at: datetime) -> int:
    return letters.tell(
        donor_ids=[donor.pk for donor in donors],
        kind="round_counted",
        key="round",
        params=NEWS,
        at=at,
    )


def test_a_key_is_one_letter(now: datetime) -> None:
    donor = giver(at=now)
    first, again = write(donor, at=now), write(donor, at=now)
    assert first == again
    assert Letter.objects.get().state == "queued"


def test_a_letter_is_in_the_donors_language_unless_it_says_otherwise(now: datetime) -> None:
    donor = giver(at=now, language="fr")
    for key, language, spoken in (("a", "", "fr"), ("b", "en", "en"), ("c", "sw", "en")):
        letter = write(donor, at=now, key=key, language=language)
        assert letter is not None
        assert letter.language == spoken


def test_who_gave_no_address_gets_none(now: datetime) -> None:
    nobody = Donor.objects.create(created_at=now)
    assert write(nobody, at=now) is None
    assert write(giver(at=now, email=""), at=now) is None
    assert tell([nobody], at=now) == 0


@pytest.mark.parametrize(
    ("kind", "params"),
    [("no_such_kind", PLAN), ("plan_started", {"site": "kisima"}), ("login_link", {"token": "x"})],
)
def test_a_letter_nobody_could_word_is_refused_where_it_is_written(
    now: datetime, kind: str, params: dict[str, Any]
) -> None:
    with pytest.raises(NoSuchLetter):
        write(giver(at=now), at=now, kind=kind, params=params)
    assert not Letter.objects.exists()


def test_a_letter_goes_with_the_transaction_that_it_tells_of(now: datetime) -> None:
    donor = giver(at=now)
    with pytest.raises(RuntimeError), transaction.atomic():
        write(donor, at=now)
        raise RuntimeError
    assert not Letter.objects.exists()


def test_news_are_one_letter_an_address_whatever_it_gave(now: datetime) -> None:
    donors = [
        *(giver(at=now), giver(at=now, email="ASHA@example.org")),
        giver(at=now, email="other@example.org", language="fr"),
    ]
    assert tell(donors, at=now) == 2
    tell(donors, at=now)
    assert list(Letter.objects.order_by("pk").values_list("donor", "language")) == [
        (donors[0].pk, "en"),
        (donors[2].pk, "fr"),
    ]


def test_news_stop_at_who_wants_none_and_money_does_not(now: datetime) -> None:
    donor = giver(at=now)
    addresses.opt_out(email="Asha@Example.org", at=now)
    addresses.opt_out(email="asha@example.org", at=now)
    assert LetterOptOut.objects.count() == 1
    assert tell([donor], at=now) == 0
    assert write(donor, at=now, kind="round_counted", params=NEWS) is None
    assert write(donor, at=now) is not None
    addresses.opt_in(email="asha@example.org")
    assert tell([donor], at=now) == 1


def test_an_address_is_the_same_but_for_blanks_and_ascii_capitals(now: datetime) -> None:
    donors = [giver(at=now), giver(at=now, email="ASHA@example.org")]
    for email in ("asha@example.org", " Asha@Example.ORG "):
        assert addresses.donors_of(email=email) == donors
    assert addresses.donors_of(email="") == []


@pytest.mark.parametrize("stranger", ["mike\u212a@example.org", "m\u0131kek@example.org"])
def test_letters_that_only_look_alike_are_another_address(now: datetime, stranger: str) -> None:
    """The Kelvin sign and the dotless i become k and i in other cases of the alphabet."""
    giver(at=now, email="mikek@example.org")
    impostor = giver(at=now, email=stranger)
    assert impostor not in addresses.donors_of(email="mikek@example.org")
    assert addresses.donors_of(email=stranger) == [impostor]


def test_a_closed_donor_is_not_found(now: datetime) -> None:
    donor = giver(at=now)
    Donor.objects.filter(pk=donor.pk).update(closed_at=now)
    assert addresses.donors_of(email="asha@example.org") == []
    assert tell([donor], at=now) == 0
