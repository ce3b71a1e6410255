"""Pages of monthly gifts: choosing, paying, seeing and ending them, and the admin."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import sites
from accounts.models import Donor, GivingPlan, Household, PaymentAttempt, Pledge, Rail, User
from gateway.providers.tasks import ask_plan
from tests.integration.plan_corruptions import MONTH, give_monthly
from tests.integration.sandboxed import home, hooks, today
from tests.village import Village

__all__ = ["home", "hooks", "today"]

pytestmark = pytest.mark.django_db

GIFT = {"amount": "25", "rail": "cards-usd", "email": "ada@example.org"}


@pytest.fixture
def cards(home: Household) -> Rail:
    """Cards in dollars."""
    return Rail.objects.create(
        operator=home.sites.get().site.operator,
        provider=Rail.Provider.STRIPE,
        code="cards-usd",
        merchant_account="acct_sandbox",
        currency="USD",
        min_top_up_minor=100,
        max_top_up_minor=1_000_000,
    )


@pytest.fixture
def plan(home: Household, today: Village) -> GivingPlan:
    """A plan that runs, two months of it paid."""
    return give_monthly(today, at=timezone.now())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Plans that a worker was asked to end."""
    ids: list[int] = []
    monkeypatch.setattr(ask_plan, "delay", ids.append)
    return ids


def text(answer: HttpResponseBase) -> str:
    assert isinstance(answer, HttpResponse)
    return answer.content.decode()


def nonce(page: str) -> str:
    found = re.search(r'name="nonce" value="([^"]+)"', page)
    assert found, page
    return found[1]


def token_of(plan: GivingPlan) -> str:
    return PaymentAttempt.objects.filter(pledge__plan=plan)[0].token


def end_path(plan: GivingPlan) -> str:
    return reverse("checkout:end_plan", kwargs={"uid": plan.uid})


def logged_in(client: Client, donor: Donor) -> Client:
    session = client.session
    session["donors"] = [str(donor.uid)]
    session.save()
    return client


class TestChoosing:
    """`/donate/<slug>/`: once is what is meant unless somebody says otherwise."""

    def test_the_form_asks_how_often_and_means_once(self, client: Client, cards: Rail) -> None:
        page = text(client.get("/donate/kisima/"))
        assert '<fieldset class="choices"><legend>How often</legend>' in page
        [chosen] = re.findall(r'<input type="radio"[^>]*checked[^>]*>', page)
        assert 'value="once"' in chosen
        client.post("/donate/kisima/", {**GIFT, "nonce": nonce(page)})
        assert (Pledge.objects.get().plan, GivingPlan.objects.count()) == (None, 0)

    def test_every_month_is_a_plan_however_often_it_is_sent(
        self, client: Client, cards: Rail
    ) -> None:
        sent = {**GIFT, "rhythm": "monthly", "nonce": nonce(text(client.get("/donate/kisima/")))}
        first, second = (client.post("/donate/kisima/", sent) for _ in range(2))
        assert first["Location"] == second["Location"]
        plan = GivingPlan.objects.get()
        assert (plan.amount_minor, plan.currency, plan.state) == (2_500, "USD", "pending")
        assert Pledge.objects.get().plan == plan
        assert plan.donor.contact.email == "ada@example.org"

    def test_what_was_sent_first_counts(self, client: Client, cards: Rail) -> None:
        sent = {**GIFT, "nonce": nonce(text(client.get("/donate/kisima/")))}
        once = client.post("/donate/kisima/", sent)
        monthly = client.post("/donate/kisima/", {**sent, "rhythm": "monthly"})
        assert once["Location"] == monthly["Location"]
        assert (Pledge.objects.count(), GivingPlan.objects.count()) == (1, 0)

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"rhythm": "monthly", "email": ""}, "To give every month, write your e-mail address"),
            ({"rhythm": "monthly", "email": "ada@"}, "Enter a valid email address"),
            ({"rhythm": "weekly"}, "Select a valid choice"),
            ({"rhythm": "monthly", "amount": "0.5"}, "Choose an amount from"),
        ],
    )
    def test_bad_input_says_what_to_do_and_stores_nothing(
        self, client: Client, cards: Rail, fields: dict[str, str], said: str
    ) -> None:
        page = text(client.get("/donate/kisima/"))
        answer = client.post("/donate/kisima/", {**GIFT, "nonce": nonce(page), **fields})
        assert answer.status_code == 422
        assert said in text(answer)
        assert (GivingPlan.objects.count(), Pledge.objects.count()) == (0, 0)

    def test_a_rail_that_cannot_is_not_offered_it(
        self, client: Client, cards: Rail, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("accounts.rails.MONTHLY", ())
        assert "How often" not in text(client.get("/donate/kisima/"))

    def test_the_page_on_the_way_says_that_it_is_every_month(
        self, client: Client, cards: Rail
    ) -> None:
        page = text(client.get("/donate/kisima/"))
        client.post("/donate/kisima/", {**GIFT, "rhythm": "monthly", "nonce": nonce(page)})
        attempt = PaymentAttempt.objects.get()
        PaymentAttempt.objects.update(state="pending", pay_url="http://cards.test/")
        shown = text(client.get(f"/pay/{attempt.token}/"))
        assert "every month" in shown
        assert "until you end it" in shown
        french = text(client.get(f"/pay/{attempt.token}/", headers={"accept-language": "fr"}))
        assert "chaque mois" in french


class TestSeeingAndEnding:
    """A donor's page shows plans; ending one is asked for, and shown until it is so."""

    def test_its_donor_sees_it_and_asks_for_its_end(
        self,
        client: Client,
        plan: GivingPlan,
        asked: list[int],
        django_capture_on_commit_callbacks: object,
    ) -> None:
        logged_in(client, plan.donor)
        page = text(client.get("/donor/"))
        assert "Monthly gifts" in page
        assert "It runs." in page
        assert end_path(plan) in page
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
            answer = client.post(end_path(plan))
        assert (answer.status_code, answer["Location"]) == (302, "/donor/")
        plan.refresh_from_db()
        assert (plan.state, asked) == ("active", [plan.pk])
        assert plan.end_asked_at is not None
        page = text(client.get("/donor/"))
        assert "It is being ended" in page
        assert end_path(plan) not in page
        client.post(end_path(plan))
        again = GivingPlan.objects.get()
        assert again.end_asked_at == plan.end_asked_at

    def test_whoever_holds_the_payments_page_may_too(
        self, client: Client, plan: GivingPlan, asked: list[int]
    ) -> None:
        gift = reverse("wallet:gift", args=[token_of(plan)])
        path = reverse("checkout:end_gift_plan", kwargs={"token": token_of(plan), "uid": plan.uid})
        assert path in text(client.get(gift))
        assert client.post(path)["Location"] == gift
        plan.refresh_from_db()
        assert plan.end_asked_at is not None

    def test_nobody_else_may(self, client: Client, plan: GivingPlan) -> None:
        assert client.post(end_path(plan)).status_code == 404
        stranger = Donor.objects.create(created_at=timezone.now())
        assert logged_in(client, stranger).post(end_path(plan)).status_code == 404
        by_token = {"token": "f" * 64, "uid": plan.uid}
        assert client.post(reverse("checkout:end_gift_plan", kwargs=by_token)).status_code == 404
        plan.refresh_from_db()
        assert plan.end_asked_at is None

    def test_looking_ends_nothing_and_a_forged_form_is_refused(
        self, plan: GivingPlan, client: Client
    ) -> None:
        assert logged_in(client, plan.donor).get(end_path(plan)).status_code == 405
        strict = logged_in(Client(enforce_csrf_checks=True), plan.donor)
        assert strict.post(end_path(plan)).status_code == 403
        plan.refresh_from_db()
        assert plan.end_asked_at is None

    @pytest.mark.parametrize(
        ("changes", "said", "french"),
        [
            ({"state": "past_due"}, "your card refused it", "votre carte l’a refusé"),
            ({"state": "cancelled"}, "Ended on", "Terminé le"),
        ],
    )
    def test_how_it_stands_is_said(
        self, client: Client, plan: GivingPlan, changes: dict[str, str], said: str, french: str
    ) -> None:
        GivingPlan.objects.update(**changes, cancelled_at=timezone.now())
        logged_in(client, plan.donor)
        assert said in text(client.get("/donor/"))
        assert french in text(client.get("/donor/", headers={"accept-language": "fr"}))
        is_over = changes["state"] == "cancelled"
        assert (end_path(plan) in text(client.get("/donor/"))) == (not is_over)

    def test_one_that_has_ended_is_not_ended_again(
        self, client: Client, plan: GivingPlan, asked: list[int]
    ) -> None:
        GivingPlan.objects.update(state="cancelled", cancelled_at=timezone.now())
        assert logged_in(client, plan.donor).post(end_path(plan)).status_code == 302
        plan.refresh_from_db()
        assert (plan.end_asked_at, asked) == (None, [])

    def test_a_plan_that_never_began_is_not_shown(self, client: Client, plan: GivingPlan) -> None:
        GivingPlan.objects.update(state="cancelled", provider_plan="")
        assert "Monthly gifts" not in text(logged_in(client, plan.donor).get("/donor/"))


class TestTheAdmin:
    """Staff see plans of their operator's sites, with their months; nobody changes them there."""

    def test_only_their_operators_staff_see_them(self, plan: GivingPlan) -> None:
        other = sites.open_operator(slug="other", name="Other", at=timezone.now())
        listed = reverse("admin:accounts_givingplan_changelist")
        page = reverse("admin:accounts_givingplan_change", args=[plan.pk])
        for operator, count in ((plan.site.operator, 1), (other, 0)):
            user = User.objects.create_user(operator.slug, is_staff=True, operator=operator)
            client = Client()
            client.force_login(user)
            assert client.get(listed).context["cl"].result_count == count
            shown = client.get(page)
            assert (shown.status_code == 200) == bool(count)
            if count:
                assert "sub_monthly" in text(shown)
                assert client.post(page, {"state": "cancelled"}).status_code == 403
        plan.refresh_from_db()
        assert plan.state == "active"


@pytest.mark.parametrize(("late", "seconds"), [(timedelta(hours=2), 7_200), (-MONTH, 0)])
def test_a_scrape_tells_how_long_a_plan_was_not_asked_after(
    client: Client, plan: GivingPlan, late: timedelta, seconds: int
) -> None:
    GivingPlan.objects.update(next_check_at=timezone.now() - late)
    found = re.search(r"gateway_plans_unasked_seconds ([0-9.]+)", text(client.get("/metrics")))
    assert found
    assert seconds <= float(found[1]) < seconds + 60
