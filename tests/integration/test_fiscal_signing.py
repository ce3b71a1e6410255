"""Having receipts signed by eTIMS: numbered, in order, once, through outages and lost answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from django.utils import timezone
from pytest_django import Settings

from accounts import fiscal
from accounts.models import Alarm, FiscalReceipt, Household, Site, TaxLine
from gateway.fiscal import delivery
from gateway.fiscal.etims import client
from gateway.fiscal.models import DeviceNumber
from tests.integration.fiscal_village import (
    HEADERS,
    at_etims,
    noted,
    paid,
    receipts,
    sign,
    tax,
    taxed,
)
from tests.integration.sandboxed import World, home, hooks, later, today, world
from tests.village import Village

__all__ = ["home", "hooks", "taxed", "today", "world"]

pytestmark = pytest.mark.django_db


def after(receipt: FiscalReceipt) -> datetime:
    """The instant of the receipt's next try."""
    receipt.refresh_from_db()
    assert receipt.next_attempt_at is not None
    return receipt.next_attempt_at


def lose_answers(monkeypatch: pytest.MonkeyPatch, world: World, *, count: int = 1) -> None:
    """eTIMS does what it is asked; its answer comes too late for us."""
    monkeypatch.setattr(client, "TIMEOUT_SECONDS", (5, 0.3))
    world.fault("slow_response", service="etims", seconds=0.8, count=count)


def test_a_receipt_is_signed_as_it_stands(world: World, taxed: Village, home: Household) -> None:
    receipt = paid(taxed, home, amount_minor=50_000)
    assert (receipt.state, sign(), sign()) == ("queued", 1, 0)
    receipt.refresh_from_db()
    [signed] = at_etims(world)
    assert (signed["label"], signed["amount"], signed["tax"]) == ("NS", "500.00", "68.97")
    assert signed["body"]["trdInvcNo"] == "kisima/1"
    assert signed["body"]["pmtTyCd"] == "06"
    assert receipt.state == "signed"
    assert receipt.signature == signed["rcptSign"]
    assert (receipt.device, receipt.device_number) == ("KRACU0000000001", "1/1 NS")
    assert receipt.next_attempt_at is None
    assert receipt.signed_at is not None
    assert abs(receipt.signed_at - timezone.now()) < timedelta(minutes=1)
    page = requests.get(receipt.verification_url, timeout=5)
    assert "Total KES 500.00" in page.text


def test_a_credit_note_names_the_receipt_it_takes_back(
    world: World, taxed: Village, home: Household
) -> None:
    tax(taxed.site, kind=TaxLine.Kind.LEVY, name="REP levy", rate=500, code="")
    receipt = paid(taxed, home, amount_minor=121_000)
    note = noted(receipt, amount_minor=21_000)
    assert sign() == 2
    sale, credit = at_etims(world)
    assert [item["taxTyCd"] for item in sale["body"]["itemList"]] == ["B", "D"]
    assert (credit["label"], credit["orgInvcNo"], credit["amount"]) == ("NC", 1, "210.00")
    note.refresh_from_db()
    assert (note.state, note.device_number) == ("signed", "1/2 NC")


def test_a_lost_answer_is_looked_up_and_never_signed_twice(
    world: World, taxed: Village, home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm_up = paid(taxed, home)
    sign()
    receipt = paid(taxed, home, amount_minor=12_345)
    behind = paid(taxed, home, amount_minor=54_321)
    lose_answers(monkeypatch, world)
    assert sign() == 0
    receipt.refresh_from_db()
    assert (receipt.state, receipt.failure) == ("unknown", "etims /saveTrnsSalesOsdc: ReadTimeout")
    assert sign() == 0
    assert sign(at=after(receipt)) == 2
    assert [row["amount"] for row in at_etims(world)] == ["500.00", "123.45", "543.21"]
    for each, row in zip((warm_up, receipt, behind), at_etims(world), strict=True):
        each.refresh_from_db()
        assert (each.state, each.signature) == ("signed", row["rcptSign"])


def test_where_nothing_can_be_looked_up_the_duplicate_is_proof(
    world: World,
    taxed: Village,
    home: Household,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.ETIMS_LOOKUP_PATH = ""
    paid(taxed, home)
    sign()
    receipt = paid(taxed, home)
    lose_answers(monkeypatch, world)
    sign()
    assert sign(at=after(receipt)) == 1
    receipt.refresh_from_db()
    assert (receipt.state, receipt.signature) == ("signed", "")
    assert receipt.failure == delivery.SIGNATURE_LOST
    assert len(at_etims(world)) == 2


def test_what_was_lost_on_the_way_there_is_sent_again_under_its_number(
    world: World, taxed: Village, home: Household
) -> None:
    receipt = paid(taxed, home)
    world.fault("unavailable", service="etims", count=1)
    sign()
    receipt.refresh_from_db()
    # The item's registration failed: no document was sent.
    assert receipt.state == "queued"
    sign(at=after(receipt))
    second = paid(taxed, home)
    world.fault("unavailable", service="etims", count=1)
    sign()
    second.refresh_from_db()
    assert second.state == "unknown"
    assert sign(at=after(second)) == 1
    assert [row["invcNo"] for row in at_etims(world)] == [1, 2]


def test_an_outage_is_waited_out_with_patience_and_said_aloud(
    world: World, taxed: Village, home: Household
) -> None:
    receipt = paid(taxed, home)
    behind = paid(taxed, home)
    world.fault("offline", service="etims", topic="sales", count=5)
    waits, instant = [], timezone.now()
    for _ in range(5):
        sign(at=instant)
        waits.append((after(receipt) - instant).total_seconds())
        instant = after(receipt)
        assert bool(Alarm.objects.filter(cleared_at=None)) == (len(waits) >= 4)
    assert waits == [15, 30, 60, 120, 240]
    behind.refresh_from_db()
    assert behind.attempts == 0
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.operator) == ("fiscal_device", taxed.operator)
    assert sign(at=instant) == 2
    alarm.refresh_from_db()
    assert alarm.cleared_at is not None
    assert [row["invcNo"] for row in at_etims(world)] == [1, 2]


def test_a_refused_receipt_waits_for_a_person_and_leaves_no_gap(
    world: World, taxed: Village, home: Household
) -> None:
    TaxLine.objects.update(code="Z")
    wrong = paid(taxed, home)
    TaxLine.objects.update(code="B")
    right = paid(taxed, home, amount_minor=20_000)
    assert sign() == 2
    wrong.refresh_from_db()
    right.refresh_from_db()
    assert (wrong.state, wrong.next_attempt_at) == ("refused", None)
    assert "none of A to E" in wrong.failure
    assert right.state == "signed"
    assert [row["invcNo"] for row in at_etims(world)] == [1]
    alarm = Alarm.objects.get(cleared_at=None)
    assert str(wrong) in alarm.text
    with pytest.raises(fiscal.NotToBeSigned, match="signed"):
        fiscal.resend(receipt=right, at=timezone.now())
    wrong.lines.update(code="B")
    fiscal.resend(receipt=wrong, at=timezone.now())
    assert sign(at=later(seconds=1)) == 1
    assert [row["invcNo"] for row in at_etims(world)] == [1, 2]
    assert not Alarm.objects.filter(cleared_at=None).exists()


def test_a_credit_note_of_what_was_never_signed_is_refused(
    world: World, taxed: Village, home: Household
) -> None:
    TaxLine.objects.update(code="Z")
    receipt = paid(taxed, home)
    note = noted(receipt, amount_minor=10_000)
    sign()
    note.refresh_from_db()
    assert (note.state, at_etims(world)) == ("refused", [])
    assert not DeviceNumber.objects.exists()


def test_a_number_another_till_used_is_skipped(
    world: World, taxed: Village, home: Household
) -> None:
    first = paid(taxed, home)
    sign()
    [row] = at_etims(world)
    other = {**row["body"], "invcNo": 2, "trdInvcNo": "shop/9"}
    answer = requests.post(
        f"{world.url}/etims/saveTrnsSalesOsdc", json=other, headers=HEADERS, timeout=5
    )
    assert answer.json()["resultCd"] == "000"
    second = paid(taxed, home)
    sign()
    second.refresh_from_db()
    assert second.state == "signed"
    assert [sold["body"]["trdInvcNo"] for sold in at_etims(world)] == [
        "kisima/1",
        "shop/9",
        "kisima/2",
    ]
    assert DeviceNumber.objects.get(number=2).receipt is None
    assert DeviceNumber.objects.get(receipt=first).number == 1


def test_sites_that_share_a_device_share_its_numbers(
    world: World, taxed: Village, home: Household
) -> None:
    other = Village.found(at=timezone.now(), slug="other", beside=taxed)
    tax(other.site)
    Site.objects.filter(pk=other.site.pk).update(
        fiscal_device="etims", fiscal_account=taxed.site.fiscal_account
    )
    other.site.refresh_from_db()
    elsewhere = other.household("OTH0001", phone="+254711000031")
    for number in range(4):
        village, household = ((taxed, home), (other, elsewhere))[number % 2]
        village.pay(
            household.code, amount_minor=10_000, at=timezone.now(), reference=f"SHARED{number}"
        )
    assert sign() == 4
    assert [row["body"]["trdInvcNo"] for row in at_etims(world)] == [
        "kisima/1",
        "other/1",
        "kisima/2",
        "other/2",
    ]


def test_receipts_written_before_the_device_can_be_signed_by_hand(
    world: World, taxed: Village, home: Household
) -> None:
    Site.objects.update(fiscal_device="")
    taxed.site.refresh_from_db()
    old = paid(taxed, home)
    Site.objects.update(fiscal_device="etims")
    taxed.site.refresh_from_db()
    new = paid(taxed, home)
    assert sign() == 1
    old.refresh_from_db()
    assert old.state == "unsigned"
    fiscal.resend(receipt=old, at=timezone.now())
    sign(at=later(seconds=1))
    assert [row["body"]["trdInvcNo"] for row in at_etims(world)] == ["kisima/2", "kisima/1"]
    assert [r.state for r in receipts()] == ["signed", "signed"]
    assert new.number == 2


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"fiscal_account": "nonsense"}, "no eTIMS account"),
        ({"fiscal_account": "P000000009Z/00"}, "901"),
        ({"fiscal_device": "unheard-of"}, "unknown fiscal device"),
    ],
)
def test_a_site_with_a_wrong_account_waits_and_harms_nobody(
    world: World, taxed: Village, home: Household, changes: dict[str, Any], failure: str
) -> None:
    receipt = paid(taxed, home)
    Site.objects.filter(pk=taxed.site.pk).update(**changes)
    assert sign() == 0
    receipt.refresh_from_db()
    assert receipt.state == "queued"
    assert failure in receipt.failure
    Site.objects.filter(pk=taxed.site.pk).update(
        fiscal_device="etims", fiscal_account="P000000001A/00"
    )
    assert sign(at=after(receipt)) == 1
    assert [row["invcNo"] for row in at_etims(world)] == [1]


def test_a_worker_that_died_while_sending_is_taken_for_no_answer(
    world: World, taxed: Village, home: Household
) -> None:
    receipt = paid(taxed, home)
    sign()
    second = paid(taxed, home)
    claims = delivery._devices()
    [(name, sites)] = claims.items()
    claim = delivery._claim(device=name, sites=sites, at=timezone.now())
    assert claim is not None
    # It reached eTIMS, and the worker was killed before it could note anything.
    delivery._device(claim.receipt.site).sign(document=claim.document)
    assert sign() == 0
    assert sign(at=after(second)) == 1
    second.refresh_from_db()
    assert second.signature == at_etims(world)[1]["rcptSign"]
    assert len(at_etims(world)) == 2
    assert receipt.number == 1


def test_a_receipt_that_another_device_may_have_signed_is_left_to_a_person(
    world: World, taxed: Village, home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid(taxed, home)
    sign()
    receipt = paid(taxed, home)
    lose_answers(monkeypatch, world)
    sign()
    Site.objects.update(fiscal_account="P051234567A/00")
    sign(at=after(receipt))
    receipt.refresh_from_db()
    assert receipt.state == "refused"
    assert "etims:P000000001A/00 may have signed it" in receipt.failure
    burnt = DeviceNumber.objects.get(device="etims:P000000001A/00", number=2)
    assert burnt.receipt is None


def test_what_etims_cannot_express_is_refused(
    world: World, taxed: Village, home: Household
) -> None:
    tax(taxed.site, name="Second VAT", code="E", rate=800)
    receipt = paid(taxed, home)
    sign()
    receipt.refresh_from_db()
    assert "one tax on a sale" in receipt.failure
