"""The public page of a site's money: picture, tables, ages, and nobody's own money."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries

from settlement import payout_sending
from settlement.models import Payout
from settlement.payout_sending import PayoutAnswer
from tests.integration.test_pages import Page
from tests.living_village import LivingVillage, live
from tests.paying_out import approved, earn_revenue, fresh
from tests.village import Village

pytestmark = pytest.mark.django_db

PATH = "/sites/kisima/money/"
BUDGET_BYTES = 100_000


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def lived() -> LivingVillage:
    """Six households that paid 500 shillings each the day before yesterday."""
    return live(now=timezone.now() - timedelta(days=2))


def get(**headers: str) -> Page:
    answer = Client(headers=headers).get(PATH)
    assert answer.status_code == 200
    return Page(answer.content.decode())


def paid(village: Village, *, dai: int = 10) -> Payout:
    """A payout that arrived at a contractor's phone."""
    payout = approved(village, dai=dai)
    Payout.objects.filter(pk=payout.pk).update(state=Payout.State.SENT)
    answer = PayoutAnswer(is_final=True, is_done=True, reference=f"B2C{payout.pk}")
    payout_sending.settle_answer(payout=fresh(payout), answer=answer, at=timezone.now())
    return fresh(payout)


def rich(at: datetime | None = None) -> Village:
    village = Village.found(at=at or timezone.now())
    earn_revenue(village)
    return village


def test_money_of_six_households_is_told_with_what_became_of_it(lived: LivingVillage) -> None:
    text = get().text

    assert "Mobile money 3,000.00 23.2108" in text  # six times 500 at 129.25, each floored
    assert "Collected for power" in text
    assert "Not used yet" in text
    assert "not told yet" not in text


def test_the_picture_says_in_words_what_it_shows(lived: LivingVillage) -> None:
    answer = Client().get(PATH).content.decode()
    told = re.search(r'<desc id="flow-desc">(.*?)</desc>', answer)

    assert told is not None
    assert "Mobile money 23.2108 DAI" in told[1]
    assert "Paid in by households 23.2108 DAI" in told[1]
    assert "Grant pool" in told[1]
    assert answer.count('class="band') >= 8


def test_a_payment_of_today_is_not_told_today(lived: LivingVillage) -> None:
    before = get().text
    lived.village.pay("KIS0001", amount_minor=77_700, at=timezone.now())
    after = get().text

    assert "Mobile money 3,000.00 23.2108" in before
    assert "Mobile money 3,000.00 23.2108" in after


def test_one_households_money_is_not_told_however_old() -> None:
    rich(at=timezone.now() - timedelta(days=40))
    text = get().text

    assert "Nothing that may be told yet." in text
    assert "Mobile money" not in text
    assert "Paid in, not told yet 25,850.00 200.00 at least" in text


def test_payees_are_told_by_their_public_name_and_nothing_else() -> None:
    payout = paid(rich())
    answer = Client().get(PATH).content.decode()
    text = Page(answer).text

    assert "Jua contractor , contractor Contractor" in text
    assert "Jua contractor 10.00" in answer or "Jua contractor 9." in answer
    for hidden in (payout.destination, payout.payee.code, payout.reference, "KIS0001"):
        assert hidden not in answer


def test_a_name_is_text_and_never_markup() -> None:
    payout = paid(rich())
    payout.payee.public_name = "<b>Jua & Co</b>"
    payout.payee.save()

    answer = Client().get(PATH).content.decode()
    assert "<b>Jua" not in answer
    assert "&lt;b&gt;Jua &amp; Co&lt;/b&gt;" in answer


def test_money_on_its_way_is_in_its_pools_row() -> None:
    village = rich()
    approved(village, dai=10)
    text = get().text

    assert re.search(r"Contractor 50\.0000 0\.0000 40\.00\d\d 0\.0000 9\.99\d\d 0\.0000", text)
    assert "Nobody was paid out of a pool yet." in text


def test_a_village_without_revenue_says_so() -> None:
    Village.found(at=timezone.now())
    text = get().text

    assert "Nothing has been collected yet." in text
    assert "Donated 0.0000 DAI" in text


def test_the_page_polls_is_kept_until_it_changes_and_is_small(
    lived: LivingVillage, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: at)
    client = Client(headers={"Accept-Encoding": "gzip"})
    answer = client.get(PATH)
    page = gzip.decompress(answer.content)

    assert answer["Cache-Control"] == "public, no-cache"
    assert len(answer.content) < BUDGET_BYTES
    assert b"dashboard/live.js" in page
    assert b'data-poll-seconds="60"' in page
    again = client.get(PATH, headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304
    assert again.content == b""


def test_the_number_of_queries_does_not_grow_with_payments_or_payouts(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    village = rich()
    for _ in range(3):
        paid(village, dai=2)

    with django_assert_max_num_queries(17):
        Client().get(PATH)
    with django_assert_max_num_queries(12):  # what came in on days before is remembered
        Client().get(PATH)


def test_the_page_speaks_french(lived: LivingVillage) -> None:
    text = get(**{"Accept-Language": "fr"}).text

    for words in ("L'argent de Kisima", "Argent mobile", "Encaissé pour l'électricité", "Fonds"):
        assert words in text
    for words in ("Mobile money", "Collected", "Pools", "Paid"):
        assert words not in text


def test_other_pages_lead_here(lived: LivingVillage) -> None:
    for path in ("/sites/kisima/", "/sites/kisima/grants/"):
        assert PATH in Page(Client().get(path).content.decode()).addresses


def test_an_unknown_or_closed_site_is_not_found(lived: LivingVillage) -> None:
    assert Client().get("/sites/nowhere/money/").status_code == 404
    lived.site.closed_at = timezone.now()
    lived.site.save()
    assert Client().get(PATH).status_code == 404
