"""The admin's pages of payees, service tokens and payouts; the public API of what was paid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts import sites
from accounts.models import Operator, User
from settlement import payout_sending, uptime
from settlement.models import BankFile, Payee, Payout, ServiceToken, SlotTelemetry
from tests.integration.sandboxed import today
from tests.paying_out import (
    WALLET,
    WEI,
    approved,
    earn_revenue,
    earned,
    fill_treasury,
    fresh,
    payee,
    pool,
    proposed,
    stands,
)
from tests.village import Village

__all__ = ["today"]

pytestmark = pytest.mark.django_db

RIGHTS = (
    "add_payee",
    "change_payee",
    "add_servicetoken",
    "add_payout",
    "change_payout",
    "add_bankfile",
)


def clerk(operator: Operator | None, *rights: str, name: str = "") -> Client:
    """Somebody of an operator with some rights."""
    name = name or f"clerk{User.objects.count()}"
    user = User.objects.create_user(name, is_staff=True, operator=operator)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def path(model: str, action: str, row: Any = None) -> str:
    return reverse(f"admin:settlement_{model}_{action}", args=[] if row is None else [row.pk])


@pytest.fixture
def kisima(today: Village) -> Village:
    earn_revenue(today)
    return today


@pytest.fixture
def ann(kisima: Village) -> Client:
    return clerk(kisima.operator, *RIGHTS, name="ann")


@pytest.fixture
def ben(kisima: Village) -> Client:
    return clerk(kisima.operator, *RIGHTS, name="ben")


class TestPayees:
    """Who is paid, and how."""

    def form(self, village: Village, **changes: Any) -> dict[str, Any]:
        return {
            "operator": village.operator.pk,
            "code": "jua",
            "role": "contractor",
            "public_name": "Jua Works",
            "way": "mobile",
            "rail": village.rail.pk,
            "phone": "0711 000 009",
            "language": "sw",
            "bank_account": "",
            "bank_code": "",
            "wallet": "",
            **changes,
        }

    def test_a_payee_is_stored_as_the_rail_wants_the_number(
        self, ann: Client, kisima: Village
    ) -> None:
        assert ann.post(path("payee", "add"), self.form(kisima)).status_code == 302
        jua = Payee.objects.get(code="jua")
        assert (jua.phone, jua.rail, jua.language) == ("+254711000009", kisima.rail, "sw")
        assert jua.history.count() == 1

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"phone": ""}, "This way of being paid needs it"),
            ({"phone": "call me"}, "is not a phone number"),
            ({"rail": ""}, "This way of being paid needs it"),
            ({"way": "bank"}, "This way of being paid needs it"),
            ({"way": "bank", "bank_account": "x"}, "neither an IBAN nor an account number"),
            ({"way": "bank", "bank_account": "12345678", "bank_code": "K"}, "is no BIC"),
            ({"way": "chain"}, "This way of being paid needs it"),
            ({"way": "chain", "wallet": WALLET.replace("C5", "c5")}, "its checksum"),
            ({"way": "chain", "wallet": "0x12"}, "No address"),
        ],
    )
    def test_a_payee_who_could_not_be_paid_is_refused(
        self, ann: Client, kisima: Village, changes: dict[str, Any], words: str
    ) -> None:
        answer = ann.post(path("payee", "add"), self.form(kisima, **changes))
        assert words in text(answer)
        assert not Payee.objects.exists()

    def test_a_rail_that_pays_nothing_out_is_refused(self, ann: Client, kisima: Village) -> None:
        kisima.rail.provider = "stripe"
        kisima.rail.save()
        assert "does not pay out" in text(ann.post(path("payee", "add"), self.form(kisima)))

    def test_where_a_payee_is_paid_rests_while_a_payout_is_open(
        self, ann: Client, kisima: Village
    ) -> None:
        jua = payee(kisima)
        proposed(kisima, earned(kisima, jua))
        changed = {"public_name": "Jua & Co", "language": "fr", "phone": "+254700000666"}
        ann.post(path("payee", "change", jua), changed)
        jua.refresh_from_db()
        assert (jua.public_name, jua.phone) == ("Jua & Co", "+254711000009")

    def test_staff_see_payees_of_their_operator_only(self, ann: Client, kisima: Village) -> None:
        other = sites.open_operator(slug="mbali", name="Mbali", at=kisima.founded_at)
        payee(kisima)
        theirs = clerk(other, *RIGHTS)
        assert "contractor-mobile" in text(ann.get(path("payee", "changelist")))
        assert "contractor-mobile" not in text(theirs.get(path("payee", "changelist")))
        assert theirs.get(path("payee", "change", Payee.objects.get())).status_code == 302


class TestAccepting:
    """Milestones, and months of uptime beside what was measured."""

    def form(self, village: Village, jua: Payee, **changes: Any) -> dict[str, Any]:
        return {
            "site": village.site.pk,
            "payee": jua.pk,
            "reason": "milestone",
            "what": "inverter replaced",
            "amount_wei": "12.5",
            "note": "photo 17, Mary was there",
            **changes,
        }

    def test_a_milestone_is_accepted_with_its_proof(self, ann: Client, kisima: Village) -> None:
        answer = ann.post(path("servicetoken", "add"), self.form(kisima, payee(kisima)))
        assert answer.status_code == 302
        token = ServiceToken.objects.get()
        assert token.subject == "milestone:contractor-mobile:inverter replaced"
        assert (token.amount_wei, token.note) == (12 * WEI + WEI // 2, "photo 17, Mary was there")
        assert token.accepted_by is not None and token.accepted_by.username == "ann"
        assert stands(kisima, "service_tokens", "contractor-mobile", "SVC") == token.amount_wei

    def test_a_month_of_uptime_is_accepted_once(self, ann: Client, kisima: Village) -> None:
        form = self.form(kisima, payee(kisima), reason="uptime", what="2026-01")
        assert ann.post(path("servicetoken", "add"), form).status_code == 302
        assert "It was accepted before" in text(ann.post(path("servicetoken", "add"), form))
        assert ServiceToken.objects.get().subject == "uptime:contractor-mobile:2026-01"

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"reason": "uptime", "what": "January"}, "year and month"),
            ({"reason": "uptime", "what": "2099-01"}, "is not over"),
            ({"amount_wei": "0"}, "above zero"),
            ({"note": ""}, "This field is required"),
            ({"reason": "grant"}, "not one of the available choices"),
        ],
    )
    def test_what_cannot_be_accepted_is_told(
        self, ann: Client, kisima: Village, changes: dict[str, Any], words: str
    ) -> None:
        form = self.form(kisima, payee(kisima), **changes)
        assert words in text(ann.post(path("servicetoken", "add"), form))
        assert not ServiceToken.objects.exists()

    def test_what_was_accepted_is_shown_with_its_proof(self, ann: Client, kisima: Village) -> None:
        token = earned(kisima, payee(kisima), note="photo 17")
        page = text(ann.get(path("servicetoken", "change", token)))
        for words in ("photo 17", "10.000000 DAI", "milestone:0", "proposer"):
            assert words in page

    def test_without_the_right_nothing_is_accepted(self, kisima: Village) -> None:
        form = self.form(kisima, payee(kisima))
        answer = clerk(kisima.operator).post(path("servicetoken", "add"), form)
        assert answer.status_code == 403

    def test_the_form_shows_what_was_measured_and_what_nobody_told(
        self, ann: Client, kisima: Village
    ) -> None:
        page = text(ann.get(path("servicetoken", "add")))
        assert "Uptime as the plant and the meters told it" in page
        assert "not measured" in page


class TestUptime:
    """Slots that were up, down and unknown."""

    def test_telemetry_and_meters_tell_and_the_rest_is_unknown(self, today: Village) -> None:
        month = datetime(2026, 10, 1, tzinfo=UTC)
        begins_at, ends_at = uptime.span(site=today.site, month=month.date())
        # Nairobi is three hours ahead.
        assert (begins_at, ends_at) == (
            datetime(2026, 9, 30, 21, tzinfo=UTC),
            datetime(2026, 10, 31, 21, tzinfo=UTC),
        )
        for number, (production, feeder) in enumerate([(1, 0), (0, 1), (0, 0), (0, 0)]):
            starts_at = begins_at + timedelta(minutes=15 * number)
            SlotTelemetry.objects.create(
                site=today.site,
                starts_at=starts_at,
                ends_at=starts_at + timedelta(minutes=15),
                state_of_charge_basis_points=5_000,
                production_milliwatt_hours=production,
                feeder_milliwatt_hours=feeder,
                received_at=ends_at,
            )
        told = uptime.of_month(site=today.site, month=month.date(), at=ends_at)
        assert (told.slots, told.up, told.down, told.unknown) == (2_976, 2, 2, 2_972)
        assert told.least_basis_points == 2 * 10_000 // 2_976
        assert told.most_basis_points == 2_974 * 10_000 // 2_976

    def test_a_meter_that_read_energy_shows_that_there_was_power(self, kisima: Village) -> None:
        month = timezone.now().date().replace(day=1)
        told = uptime.of_month(site=kisima.site, month=month, at=timezone.now())
        assert (told.up, told.down) == (1, 0)

    def test_a_month_that_has_not_begun_has_no_slots(self, today: Village) -> None:
        month = datetime(2099, 1, 1, tzinfo=UTC).date()
        told = uptime.of_month(site=today.site, month=month, at=timezone.now())
        assert (told.slots, told.least_basis_points, told.most_basis_points) == (0, 0, 0)


class TestPayouts:
    """Proposed by one, approved by another."""

    def propose(self, client: Client, village: Village, **changes: Any) -> Any:
        token = changes.pop("token", None) or earned(village, payee(village))
        return client.post(
            path("payout", "add"), {"service_token": token.pk, "pool": "contractor", **changes}
        )

    def test_two_people_make_a_payout(self, ann: Client, ben: Client, kisima: Village) -> None:
        assert self.propose(ann, kisima).status_code == 302
        payout = Payout.objects.get()
        page = text(ben.get(path("payout", "approve", payout)))
        assert "Approve: 1292.00 KES out of contractor" in page
        answer = ben.post(path("payout", "approve", payout))
        assert said(answer).startswith("Approved: 1292.00 KES")
        payout = fresh(payout)
        assert payout.state == Payout.State.APPROVED
        assert payout.approved_by is not None and payout.approved_by.username == "ben"
        assert pool(kisima) == 50 * WEI - payout.amount_wei

    def test_who_proposed_it_is_told_to_ask_somebody(self, ann: Client, kisima: Village) -> None:
        self.propose(ann, kisima)
        payout = Payout.objects.get()
        answer = ann.post(path("payout", "approve", payout))
        assert "Who proposed a payout does not approve it" in text(answer)
        assert fresh(payout).state == Payout.State.PROPOSED

    def test_a_look_at_the_approval_approves_nothing(self, ben: Client, kisima: Village) -> None:
        payout = proposed(kisima, earned(kisima, payee(kisima)))
        ben.get(path("payout", "approve", payout))
        assert fresh(payout).state == Payout.State.PROPOSED

    def test_more_than_the_pool_holds_is_told(self, ann: Client, kisima: Village) -> None:
        token = earned(kisima, payee(kisima), dai=51)
        answer = self.propose(ann, kisima, token=token)
        assert "Not proposed: the pool contractor of Kisima holds 50.0" in said(answer)
        assert not Payout.objects.exists()

    def test_a_pool_that_is_none_names_those_there_are(self, ann: Client, kisima: Village) -> None:
        answer = self.propose(ann, kisima, pool="party")
        assert "Kisima has no such pool; it has: contractor, grant, levies" in text(answer)

    def test_a_rejection_says_why(self, ben: Client, kisima: Village) -> None:
        payout = approved(kisima)
        assert "This field is required" in text(ben.post(path("payout", "reject", payout)))
        ben.post(path("payout", "reject", payout), {"reason": "wrong month"})
        assert (fresh(payout).state, pool(kisima)) == (Payout.State.REJECTED, 50 * WEI)

    @pytest.mark.parametrize("action", ["approve", "reject", "confirm", "came_back"])
    def test_without_the_right_nobody_decides(self, kisima: Village, action: str) -> None:
        payout = approved(kisima)
        answer = clerk(kisima.operator).post(path("payout", action, payout))
        assert answer.status_code == 403
        assert fresh(payout).state == Payout.State.APPROVED

    @pytest.mark.parametrize("action", ["change", "approve", "reject"])
    def test_another_operators_payout_does_not_exist(self, kisima: Village, action: str) -> None:
        payout = proposed(kisima, earned(kisima, payee(kisima)))
        other = sites.open_operator(slug="mbali", name="Mbali", at=kisima.founded_at)
        stranger = clerk(other, *RIGHTS)
        answer = stranger.post(path("payout", action, payout), {"reason": "mine"})
        assert answer.status_code in (302, 403, 404)
        assert fresh(payout).state == Payout.State.PROPOSED
        assert "contractor" not in text(stranger.get(path("payout", "changelist")))
        tokens = text(stranger.get(path("payout", "add")))
        assert "milestone:0" not in tokens

    def test_its_page_shows_who_did_what(self, ann: Client, kisima: Village) -> None:
        page = text(ann.get(path("payout", "change", approved(kisima))))
        for words in ("1292.00 KES", "proposer", "approver", "+254711000009", "DAI"):
            assert words in page

    def test_the_first_page_counts_those_to_approve(self, ann: Client, kisima: Village) -> None:
        proposed(kisima, earned(kisima, payee(kisima)))
        assert "payouts to approve" in text(ann.get(reverse("admin:index")))


class TestBank:
    """A file for the bank, and what the bank says of it."""

    FORM = {"currency": "KES", "debtor_account": "0110022334455", "debtor_code": "KCBLKENX"}

    @pytest.fixture
    def payout(self, kisima: Village) -> Payout:
        fill_treasury(kisima, dai=20)
        return approved(kisima, way="bank")

    def made(self, client: Client, village: Village) -> BankFile:
        form = {**self.FORM, "operator": village.operator.pk}
        answer = client.post(path("payout", "make_bank_file"), form)
        assert answer.status_code == 302, text(answer)
        return BankFile.objects.get()

    def test_a_file_is_made_once_and_downloaded_as_often_as_wanted(
        self, ann: Client, kisima: Village, payout: Payout
    ) -> None:
        file = self.made(ann, kisima)
        for _ in range(2):
            answer = ann.get(path("bankfile", "download", file))
            assert answer["Content-Type"] == "application/xml; charset=utf-8"
            assert answer["Content-Disposition"].endswith(f'pain.001-{file.message_id}.xml"')
            assert answer.content.decode() == file.content
        form = {**self.FORM, "operator": kisima.operator.pk}
        again = ann.post(path("payout", "make_bank_file"), form)
        # Nothing waits, so there is no currency to choose.
        assert "KES is not one of the available choices" in text(again)
        assert BankFile.objects.count() == 1

    def test_a_person_confirms_with_the_banks_reference(
        self, ann: Client, kisima: Village, payout: Payout
    ) -> None:
        self.made(ann, kisima)
        form = {"reference": "FT123", "paid_at_0": "2026-11-20", "paid_at_1": "10:00:00"}
        assert "Paid, as FT123." in said(ann.post(path("payout", "confirm", payout), form))
        assert (fresh(payout).state, fresh(payout).reference) == ("paid", "FT123")
        ann.post(path("payout", "came_back", payout), {"reason": "account closed"})
        assert (fresh(payout).state, pool(kisima)) == ("failed", 50 * WEI)

    def test_what_is_in_no_file_is_not_confirmed(
        self, ann: Client, kisima: Village, payout: Payout
    ) -> None:
        form = {"reference": "FT123", "paid_at_0": "2026-11-20", "paid_at_1": "10:00:00"}
        answer = ann.post(path("payout", "confirm", payout), form)
        assert "Only what is in a bank file is confirmed" in text(answer)
        mobile = approved(kisima)
        assert payout_sending.claim(payout_id=mobile.pk, at=timezone.now())
        answer = ann.post(path("payout", "confirm", mobile), form)
        assert "Only what is in a bank file is confirmed" in text(answer)
        assert fresh(mobile).state == "sending"

    def test_the_banks_csv_settles_and_says_what_it_could_not(
        self, ann: Client, kisima: Village, payout: Payout
    ) -> None:
        self.made(ann, kisima)
        rows = (
            "EndToEndId,Reference,Amount,Currency,Date\n"
            f"{payout.request_id.hex},FT9,1292.50,KES,2026-11-20\n"
            "whoever,FT10,1.00,KES,2026-11-20\n"
        )
        form = {"operator": kisima.operator.pk, "rows": rows}
        words = said(ann.post(path("payout", "take_statement"), form))
        assert "1 paid, 0 came back." in words
        assert "row 3: 'whoever' names none of our payouts" in words
        assert fresh(payout).state == "paid"

    def test_another_csv_is_told(self, ann: Client, kisima: Village, payout: Payout) -> None:
        form = {"operator": kisima.operator.pk, "rows": "a,b\n1,2\n"}
        answer = ann.post(path("payout", "take_statement"), form)
        assert "The file has no column" in text(answer)

    @pytest.mark.parametrize("action", ["make_bank_file", "take_statement"])
    def test_without_the_right_there_is_no_file(
        self, kisima: Village, payout: Payout, action: str
    ) -> None:
        answer = clerk(kisima.operator, "change_payout").post(path("payout", action), self.FORM)
        assert answer.status_code == 403

    def test_a_file_of_another_operator_is_not_downloaded(
        self, ann: Client, kisima: Village, payout: Payout
    ) -> None:
        file = self.made(ann, kisima)
        other = sites.open_operator(slug="mbali", name="Mbali", at=kisima.founded_at)
        assert clerk(other, *RIGHTS).get(path("bankfile", "download", file)).status_code == 404
        looking = clerk(kisima.operator, "change_payout")
        assert looking.get(path("bankfile", "download", file)).status_code == 403


class TestPublic:
    """What everybody sees: sums and public names, and nobody's number."""

    def test_revenue_fills_pools_and_pools_pay(self, kisima: Village, settings: Settings) -> None:
        payout = payout_sending.claim(payout_id=approved(kisima).pk, at=timezone.now())
        assert payout is not None
        proposed(kisima, earned(kisima, payee(kisima)))
        payout_sending.submitted(payout=payout, at=timezone.now())
        before = Client().get("/api/v1/sites/kisima/payouts/").json()
        [held] = [row for row in before["pools"] if row["name"] == "contractor"]
        assert (held["set_aside"]["amount"], before["count"]) == (
            f"9.{payout.amount_wei % WEI:018d}",
            0,
        )
        payout_sending.paid(
            payout=payout, reference="SKX1234567", paid_at=timezone.now(), at=timezone.now()
        )
        answer = Client().get("/api/v1/sites/kisima/payouts/")
        told = answer.json()
        assert told["revenue"] == {"amount": "200.000000000000000000", "asset": "DAI"}
        [row] = [row for row in told["pools"] if row["name"] == "contractor"]
        assert row["received"]["amount"] == "50.000000000000000000"
        assert row["paid"]["amount"] == held["set_aside"]["amount"]
        assert row["set_aside"]["amount"] == "0.000000000000000000"
        [paid] = told["paid_out"]
        assert (paid["payee"], paid["role"], paid["payouts"]) == ("Jua contractor", "contractor", 1)
        [result] = told["results"]
        assert (result["way"], result["transfer"], result["reason"]) == (
            "mobile",
            None,
            "milestone",
        )
        for secret in ("254711000009", "SKX1234567", "contractor-mobile", "approver", "payee-0"):
            assert secret not in answer.content.decode()

    def test_money_is_neither_lost_nor_made_in_it(self, kisima: Village) -> None:
        approved(kisima)
        told = Client().get("/api/v1/sites/kisima/payouts/").json()

        def wei(amount: dict[str, str]) -> int:
            return int(amount["amount"].replace(".", ""))

        assert sum(wei(row["received"]) for row in told["pools"]) == wei(told["revenue"])
        for row in told["pools"]:
            out = wei(row["held"]) + wei(row["reserved"]) + wei(row["set_aside"]) + wei(row["paid"])
            assert wei(row["received"]) == out

    def test_an_unknown_site_has_none(self, kisima: Village) -> None:
        assert Client().get("/api/v1/sites/nowhere/payouts/").status_code == 404

    def test_a_page_beyond_the_last_is_empty_and_a_bad_one_refused(self, kisima: Village) -> None:
        assert Client().get("/api/v1/sites/kisima/payouts/?offset=9").json()["results"] == []
        assert Client().get("/api/v1/sites/kisima/payouts/?limit=x").status_code == 400
