"""The admin's pages of exchange rates: FX, proposals, rates by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import rate_proposals, rollover, site_rates, sites
from accounts.models import Notice, Operator, RateProposal, SiteRate, User
from accounts.site_rates import RateTooEarly
from tests.integration.sandboxed import later, today
from tests.village import Village

__all__ = ["today"]

pytestmark = pytest.mark.django_db


def market(*, first: str = "131", second: str = "131.5", minutes: int = 5) -> None:
    at = later(minutes=-minutes)
    for source, rate in (("first", first), ("second", second)):
        site_rates.store_quote(
            source=source,
            currency="KES",
            local_per_dai=Decimal(rate),
            quoted_at=at,
            expires_at=at + timedelta(hours=1),
        )


def clerk(operator: Operator | None, *rights: str) -> Client:
    """Somebody of an operator with some rights."""
    user = User.objects.create_user(f"clerk{User.objects.count()}", is_staff=True)
    user.operator = operator
    user.save()
    for right in rights:
        user.user_permissions.add(Permission.objects.get(codename=right))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def publisher(today: Village) -> Client:
    return clerk(today.operator, "change_rateproposal", "view_rateproposal")


def proposed(village: Village) -> RateProposal:
    market()
    return rate_proposals.propose(site=village.site, at=timezone.now())


def path(action: str, proposal: RateProposal | None = None) -> str:
    name = f"admin:accounts_rateproposal_{action}"
    return reverse(name, args=[] if proposal is None else [proposal.pk])


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


class TestOverview:
    """The page FX."""

    def test_it_shows_positions_reserve_rates_and_sources_with_units_and_ages(
        self, publisher: Client, today: Village
    ) -> None:
        today.household()
        market(first="128", second="129", minutes=12)
        today.pay("KIS0001", amount_minor=12_850_00, at=timezone.now())
        page = text(publisher.get(path("fx")))
        for words in (
            "12850.00 KES",
            "100.000000 DAI",
            "128.5 KES per DAI (agreed)",
            "12 min",
            "129.25 KES per DAI",
            "-0.58 %",
            "within its limit",
            "-1000.000000 DAI",
            "agreed, 0.79 %",
        ):
            assert words in page

    def test_limits_that_are_passed_and_sources_that_are_off_stand_out(
        self, publisher: Client, today: Village
    ) -> None:
        today.operator.fx_exposure_limit_wei = 1
        today.operator.fx_reserve_limit_wei = 0
        today.operator.save()
        today.household()
        today.pay("KIS0001", amount_minor=129_25, at=timezone.now())
        at = timezone.now()
        site_rates.publish(site=today.site, local_per_dai=Decimal(100), starts_at=at, at=at)
        rollover.run_due(at=at)
        market(first="100", second="120")
        site_rates.store_quote(
            source="feed",
            currency="USD",
            local_per_dai=Decimal("0.9"),
            quoted_at=at,
            expires_at=at + timedelta(hours=1),
        )
        page = text(publisher.get(path("fx")))
        assert page.count("BEYOND ITS LIMIT") == 2
        assert "sources contradict each other" in page
        assert "0.9 USD - OFF ITS PEG" in page

    def test_staff_see_their_own_operator_only(self, today: Village, now: datetime) -> None:
        other = sites.open_operator(slug="other", name="Other Power", at=now)
        page = text(clerk(other).get(path("fx")))
        assert "Other Power: FX reserve" in page
        assert "Jua Power" not in page
        assert "Kisima" not in page
        assert clerk(None).get(path("fx")).status_code == 403

    def test_a_superuser_sees_every_operator(self, client: Client, today: Village) -> None:
        sites.open_operator(slug="other", name="Other Power", at=timezone.now())
        client.force_login(User.objects.create_superuser("root", password="a"))
        page = text(client.get(path("fx")))
        assert "Other Power: FX reserve" in page
        assert "Jua Power: FX reserve" in page


class TestProposals:
    """Looked at, published, rejected."""

    def test_the_page_shows_what_speaks_for_and_against_it(
        self, publisher: Client, today: Village
    ) -> None:
        today.household()
        made = proposed(today)
        today.pay("KIS0001", amount_minor=131_25, at=timezone.now())
        page = text(publisher.get(path("change", made)))
        for words in (
            "131.25000000",
            "129.25000000 KES",
            "+1.54 %",
            "first: 131 KES, 5 min old when proposed",
            "they agree, 0.39 % apart (first 131, second 131.5)",
            "131.25 KES, booked at 1.000000 DAI, at the market 1.000000 DAI",
        ):
            assert words in page
        assert "131.25000000" in text(publisher.get(path("changelist")))

    def test_it_is_published_after_being_asked_once_more(
        self, publisher: Client, today: Village
    ) -> None:
        today.household()
        made = proposed(today)
        asked = publisher.get(path("publish", made))
        assert "Publish 131.25000000 KES per DAI from" in text(asked)
        assert SiteRate.objects.count() == 1
        assert publisher.post(path("publish", made)).status_code == 302
        rate = SiteRate.objects.get(local_per_dai=Decimal("131.25"))
        assert rate.published_by is not None
        assert rate.published_by.username.startswith("clerk")
        assert Notice.objects.filter(kind="rate_published").count() == 1
        again = publisher.post(path("publish", made))
        assert "the proposal is published already" in text(again)
        assert SiteRate.objects.count() == 2

    def test_what_speaks_against_it_is_said(self, publisher: Client, today: Village) -> None:
        made = proposed(today)
        market(first="131", second="150", minutes=1)
        answer = publisher.post(path("publish", made))
        assert answer.status_code == 200
        assert "they contradict each other" in text(answer)
        RateProposal.objects.update(starts_at=later(days=3))
        market(minutes=0)
        assert "7 days of notice" in text(publisher.post(path("publish", made)))
        assert SiteRate.objects.count() == 1

    def test_it_is_rejected(self, publisher: Client, today: Village) -> None:
        made = proposed(today)
        assert "Reject the proposal" in text(publisher.get(path("reject", made)))
        assert publisher.post(path("reject", made)).status_code == 302
        made.refresh_from_db()
        assert made.state == "rejected"
        assert "rejected already" in text(publisher.post(path("reject", made)))

    def test_a_rate_is_proposed_on_demand(self, publisher: Client, today: Village) -> None:
        form = {"site": today.site.pk}
        assert "none is fresh" in text(publisher.post(path("propose"), form))
        market()
        assert "Kisima" in text(publisher.get(path("propose")))
        assert publisher.post(path("propose"), form).status_code == 302
        assert RateProposal.objects.get().local_per_dai == Decimal("131.25")

    def test_deciding_needs_the_right_and_the_operator(self, today: Village, now: datetime) -> None:
        made = proposed(today)
        other = sites.open_operator(slug="other", name="Other Power", at=now)
        for action in ("publish", "reject"):
            assert clerk(today.operator).post(path(action, made)).status_code == 403
            stranger = clerk(other, "change_rateproposal")
            assert stranger.post(path(action, made)).status_code == 404
            assert Client().post(path(action, made)).status_code == 302
        assert clerk(today.operator).get(path("propose")).status_code == 403
        stranger = clerk(other, "change_rateproposal")
        stranger.post(path("propose"), {"site": today.site.pk})
        assert RateProposal.objects.get().state == "proposed"
        assert SiteRate.objects.count() == 1

    def test_the_first_page_counts_it(self, publisher: Client, today: Village) -> None:
        proposed(today)
        page = text(publisher.get(reverse("admin:index")))
        assert "rates to publish" in page


class TestByHand:
    """A rate typed by a person."""

    def form(self, village: Village, starts_at: datetime) -> dict[str, Any]:
        return {
            "site": village.site.pk,
            "local_per_dai": "140",
            "starts_at_0": f"{starts_at:%Y-%m-%d}",
            "starts_at_1": f"{starts_at:%H:%M:%S}",
        }

    def test_households_get_notice_of_one_that_is_to_come(self, today: Village) -> None:
        today.household()
        writer = clerk(today.operator, "add_siterate")
        answer = writer.post(
            reverse("admin:accounts_siterate_add"), self.form(today, later(days=9))
        )
        assert answer.status_code == 302
        rate = SiteRate.objects.get(local_per_dai=140)
        assert rate.published_by is not None
        assert Notice.objects.get(kind="rate_published").phone == "+254711000001"

    def test_one_that_is_too_early_is_a_form_error(self, today: Village) -> None:
        writer = clerk(today.operator, "add_siterate")
        path = reverse("admin:accounts_siterate_add")
        answer = writer.post(path, self.form(today, today.founded_at - timedelta(days=1)))
        assert answer.status_code == 200
        assert "publish from a later instant on" in text(answer)

    def test_losing_a_race_is_told_too(
        self, today: Village, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another rate is published between the form's check and the publication."""
        writer = clerk(today.operator, "add_siterate")
        starts_at = later(days=3)
        real = site_rates.publish

        def beaten(**fields: Any) -> SiteRate:
            at = timezone.now()
            real(site=today.site, local_per_dai=Decimal(9), starts_at=later(days=5), at=at)
            return real(**fields)

        monkeypatch.setattr(site_rates, "publish", beaten)
        answer = writer.post(reverse("admin:accounts_siterate_add"), self.form(today, starts_at))
        assert answer.status_code == 302
        assert "publish from a later instant on" in said(answer)
        assert not SiteRate.objects.filter(local_per_dai=140).exists()

    def test_the_rule_is_the_domains(self, today: Village) -> None:
        with pytest.raises(RateTooEarly, match="must begin after"):
            site_rates.check_start(site=today.site, starts_at=today.founded_at)
