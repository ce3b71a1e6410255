"""A household's money, from the phone to the meter, over HTTP only.

What is expected is computed here, in a few lines of whole numbers, from what the outside world says
it did; nothing of the product's arithmetic is used.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts import amounts, sites
from accounts.models import Household, Payment, PaymentAttempt
from gateway.providers.tasks import attach_suspense, poll_attempts, pull_payments
from gateway.webhooks.models import InboundEvent
from settlement.models import HeadEndCursor, MeterAssignment, Price, SettlementBatch
from settlement.tasks import publish_prices, pull_site
from tests.over_http import MPESA_PIN, Outside, eventually
from tests.village import SPLIT, TICK, Village

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.usefixtures("worker"),
]

# 129.25 KES per DAI, in whole numbers.
RATE_NUMERATOR, RATE_DENOMINATOR = 12_925, 100
KWH = 10**6
DAI = 10**18


def wei_of_shillings(shillings: int) -> int:
    """The credit of a payment, floored to the wei."""
    return shillings * DAI * RATE_DENOMINATOR // RATE_NUMERATOR


def funds_of(code: str) -> int:
    return amounts.of_household(household=Household.objects.get(code=code)).funds_wei


def settled_top_up(code: str) -> Payment:
    """Wait until the household's only payment is credited and return it."""
    return eventually(
        lambda: Payment.objects.filter(household__code=code, state="credited").first()
    )


def test_a_household_tops_up_uses_power_and_is_charged_to_the_wei(
    kisima: Village, outside: Outside
) -> None:
    household = kisima.household("KIS0001")
    outside.set_meter_faults(repeated=1_000_000)
    minute = timezone.now().replace(second=0, microsecond=0)
    installed_at = minute - timedelta(minutes=8)
    MeterAssignment.objects.filter(household=household).update(validity=(installed_at, None))
    HeadEndCursor.objects.create(site=kisima.site, read_until=minute - timedelta(minutes=5))
    kisima.price(ticks=2_500, starts_at=minute - timedelta(hours=1))
    kisima.price(ticks=3_117, starts_at=minute - timedelta(minutes=4))
    phone = outside.phone()

    screen, is_open = phone.dial("")
    assert is_open
    assert screen.startswith("1 Balance\n2 Usage\n3 Top up")
    screen, is_open = phone.dial("3*500*1")
    assert not is_open
    assert "payment prompt for KES 500" in screen
    prompt = phone.wait_for_prompt()
    assert (prompt["amount"], prompt["currency"]) == ("500", "KES")
    answer = phone.answer(prompt, pin=MPESA_PIN)
    receipt = phone.wait_for_message(answer["receipt"])
    assert receipt.startswith(f"KES 500 received for KIS0001. Receipt {answer['receipt']}.")
    credited_wei = wei_of_shillings(500)
    assert funds_of("KIS0001") == credited_wei

    publish_prices.delay()
    published = eventually(lambda: Price.objects.filter(starts_at__gte=minute).first())
    assert published.wei_per_kwh == price_by_the_rule(
        state_of_charge_basis_points=published.state_of_charge_basis_points, last_ticks=3_117
    )
    pull_site.delay(kisima.site.pk)
    eventually(SettlementBatch.objects.exists)

    read_until = HeadEndCursor.objects.get(site=kisima.site).read_until
    used = used_by_slot(outside, serial="SM0001", since=installed_at, until=read_until)
    assert len(used) >= 8
    charge_wei = sum(
        energy * (3_117 if starts_at >= minute - timedelta(minutes=4) else 2_500) * TICK // KWH
        for starts_at, energy in used.items()
        if starts_at < published.starts_at
    ) + sum(
        energy * published.wei_per_kwh // KWH
        for starts_at, energy in used.items()
        if starts_at >= published.starts_at
    )
    assert_books(kisima, funds_wei=credited_wei - charge_wei, charge_wei=charge_wei)
    tokens_wei = sum(used.values()) * DAI // KWH // 2
    assert amounts.of_household(household=household).impact_tokens_wei == tokens_wei
    assert amounts.tokens_minted(site=kisima.site) == 2 * tokens_wei

    screen, is_open = phone.dial("1")
    left_shillings = (credited_wei - charge_wei) * RATE_NUMERATOR // RATE_DENOMINATOR // DAI
    assert not is_open
    assert screen.startswith(f"Balance KES {left_shillings}")


def price_by_the_rule(*, state_of_charge_basis_points: int | None, last_ticks: int) -> int:
    """p_ref * (1 + 0.5 - charge) at p_ref = 2,500 ticks; within 1.5 ticks the last one stays."""
    assert state_of_charge_basis_points is not None, "the plant's telemetry was not read"
    ten_thousandths = 2_500 * (15_000 - state_of_charge_basis_points)
    if abs(ten_thousandths - last_ticks * 10_000) < 15_000:
        return last_ticks * TICK
    ticks, rest = divmod(ten_thousandths, 10_000)
    return max(1_000, min(5_000, ticks + (rest > 5_000))) * TICK


def used_by_slot(
    outside: Outside, *, serial: str, since: datetime, until: datetime
) -> dict[datetime, int]:
    """Milliwatt-hours of one meter by slot, from the head-end's rows, each slot once."""
    rows = outside.meter_rows(since=since, until=until)
    own = [row for row in rows if row["meter"]["serial_number"] == serial]
    used = {
        datetime.fromisoformat(row["timestamp"]): round(row["kilowatt_hours"] * KWH) for row in own
    }
    assert len(own) >= 2 * len(used), "the head-end was told to repeat every reading"
    return used


def assert_books(village: Village, *, funds_wei: int, charge_wei: int) -> None:
    """The household's funds, and every pool its floored share, the operator the rest."""
    shares = {name: charge_wei * share // 10_000 for name, share in SPLIT[:-1]}
    shares["operator"] = charge_wei - sum(shares.values())
    assert charge_wei > 0
    assert funds_of("KIS0001") == funds_wei
    assert amounts.pools(site=village.site) == shares


def test_a_household_pays_by_paybill_with_its_code(kisima: Village, outside: Outside) -> None:
    kisima.household("KIS0001")
    phone = outside.phone()
    answer = phone.paybill(account="kis 0001", amount="250.50")
    assert answer["accepted"] is True
    message = phone.wait_for_message(answer["receipt"])
    assert message.startswith("KES 250.50 received for KIS0001.")
    assert funds_of("KIS0001") == 25_050 * DAI // RATE_NUMERATOR
    assert amounts.of_site(site=kisima.site)["float", "mpesa", "KES"] == -25_050


def test_a_wrong_pin_credits_nothing_and_says_so(kisima: Village, outside: Outside) -> None:
    kisima.household("KIS0001")
    phone = outside.phone()
    phone.dial("3*500*1")
    assert phone.answer(phone.wait_for_prompt(), pin="0000")["result_code"] == 2001
    assert phone.wait_for_message("failed") == (
        "Your payment of KES 500 for KIS0001 failed: wrong PIN. No money was taken. "
        "To try again dial *384*4826#."
    )
    pull_payments.delay()
    assert funds_of("KIS0001") == 0
    assert not Payment.objects.exists()
    assert PaymentAttempt.objects.get().state == "failed"


@pytest.mark.parametrize(
    ("kind", "body", "topics"),
    [
        ("twice", {"topic": "stk"}, ["stk", "stk"]),
        ("late", {"topic": "stk", "seconds": 1.5}, ["stk"]),
        ("stk_as_c2b", {}, ["confirmation", "stk"]),
        ("string_codes", {}, ["stk"]),
    ],
)
def test_a_payment_is_credited_once_however_its_callback_comes(
    kisima: Village, outside: Outside, kind: str, body: dict[str, object], topics: list[str]
) -> None:
    kisima.household("KIS0001")
    outside.fault("daraja", kind, **body)
    phone = outside.phone()
    phone.dial("3*500*1")
    answer = phone.answer(phone.wait_for_prompt(), pin=MPESA_PIN)
    phone.wait_for_message(answer["receipt"])
    assert handled_callbacks(outside) == topics
    assert_credited_once(outside, phone_messages=phone.messages())


def test_where_the_statement_lags_the_receipts_status_credits_within_ten_seconds(
    kisima: Village, outside: Outside
) -> None:
    kisima.household("KIS0001")
    outside.set_daraja(statement_delay_seconds=3_600)
    phone = outside.phone()
    phone.dial("3*500*1")
    answer = phone.answer(phone.wait_for_prompt(), pin=MPESA_PIN)
    began_at = timezone.now()
    phone.wait_for_message(answer["receipt"])
    assert timezone.now() - began_at < timedelta(seconds=10)
    assert {row["topic"] for row in outside.callbacks("daraja")} == {"stk", "status"}
    assert_credited_once(outside, phone_messages=phone.messages())


def test_a_callback_that_overtakes_the_providers_answer_is_credited_once(
    kisima: Village, outside: Outside
) -> None:
    kisima.household("KIS0001")
    outside.fault("daraja", "before_response", topic="stk")
    phone = outside.phone()
    phone.dial("3*500*1")
    payment = settled_top_up("KIS0001")
    phone.wait_for_message(payment.reference)
    assert handled_callbacks(outside) == ["stk"]
    assert_credited_once(outside, phone_messages=phone.messages())


def test_the_janitor_finds_a_payment_whose_callback_never_came(
    kisima: Village, outside: Outside
) -> None:
    kisima.household("KIS0001")
    outside.fault("daraja", "never", topic="stk")
    phone = outside.phone()
    phone.dial("3*500*1")
    answer = phone.answer(phone.wait_for_prompt(), pin=MPESA_PIN)

    def paid_state() -> bool:
        # Time passes: every open question is due again.
        PaymentAttempt.objects.filter(next_poll_at__isnull=False).update(
            next_poll_at=timezone.now()
        )
        return PaymentAttempt.objects.filter(state="succeeded").exists()

    eventually(paid_state, beat=[poll_attempts, pull_payments])
    phone.wait_for_message(answer["receipt"])
    assert_credited_once(outside, phone_messages=phone.messages())
    assert PaymentAttempt.objects.get().intent.payments.get().reference == answer["receipt"]


def handled_callbacks(outside: Outside) -> list[str]:
    """Wait until no callback is on its way any more and all are handled; return their topics."""

    def delivered() -> list[str]:
        callbacks = outside.callbacks("daraja")
        on_the_way = any(each["state"] != "delivered" for each in callbacks)
        is_open = InboundEvent.objects.filter(route__startswith="daraja.", outcome="").exists()
        return [] if on_the_way or is_open else sorted(each["topic"] for each in callbacks)

    return eventually(delivered)


def assert_credited_once(outside: Outside, *, phone_messages: list[str]) -> None:
    """One payment, one credit, one receipt, and as much as the provider says it took."""
    payment = Payment.objects.get()
    (paid,) = outside.statement()["transactions"]
    assert (payment.reference, payment.amount_minor) == (paid["receipt"], 50_000)
    assert funds_of("KIS0001") == wei_of_shillings(500)
    assert sum(payment.reference in text for text in phone_messages) == 1
    attempt = eventually(lambda: PaymentAttempt.objects.filter(state="succeeded").first())
    assert not attempt.has_mismatch
    assert list(attempt.intent.payments.all()) == [payment]


def test_money_for_an_account_that_nobody_has_waits_until_it_is_opened(
    kisima: Village, outside: Outside
) -> None:
    payer, owner = outside.phone("+254711000007"), outside.phone("+254711000008")
    receipt = payer.paybill(account="KIS0099", amount="300")["receipt"]
    message = payer.wait_for_message(receipt)
    assert message.startswith(f"We have your KES 300, receipt {receipt}, but no account KIS0099.")
    payment = Payment.objects.get()
    assert payment.state == "suspense"

    now = timezone.now()
    sites.open_household(site=kisima.site, code="KIS0099", at=now, phones=(owner.number,))
    attach_suspense.delay()
    settled_top_up("KIS0099")
    assert funds_of("KIS0099") == wei_of_shillings(300)
    assert receipt in owner.wait_for_message("KIS0099")
    attach_suspense.delay()
    pull_payments.delay()
    assert "KES 300" in owner.dial("5*3")[0]
    assert Payment.objects.count() == 1
    assert funds_of("KIS0099") == wei_of_shillings(300)
