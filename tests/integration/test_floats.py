"""The float check against the sandbox's Daraja: what is on its way is no alarm, what stays is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from accounts import audit, refunds, treasury
from accounts.audit.floats import floats_are_what_providers_say
from accounts.models import Alarm, Payment, User
from gateway.providers import collection, floats
from gateway.providers.models import RailBalance
from tests.contracts.rigs import Rig
from tests.contracts.rigs.daraja import DarajaRig
from tests.contracts.rigs.opening import opened

pytestmark = pytest.mark.django_db

WEI = 10**18


@pytest.fixture
def rig(db: None) -> Iterator[Rig]:
    """M-Pesa, in a sandbox of its own; callbacks wait until they are handed over."""
    with opened(DarajaRig) as rig:
        yield rig


def check(rig: Rig) -> RailBalance:
    """The next check, minutes later: asked, and told a moment after."""
    rig.pass_time(minutes=6)
    assert floats.check(rail=rig.rail, at=rig.clock()) is None
    rig.pass_time(seconds=2)
    rig.deliver([sent for sent in rig.callbacks() if sent.topic == "balance"][-1])
    return rig.rail.told_amounts.order_by("-told_at")[0]


def lasting() -> list[str]:
    return list(Alarm.objects.filter(cleared_at=None).values_list("text", flat=True))


def audited() -> list[str]:
    (result,) = audit.run(checks=[floats_are_what_providers_say])
    return [finding.detail for finding in result.findings]


def told(rig: Rig, amount_minor: int, *, currency: str = "KES", **ago: float) -> RailBalance | None:
    """The provider tells something, so long ago."""
    return floats.told(
        rail=rig.rail,
        amount_minor=amount_minor,
        currency=currency,
        told_at=rig.clock() - timedelta(**ago),
        at=rig.clock(),
    )


def test_money_moved_out_behind_our_back_is_an_alarm_at_the_second_look(rig: Rig) -> None:
    rig.paid()
    assert check(rig).difference_minor == 0
    rig.simulate("payout", amount="200")
    assert check(rig).difference_minor == -20_000
    assert lasting() == []
    assert audited() == []

    check(rig)
    text = "M-Pesa 174379: the provider has KES 200.00 less than our float"
    assert lasting() == [text]
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.operator) == ("float_differs", rig.rail.operator)
    check(rig)
    assert lasting() == [text]
    assert Alarm.objects.count() == 1
    assert audited() == []


def test_the_conversion_entered_late_clears_the_alarm(rig: Rig) -> None:
    payment = rig.paid()
    receipt = rig.simulate("payout", amount="200")["receipt"]
    paid_out_at = rig.clock()
    check(rig)
    check(rig)
    assert lasting()
    treasury.convert(
        site=rig.site,
        rail=rig.rail,
        sold_minor=20_000,
        fee_minor=0,
        bought_wei=WEI,
        reference=receipt,
        converted_at=paid_out_at,
        made_by=User.objects.create_user("clerk"),
        note="",
        at=rig.clock(),
    )
    balance = check(rig)
    assert (balance.difference_minor, balance.float_minor) == (0, payment.amount_minor - 20_000)
    assert lasting() == []
    # The earlier look, as we know of it now.
    assert [each.difference_minor for each in rig.rail.told_amounts.all()[:2]] == [0, 0]


def test_a_payment_on_its_way_is_no_alarm_however_many_follow_each_other(rig: Rig) -> None:
    check(rig)
    for _ in range(3):
        attempt = rig.prompted()
        rig.pay(attempt)
        assert check(rig).difference_minor == rig.amount_minor
        assert lasting() == []
        rig.deliver(*(sent for sent in rig.waiting() if sent.topic != "balance"))
    assert Payment.objects.filter(state="credited").count() == 3
    assert check(rig).difference_minor == 0
    assert not Alarm.objects.exists()


def test_a_payment_that_nobody_told_us_of_is_an_alarm_until_it_is_taken_in(rig: Rig) -> None:
    check(rig)
    rig.simulate(f"phones/{rig.payers[0]}/paybill", account="KIJ0001", amount="80", silent=True)
    check(rig)
    check(rig)
    assert lasting() == ["M-Pesa 174379: the provider has KES 80.00 more than our float"]
    assert collection.pull(rail=rig.rail, at=rig.clock()) == 1
    assert check(rig).difference_minor == 0
    assert lasting() == []


def test_money_taken_back_lies_there_until_the_provider_has_paid_it_out(rig: Rig) -> None:
    payment = rig.paid()
    check(rig)
    refund = refunds.request(
        payment=payment,
        amount_minor=payment.amount_minor,
        reason="paid twice",
        requested_by=None,
        idempotency_key="r1",
        at=rig.clock(),
    )
    assert check(rig).difference_minor == 0
    # The provider gives it back and we are not told: less there by what is under way.
    refunds.claim(refund_id=refund.pk, at=rig.clock())
    rig.simulate("reversals", receipt=payment.reference)
    for _ in range(2):
        balance = check(rig)
        assert balance.difference_minor == -payment.amount_minor
        assert floats.unexplained_minor(balance=balance) == 0
    assert lasting() == []
    assert audited() == []


def test_what_the_provider_did_after_it_told_is_taken_off_again(rig: Rig) -> None:
    payment = rig.paid()
    rig.pass_time(minutes=1)
    balance = told(rig, 0, minutes=2)
    assert balance is not None
    assert (balance.float_minor, balance.difference_minor) == (0, 0)
    balance = told(rig, payment.amount_minor)
    assert balance is not None
    assert balance.difference_minor == 0


def test_an_older_balance_is_left_out(rig: Rig) -> None:
    first = told(rig, 5_000, minutes=1)
    assert first is not None
    again = floats.told(
        rail=rig.rail, amount_minor=5_000, currency="KES", told_at=first.told_at, at=rig.clock()
    )
    assert again is None
    assert told(rig, 7_000, minutes=2) is None
    assert RailBalance.objects.count() == 1


def test_a_balance_in_other_money_is_an_alarm_and_nothing_else(rig: Rig) -> None:
    assert told(rig, 5_000, currency="USD", minutes=3) is None
    assert lasting() == ["M-Pesa 174379: the provider tells its balance in USD"]
    assert not RailBalance.objects.exists()
    told(rig, 0)
    assert lasting() == []


def test_differences_on_both_sides_of_zero_are_no_alarm(rig: Rig) -> None:
    for minutes, amount_minor in ((3, 500), (2, -500), (1, 500)):
        told(rig, amount_minor, minutes=minutes)
    assert lasting() == []
    told(rig, 700)
    assert lasting() == ["M-Pesa 174379: the provider has KES 5.00 more than our float"]


def test_a_provider_that_is_away_or_cannot_tell_says_nothing(rig: Rig) -> None:
    rig.fault("unavailable", count=2)
    assert floats.check(rail=rig.rail, at=rig.clock()) is None
    with rig.unreachable():
        assert floats.check(rail=rig.rail, at=rig.clock()) is None
    assert not RailBalance.objects.exists()
    assert floats.check_all(at=rig.clock()) == 0


def test_the_audit_wants_an_alarm_that_says_by_how_much(rig: Rig) -> None:
    told(rig, 700, minutes=2)
    assert audited() == []
    told(rig, 700, minutes=1)
    assert audited() == []
    Alarm.objects.update(text="something else")
    assert len(audited()) == 1
    assert "KES 7.00 more than our floats, and no alarm says so" in audited()[0]
    Alarm.objects.all().delete()
    assert len(audited()) == 1
    rig.rail.closed_at = rig.clock()
    rig.rail.save()
    assert audited() == []
