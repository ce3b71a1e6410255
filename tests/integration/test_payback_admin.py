"""Giving back, closing claims, attaching by hand: with the right, once, with who and when."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from accounts import disputes, refunds, sites
from accounts.models import (
    Dispute,
    Household,
    Operator,
    PayerClaim,
    Payment,
    Refund,
    User,
)
from tests.cash_village import hire
from tests.integration.test_take_backs import spend
from tests.paybacks import DAI, assert_books_hold, funds, pay, pledged
from tests.village import Village

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(village: Village) -> Household:
    return village.household("KIS0001")


def staff(operator: Operator, *rights: str) -> Client:
    """Somebody of an operator, with rights of accounts."""
    user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
    user.operator = operator
    user.save()
    for right in rights:
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label="accounts", codename=right)
        )
    client = Client()
    client.force_login(user)
    return client


def path(action: str, row: Any) -> str:
    return reverse(f"admin:accounts_{row._meta.model_name}_{action}", args=[row.pk])


def asked(client: Client, action: str, payment: Payment, **form: str) -> Any:
    """Open the page and send its form, key included."""
    page = client.get(path(action, payment))
    assert page.status_code == 200, page
    key = re.search(r'name="key" value="([0-9a-f-]{36})"', page.content.decode())
    assert key is not None
    return client.post(path(action, payment), {"key": key[1], "reason": "paid twice", **form})


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def logged(row: Any) -> list[tuple[str, str]]:
    """Who did what to a row, oldest first."""
    entries = LogEntry.objects.filter(
        content_type__model=row._meta.model_name, object_id=str(row.pk)
    ).order_by("pk")
    return [(entry.user.get_username(), entry.get_change_message()) for entry in entries]


class TestRefunding:
    """On a payment's page."""

    @pytest.fixture
    def payment(self, village: Village, home: Household, now: datetime) -> Payment:
        return pay(village, "KIS0001", at=now)

    def test_only_what_is_unspent_is_offered_and_taken(
        self, village: Village, home: Household, payment: Payment, now: datetime
    ) -> None:
        spend(village, home, amount_wei=2 * DAI, at=now)
        clerk = staff(village.operator, "add_refund")
        page = clerk.get(path("refund", payment)).content.decode()
        assert "741.50 KES of it is unspent" in page
        refused = asked(clerk, "refund", payment, amount="742")
        assert "74150 minor units of it are unspent, not 74200" in refused.content.decode()
        assert not Refund.objects.exists()

        done = asked(clerk, "refund", payment, amount="700")
        refund = Refund.objects.get()
        assert (done.status_code, done.url) == (302, path("change", refund))
        assert (refund.amount_minor, refund.state) == (70_000, "created")
        assert refund.requested_by == User.objects.get()
        assert logged(payment) == [("staff0", "Refund of 700.00 KES: paid twice")]
        assert clerk.get(path("change", refund)).status_code == 200

    def test_a_second_click_is_the_same_refund(self, village: Village, payment: Payment) -> None:
        clerk = staff(village.operator, "add_refund")
        form = {"key": "01a2058a-d031-7014-b0f4-1365f2682d63", "reason": "x", "amount": "100"}
        for _ in range(2):
            assert clerk.post(path("refund", payment), form).status_code == 302
        assert Refund.objects.count() == 1
        other = clerk.post(path("refund", payment), form | {"amount": "200"})
        assert "is another refund" in other.content.decode()

    @pytest.mark.parametrize(
        ("amount", "words"),
        [("x", "is not an amount"), ("1.234", "more decimals"), ("0.50", "no part of one KES")],
    )
    def test_bad_amounts_are_refused(
        self, village: Village, payment: Payment, amount: str, words: str
    ) -> None:
        clerk = staff(village.operator, "add_refund")
        assert words in asked(clerk, "refund", payment, amount=amount).content.decode()
        assert not Refund.objects.exists()

    def test_it_needs_the_right_and_the_operator(
        self, village: Village, payment: Payment, now: datetime
    ) -> None:
        other = sites.open_operator(slug="other", name="Other Power", at=now)
        for action in ("refund", "give_back"):
            assert staff(village.operator).get(path(action, payment)).status_code == 403
            assert staff(other, "add_refund").get(path(action, payment)).status_code == 404
        assert not Refund.objects.exists()

    def test_cash_is_given_back_at_once(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        agent = hire(village, at=now)
        payment = pay(
            village, "KIS0001", at=now, rail=agent.rail, agent=agent, amount_minor=5_000,
            fee_minor=0, reference="CASH1",
        )  # fmt: skip
        asked(staff(village.operator, "add_refund"), "refund", payment, amount="50")
        assert Refund.objects.get().state == "succeeded"
        assert funds(home) == 0

    def test_what_is_spent_whole_or_given_back_is_said(
        self, village: Village, payment: Payment
    ) -> None:
        clerk = staff(village.operator, "add_refund")
        asked(clerk, "refund", payment, amount="1000")
        page = clerk.get(path("refund", payment))
        assert "0.00 KES of it is left" in said(page)
        assert "credited" in said(clerk.get(path("give_back", payment)))


class TestSuspense:
    """Money that matches nobody: given back whole, or attached by a person."""

    @pytest.fixture
    def payment(self, village: Village, now: datetime) -> Payment:
        return pay(village, "N0BODY", at=now)

    def test_it_is_given_back_whole(self, village: Village, payment: Payment) -> None:
        clerk = staff(village.operator, "add_refund", "change_payment")
        assert asked(clerk, "give_back", payment).status_code == 302
        assert (Refund.objects.get().amount_minor, Payment.objects.get().state) == (
            100_000,
            "returned",
        )
        assert logged(payment) == [("staff0", "Give back of 1000.00 KES: paid twice")]
        assert "given back" in said(clerk.post(path("attach", payment), {"code": "KIS0001"}))
        assert_books_hold()

    def test_attaching_says_who_when_and_what_the_payer_had_written(
        self, village: Village, home: Household, payment: Payment
    ) -> None:
        clerk = staff(village.operator, "change_payment")
        assert clerk.post(path("attach", payment), {"code": "kis 0001"}).status_code == 302
        assert logged(payment) == [
            ("staff0", "Attached to KIS0001; the payer had written 'N0BODY'.")
        ]
        history = clerk.get(path("history", payment)).content.decode()
        assert "Attached to KIS0001" in history
        assert "staff0" in history
        # The second try changes nothing, and says nothing.
        assert "credited already" in said(clerk.post(path("attach", payment), {"code": "KIS0001"}))
        assert len(logged(payment)) == 1

    def test_a_pledge_is_attached_by_its_id(
        self, village: Village, home: Household, now: datetime, payment: Payment
    ) -> None:
        gift = pay(village, "for the sun", at=now, reference="RCP2", currency="USD")
        assert gift.state == "suspense"
        pledge = pledged(village, amount_minor=100_000, key="p", at=now)
        clerk = staff(village.operator, "change_payment")
        stranger = staff(
            sites.open_operator(slug="other", name="Other Power", at=now), "change_payment"
        )
        assert stranger.post(path("attach_to_pledge", gift)).status_code == 404
        wrong = clerk.post(path("attach_to_pledge", gift), {"pledge": "7"})
        assert "There is no pledge 7." in wrong.content.decode()
        form = {"pledge": f"donation {pledge.uid}"}
        assert clerk.post(path("attach_to_pledge", gift), form).status_code == 302
        gift.refresh_from_db()
        assert (gift.state, gift.pledge, gift.donations.count()) == ("credited", pledge, 1)
        assert logged(gift) == [
            ("staff0", f"Attached to donation {pledge.uid}; the payer had written 'for the sun'.")
        ]
        assert clerk.get(path("change", pledge)).status_code == 200
        assert_books_hold()


class TestClaims:
    """Closed by hand, with a note."""

    @pytest.mark.parametrize(
        ("action", "state", "title"),
        [("settle", "settled", "Paid by hand"), ("write_off", "written_off", "Write off")],
    )
    def test_a_claim_is_closed_once(
        self, village: Village, claim: PayerClaim, action: str, state: str, title: str
    ) -> None:
        assert staff(village.operator).post(path(action, claim)).status_code == 403
        clerk = staff(village.operator, "change_payerclaim")
        assert clerk.post(path(action, claim), {"note": ""}).status_code == 200
        assert clerk.post(path(action, claim), {"note": "cash"}).status_code == 302
        claim.refresh_from_db()
        assert (claim.state, claim.note) == (state, "cash")
        assert claim.closed_by == User.objects.get(username="staff1")
        assert logged(claim) == [("staff1", f"{title}: cash")]
        assert "closed already" in said(clerk.post(path("write_off", claim), {"note": "again"}))
        assert_books_hold()

    @pytest.fixture
    def claim(self, village: Village, home: Household, now: datetime) -> PayerClaim:
        """A disputed payment of which 3 DAI were spent."""
        payment = pay(village, "KIS0001", at=now)
        spend(village, home, amount_wei=3 * DAI, at=now)
        disputes.follow(
            provider=payment.provider,
            reference="dp_1",
            payment_reference=payment.reference,
            amount_minor=100_000,
            fee_minor=0,
            currency="KES",
            reason="fraudulent",
            state=Dispute.State.OPEN,
            opened_at=now,
            evidence_due_at=now,
            at=now,
        )
        return PayerClaim.objects.get()

    def test_an_undecided_dispute_waits_on_the_first_page(
        self, village: Village, claim: PayerClaim
    ) -> None:
        clerk = staff(village.operator)
        waiting = {each["words"]: each for each in clerk.get("/admin/").context["needs_a_person"]}
        for words in ("disputes undecided", "claims on payers"):
            assert waiting[words]["count"] == 1
            assert clerk.get(waiting[words]["path"]).context["cl"].result_count == 1


def test_a_refund_that_nobody_knows_the_end_of_is_given_up(
    village: Village, home: Household, now: datetime
) -> None:
    payment = pay(village, "KIS0001", at=now)
    refund = refunds.request(
        payment=payment, amount_minor=100_000, reason="x", requested_by=None,
        idempotency_key="one", at=now,
    )  # fmt: skip
    clerk = staff(village.operator, "change_refund")
    assert "nobody knows" in said(clerk.post(path("give_up", refund), {"note": "called them"}))
    refunds.claim(refund_id=refund.pk, at=now)
    refunds.not_answered(refund=refund, text="timed out", at=now)
    assert clerk.get("/admin/").context["needs_a_person"]
    assert clerk.post(path("give_up", refund), {"note": "called them"}).status_code == 302
    refund.refresh_from_db()
    assert (refund.state, refund.failure_text) == ("failed", "called them")
    assert logged(refund) == [("staff0", "Given up: called them")]
    assert funds(home) == payment.credited_wei
