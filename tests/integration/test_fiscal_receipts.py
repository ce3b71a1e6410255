"""Receipts of payments and credit notes of what is taken back: written with the money."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import transaction

from accounts import audit, fiscal, suspense, take_backs
from accounts.audit.fiscal import CHECKS
from accounts.intents import Reason
from accounts.models import Alarm, FiscalReceipt, Household, Payment, TaxLine
from accounts.topups import ConfirmedPayment, confirm
from tests.integration.fiscal_village import receipts, take_back, tax
from tests.village import Village

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(village: Village) -> Household:
    return village.household("KIS0001")


def lines(receipt: FiscalReceipt) -> list[tuple[str, int]]:
    return [(line.name, line.amount_minor) for line in receipt.lines.all()]


def since(village: Village) -> tuple[datetime, None]:
    return (village.founded_at, None)


def test_a_credited_payment_has_one_receipt_with_its_taxes(
    village: Village, home: Household, now: datetime
) -> None:
    tax(village.site, validity=since(village))
    tax(
        village.site,
        kind=TaxLine.Kind.LEVY,
        name="REP levy",
        rate=500,
        code="",
        validity=since(village),
    )
    for _ in range(2):
        payment = village.pay("KIS0001", amount_minor=121_000, at=now, reference="RCP1")
    [receipt] = receipts()
    assert (receipt.payment, receipt.number, receipt.kind) == (payment, 1, "sale")
    assert (receipt.gross_minor, receipt.net_minor, receipt.currency) == (121_000, 100_000, "KES")
    assert lines(receipt) == [("VAT", 16_000), ("REP levy", 5_000)]
    assert (receipt.tax_point_at, receipt.issued_at) == (now, now)
    assert (receipt.state, receipt.next_attempt_at) == ("unsigned", None)
    assert fiscal.issue(payment=payment, at=now) == receipt


def test_numbers_have_no_gaps_even_where_a_payment_fails(
    village: Village, home: Household, now: datetime
) -> None:
    tax(village.site, validity=since(village))
    village.pay("KIS0001", amount_minor=10_000, at=now)

    class Lost(Exception):
        pass

    with pytest.raises(Lost), transaction.atomic():
        village.pay("KIS0001", amount_minor=20_000, at=now)
        raise Lost
    village.pay("KIS0001", amount_minor=30_000, at=now)
    assert [(r.number, r.gross_minor) for r in receipts()] == [(1, 10_000), (2, 30_000)]


def test_sites_count_for_themselves(village: Village, home: Household, now: datetime) -> None:
    other = Village.found(at=now, slug="other", beside=village)
    other.household("OTH0001", phone="+254711000031")
    for each in (village, other):
        tax(each.site, validity=since(village))
    village.pay("KIS0001", amount_minor=10_000, at=now)
    other.pay("OTH0001", amount_minor=10_000, at=now, reference="OTHER1")
    assert [(r.site.slug, r.number) for r in receipts()] == [("kisima", 1), ("other", 1)]


def test_the_tax_point_is_the_payment_whenever_it_is_credited(
    village: Village, home: Household, now: datetime
) -> None:
    tax(village.site, rate=1_600, validity=(village.founded_at, now))
    tax(village.site, rate=1_800, validity=(now, None))
    early = now - timedelta(minutes=1)
    confirm(
        payment=ConfirmedPayment(
            rail=village.rail,
            reference="LATE1",
            amount_minor=116_000,
            currency="KES",
            paid_at=early,
            account_text="KIS0001",
        ),
        at=now + timedelta(hours=3),
    )
    village.pay("KIS0001", amount_minor=118_000, at=now)
    first, second = receipts()
    assert (lines(first), first.tax_point_at) == ([("VAT", 16_000)], early)
    assert lines(second) == [("VAT", 18_000)]


def test_money_in_suspense_has_its_receipt_once_it_is_somebodys(
    village: Village, now: datetime
) -> None:
    tax(village.site, validity=since(village))
    village.pay("KIS0077", amount_minor=10_000, at=now)
    assert receipts() == []
    household = village.household("KIS0077", phone="+254711000077")
    suspense.attach(payment=Payment.objects.get(), household=household, at=now)
    [receipt] = receipts()
    assert receipt.payment.household == household


def test_a_site_that_taxes_nothing_gives_no_receipts(
    village: Village, home: Household, now: datetime
) -> None:
    tax(village.site, validity=(now + timedelta(days=1), None))
    village.pay("KIS0001", amount_minor=10_000, at=now)
    assert receipts() == []
    taken = take_back(Payment.objects.get(), amount_minor=10_000, at=now)
    assert fiscal.credit(take_back=taken, at=now) is None


def test_credit_notes_take_back_at_the_rates_of_the_receipt(
    village: Village, home: Household, now: datetime
) -> None:
    tax(village.site, validity=(village.founded_at, now + timedelta(hours=1)))
    tax(village.site, rate=0, code="A", validity=(now + timedelta(hours=1), None))
    payment = village.pay("KIS0001", amount_minor=50_001, at=now)
    later = now + timedelta(days=2)
    steps = (1, 3, 19_997, 30_000)
    for amount in steps:
        taken = take_back(payment, amount_minor=amount, at=later)
        note = fiscal.credit(take_back=taken, at=later)
        assert fiscal.credit(take_back=taken, at=later) == note
    sale, *notes = receipts()
    assert [note.gross_minor for note in notes] == list(steps)
    assert [note.number for note in notes] == [2, 3, 4, 5]
    assert {note.original for note in notes} == {sale}
    assert sum(note.net_minor for note in notes) == sale.net_minor
    assert sum(amount for note in notes for _, amount in lines(note)) == lines(sale)[0][1]
    assert all(note.tax_point_at == later for note in notes)


def test_without_a_device_nothing_can_be_signed(
    village: Village, home: Household, now: datetime
) -> None:
    tax(village.site, validity=since(village))
    village.pay("KIS0001", amount_minor=10_000, at=now)
    [receipt] = receipts()
    with pytest.raises(fiscal.NotToBeSigned, match="no fiscal device"):
        fiscal.resend(receipt=receipt, at=now)


def test_a_refund_writes_its_credit_note_and_one_that_fails_after_all_calls_a_person(
    village: Village, home: Household, now: datetime
) -> None:
    tax(village.site, validity=since(village))
    payment = village.pay("KIS0001", amount_minor=50_000, at=now)
    taken = take_backs.take(
        payment=payment,
        amount_minor=20_000,
        reason=Reason.REFUND,
        key="refund-1",
        occurred_at=now,
        at=now,
    )
    gone = take_backs.paid_out(take_back=taken, occurred_at=now, at=now)
    note = fiscal.credit(take_back=gone, at=now)
    assert note is not None
    assert (note.kind, note.gross_minor, note.take_back) == ("credit_note", 20_000, taken)
    assert not Alarm.objects.exists()
    take_backs.put_back(take_back=gone, occurred_at=now, at=now)
    alarm = Alarm.objects.get()
    assert str(note) in alarm.text
    assert alarm.operator == village.operator
    found = [result for result in audit.run(checks=CHECKS) if result.findings]
    assert found == []
