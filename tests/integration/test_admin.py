"""The admin: every page answers, staff see what is theirs, nothing can be deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection, connections
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from pytest_django.plugin import DjangoDbBlocker

from accounts import amounts, rate_proposals, site_rates, sites
from accounts.admin.base import MOST_COUNTED, BoundedPaginator, DomainAdmin
from accounts.admin.columns import shown, shown_minor
from accounts.admin.fields import EighteenDecimalsField
from accounts.models import (
    Book,
    Dispute,
    Household,
    HouseholdPhone,
    HouseholdPlace,
    JournalEntry,
    LedgerAccount,
    Milestone,
    Operator,
    PayerClaim,
    Payment,
    Rail,
    RateProposal,
    Refund,
    Site,
    SiteMap,
    SiteRate,
    TopUp,
    User,
)
from gateway.webhooks.models import InboundEvent
from settlement import gaps
from settlement.models import (
    Charge,
    HeadEndCursor,
    Meter,
    MeterAssignment,
    MeterGap,
    Price,
    QuarantinedReading,
    Reading,
    ReadingInbox,
    SettlementBatch,
    SlotTelemetry,
    SplitVersion,
    Tariff,
    WeatherFetch,
    WeatherHour,
)
from tests.campaigning import drafted
from tests.integration.payout_corruptions import pay_out
from tests.worked_village import WorkedVillage, work

pytestmark = pytest.mark.django_db

OURS = ("accounts", "settlement", "gateway_webhooks")
DOMAIN = [model for model in admin.site._registry if model._meta.app_label in OURS]
SPAN = "?starts_at_from_0=2026-01-01"


@pytest.fixture(scope="module")
def lived(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[WorkedVillage]:
    """One committed village with a row of everything; each test's own changes are rolled back."""
    with django_db_blocker.unblock():
        yield _worked(now=datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
        connection.ops.execute_sql_flush([])
        connections["owner"].close()
        connection.close()


def _worked(*, now: datetime) -> WorkedVillage:
    worked = work(at=now)
    pay_out(worked.village, at=now)
    site = worked.village.site
    step = Milestone.objects.create(campaign=drafted(site, at=now), kind="ordered")
    Milestone.objects.filter(pk=step.pk).update(
        photo=b"JPEG", photo_hash="0" * 64, photo_words="The container"
    )
    gaps.find(site=site, day=(now - timedelta(days=1)).date(), at=now)
    HeadEndCursor.objects.create(
        site=site, read_until=now, failures_in_a_row=3, last_failure="no answer"
    )
    SlotTelemetry.objects.create(
        site=site,
        starts_at=now,
        ends_at=now + timedelta(minutes=15),
        state_of_charge_basis_points=5_000,
        production_milliwatt_hours=1_000_000,
        received_at=now,
    )
    for source, rate in (("first", "130"), ("second", "130.5")):
        site_rates.store_quote(
            source=source,
            currency="KES",
            local_per_dai=Decimal(rate),
            quoted_at=now,
            expires_at=now + timedelta(hours=1),
        )
    rate_proposals.propose(site=site, at=now)
    _lie_somewhere(worked, now=now)
    InboundEvent.objects.create(
        route="daraja.stk",
        subject=TopUp.objects.get().attempts.get().token,
        body="{}",
        received_at=now,
    )
    return worked


def _lie_somewhere(worked: WorkedVillage, *, now: datetime) -> None:
    """A household has its place, its site a map and weather."""
    site = worked.village.site
    household = Household.objects.filter(sites__site=site).order_by("pk")[0]
    HouseholdPlace.objects.create(
        household=household, site=site, easting_metres=20, northing_metres=-30
    )
    SiteMap.objects.create(site=site, shapes=[{"kind": "container", "points": [[0, 0]]}])
    WeatherFetch.objects.create(site=site, last_success_at=now)
    WeatherHour.objects.create(
        site=site,
        kind=WeatherHour.Kind.RECENT,
        starts_at=now - timedelta(hours=1),
        temperature_tenths_celsius=251,
        cloud_cover_percent=30,
        irradiance_watts_per_square_metre=640,
        fetched_at=now,
    )


@pytest.fixture
def root(client: Client) -> Client:
    """A superuser of no operator, logged in."""
    client.force_login(User.objects.create_superuser("root", password="a"))
    return client


def _staff(operator: Operator, *rights: str) -> Client:
    """Somebody of an operator, with rights such as accounts.change_payment."""
    number = User.objects.filter(username__startswith="staff").count()
    user = User.objects.create_user(f"staff{number}", is_staff=True)
    user.operator = operator
    user.save()
    for right in rights:
        app, codename = right.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    client = Client()
    client.force_login(user)
    return client


NOT_LIVED = {
    *("ratequote", "alarm", "treasuryconversion", "cryptoconversion", "bankfile", "givingplan"),
}
"""What the worked village has none of; tests of their own open their pages."""


def _path(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def _span(model: type[Model]) -> str:
    """Readings and charges are listed by a span of slots."""
    return SPAN if model in (Reading, Charge) else ""


def _said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model._meta.label)
def test_every_list_and_page_answers(
    root: Client, lived: WorkedVillage, model: type[Model]
) -> None:
    changelist = root.get(_path(model, "changelist"))
    assert changelist.status_code == 200
    row = model._default_manager.order_by("pk").last()
    if model in DOMAIN:
        searched = root.get(_path(model, "changelist"), {"q": "KIS0001"})
        assert searched.status_code == 200
        if not model._meta.label.endswith("SmsOptOut"):
            assert row is not None or model._meta.model_name in NOT_LIVED, model
    if row is not None:
        assert root.get(_path(model, "change", row.pk)).status_code == 200
        assert root.get(_path(model, "history", row.pk)).status_code == 200
    page = admin.site.get_model_admin(model)
    may_add = page.has_add_permission(changelist.wsgi_request)
    assert root.get(_path(model, "add")).status_code == (200 if may_add else 403)


@pytest.mark.parametrize("model", DOMAIN, ids=lambda model: model._meta.label)
def test_nothing_of_the_domain_can_be_deleted(
    root: Client, lived: WorkedVillage, model: type[Model]
) -> None:
    row = model._default_manager.order_by("pk").last()
    if row is not None:
        assert root.post(_path(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        assert model._default_manager.filter(pk=row.pk).exists()
    page = admin.site.get_model_admin(model)
    request = root.get(_path(model, "changelist")).wsgi_request
    assert "delete_selected" not in page.get_actions(request)
    assert all(not inline.can_delete for inline in page.inlines)


@pytest.mark.parametrize(
    "model",
    [
        *(JournalEntry, LedgerAccount, Reading, Charge, SettlementBatch, InboundEvent, Payment),
        *(SiteRate, SplitVersion, Tariff, Price),
    ],
)
def test_what_was_written_can_not_be_changed(
    root: Client, lived: WorkedVillage, model: type[Model]
) -> None:
    row = model._default_manager.order_by("pk").last()
    assert row is not None
    assert root.post(_path(model, "change", row.pk), {"amount": "1"}).status_code == 403


@pytest.mark.parametrize("model", DOMAIN, ids=lambda model: model._meta.label)
def test_staff_of_another_operator_see_none_of_it(
    lived: WorkedVillage, now: datetime, model: type[Model]
) -> None:
    other = sites.open_operator(slug="other", name="Other Power", at=now)
    theirs = _staff(lived.village.operator)
    others = _staff(other)
    row = model._default_manager.order_by("pk").first()
    query = _span(model)
    if row is None or model._meta.model_name == "ratequote":
        return
    if model is User:
        row = User.objects.get(username="staff0")
    mine = theirs.get(_path(model, "changelist") + query)
    assert mine.status_code == 200
    assert mine.context["cl"].result_count >= 1
    seen = others.get(_path(model, "changelist") + query).context["cl"].result_list
    assert [row for row in seen if row != other and getattr(row, "operator", None) != other] == [
        row for row in seen if isinstance(row, LedgerAccount | JournalEntry)
    ]
    assert theirs.get(_path(model, "change", row.pk)).status_code == 200
    assert others.get(_path(model, "change", row.pk)).status_code == 302


def test_staff_look_at_what_is_theirs_and_need_a_right_to_change_it(lived: WorkedVillage) -> None:
    household = lived.households[0]
    looking = _staff(lived.village.operator)
    changing = _staff(lived.village.operator, "accounts.change_household")
    form = {"tier": "business", "has_lifeline": "on", "language": "sw"}
    form |= {
        f"{prefix}-{name}": value
        for prefix in ("name", "phones", "sites", "meter_assignments")
        for name, value in (("TOTAL_FORMS", "0"), ("INITIAL_FORMS", "0"))
    }

    assert looking.post(_path(Household, "change", household.pk), form).status_code == 403
    assert changing.post(_path(Household, "change", household.pk), form).status_code == 302
    household.refresh_from_db()
    assert (household.tier, household.language) == ("business", "sw")
    assert household.history.count() == 2


def test_filters_and_choices_name_no_other_operator(lived: WorkedVillage, now: datetime) -> None:
    other = sites.open_operator(slug="other", name="Other Power", at=now)
    staff = _staff(other, "settlement.add_meter", "accounts.add_household")
    for path in (
        _path(Payment, "changelist"),
        _path(Household, "changelist"),
        _path(Meter, "add"),
        _path(Household, "add"),
        reverse("admin:index"),
    ):
        assert "Kisima" not in staff.get(path).content.decode()


LISTS = [
    *(Household, Payment, TopUp, Meter, LedgerAccount, JournalEntry, QuarantinedReading),
    *(Reading, Charge, Price, SettlementBatch, Site),
]


@pytest.mark.parametrize("model", LISTS)
def test_lists_ask_a_fixed_number_of_queries(
    root: Client,
    lived: WorkedVillage,
    now: datetime,
    django_assert_max_num_queries: Any,
    model: type[Model],
) -> None:
    for number in range(10, 40):
        lived.village.household(f"KIS00{number}", phone=f"+2547110000{number}")
        lived.village.pay(f"KIS00{number}", amount_minor=10_000, at=now)
    with django_assert_max_num_queries(18):
        response = root.get(
            _path(model, "changelist") + (SPAN if model in (Reading, Charge) else "")
        )
    assert response.status_code == 200
    assert len(response.context["cl"].result_list) >= 1


def test_a_household_shows_what_it_holds_and_where_its_history_is(
    root: Client, lived: WorkedVillage
) -> None:
    page = root.get(_path(Household, "change", lived.households[0].pk)).content.decode()
    held = amounts.of_household(household=lived.households[0])
    assert held.funds_wei > 0
    assert f"funds {shown(held.funds_wei)}, " in page
    assert " KES, arrears " in page
    for words in ("Top-ups", "Payments", "Notices", "Charges of 30 days", "Bills"):
        assert words in page
    assert "SM0001" in page
    listed = root.get(_path(Household, "changelist")).content.decode()
    assert "+254711000002" in listed
    assert "DAI" in listed


@pytest.mark.parametrize("q", ["KIS0002", "254711000002"])
def test_households_are_found_by_code_and_phone(root: Client, lived: WorkedVillage, q: str) -> None:
    found = root.get(_path(Household, "changelist"), {"q": q}).context["cl"].result_list
    assert [household.code for household in found] == ["KIS0002"]


def test_a_household_is_opened_with_phone_and_site(root: Client, lived: WorkedVillage) -> None:
    response = root.post(
        _path(Household, "add"),
        {
            "site": lived.village.site.pk,
            "code": "kis0077",
            "name": "Amina",
            "phone": "+254711000077",
            "tier": "leisure",
            "language": "sw",
        },
    )
    assert response.status_code == 302
    household = Household.objects.get(code="KIS0077")
    assert household.name.name == "Amina"
    assert [phone.phone for phone in household.phones.all()] == ["+254711000077"]
    assert household.sites.get().site == lived.village.site
    found = root.get(_path(Household, "changelist"), {"q": "amina"}).context["cl"].result_list
    assert found == [household]


def test_closing_is_what_happens_instead_of_deleting(root: Client, lived: WorkedVillage) -> None:
    household = lived.households[3]
    response = root.post(
        _path(Household, "changelist"),
        {"action": "close_now", "_selected_action": [household.pk]},
    )
    assert response.status_code == 302
    household.refresh_from_db()
    assert household.closed_at is not None
    assert household.history.first().closed_at == household.closed_at


def test_money_in_suspense_is_attached_by_code(root: Client, lived: WorkedVillage) -> None:
    path = reverse("admin:accounts_payment_attach", args=[lived.in_suspense.pk])
    assert root.get(path).status_code == 200

    wrong = root.post(path, {"code": "nobody"})
    assert "There is no household NOBODY" in wrong.content.decode()
    done = root.post(path, {"code": "kis 0002"})

    assert done.status_code == 302
    payment = Payment.objects.get(pk=lived.in_suspense.pk)
    assert (payment.state, payment.household) == ("credited", lived.households[1])
    assert LedgerAccount.objects.get(kind="suspense").amount == 0
    assert "credited already" in _said(root.post(path, {"code": "KIS0001"}))


def test_attaching_needs_the_right_and_the_operator(lived: WorkedVillage, now: datetime) -> None:
    other = sites.open_operator(slug="other", name="Other Power", at=now)
    path = reverse("admin:accounts_payment_attach", args=[lived.in_suspense.pk])
    code = {"code": "KIS0001"}
    assert _staff(lived.village.operator).post(path, code).status_code == 403
    assert _staff(other, "accounts.change_payment").post(path, code).status_code == 404
    assert Client().post(path, code).status_code == 302
    assert Payment.objects.get(pk=lived.in_suspense.pk).state == "suspense"
    allowed = _staff(lived.village.operator, "accounts.change_payment")
    assert allowed.post(path, code).status_code == 302
    assert Payment.objects.get(pk=lived.in_suspense.pk).state == "credited"


def test_quarantined_readings_are_released_or_dismissed(root: Client, lived: WorkedVillage) -> None:
    implausible = QuarantinedReading.objects.filter(reason="implausible_energy")
    first, second = implausible[:2]
    for row, action in ((first, "release"), (second, "dismiss"), (second, "release")):
        response = root.post(
            _path(QuarantinedReading, "changelist"),
            {"action": action, "_selected_action": [row.pk]},
        )
        assert response.status_code == 302
    assert "resolved before" in _said(response)

    assert ReadingInbox.objects.get().is_vouched
    states = [QuarantinedReading.objects.get(pk=row.pk) for row in (first, second)]
    assert [row.resolution for row in states] == ["released", "dismissed"]
    assert states[0].resolved_by is not None
    page = _path(QuarantinedReading, "changelist") + "?resolution__exact="
    assert root.get(page).context["cl"].result_count == implausible.count() + 2 - 2


def test_only_those_with_the_right_resolve_quarantine(lived: WorkedVillage) -> None:
    row = QuarantinedReading.objects.first()
    assert row is not None
    _staff(lived.village.operator).post(
        _path(QuarantinedReading, "changelist"),
        {"action": "dismiss", "_selected_action": [row.pk]},
    )
    row.refresh_from_db()
    assert row.resolution == ""


def test_a_site_is_opened_with_its_book_and_index(root: Client, lived: WorkedVillage) -> None:
    form = {
        "operator": lived.village.operator.pk,
        "name": "Lofé",
        "slug": "lofe",
        "country": "sn",
        "currency": "xof",
        "time_zone": "Africa/Dakar",
        "slot_seconds": "900",
        "head_end": "",
        "head_end_energy": "interval",
        "battery_capacity_milliwatt_hours": "25000000",
        "late_reading_days": "14",
        "rails": [lived.village.rail.pk],
        "arrears_share_basis_points": "3000",
        "lifeline_milliwatt_hours_per_block": "50000",
        "low_funds_wei": "0.3",
        "impact_token_wei_per_kwh": "1",
        "funding_goal_wei": "50000",
    }
    wrong = root.post(_path(Site, "add"), form | {"time_zone": "Dakar", "currency": "abc"})
    assert wrong.status_code == 200
    assert "Write an IANA name" in wrong.content.decode()

    assert root.post(_path(Site, "add"), form).status_code == 302
    site = Site.objects.get(slug="lofe")
    assert (site.country, site.currency) == ("SN", "XOF")
    assert (site.low_funds_wei, site.funding_goal_wei) == (3 * 10**17, 50_000 * 10**18)
    assert Book.objects.filter(site=site).exists()
    assert site.donors_index.donated_wei == 0
    assert list(site.rails.all()) == [lived.village.rail]

    changed = form | {"name": "Lofe", "slug": "other", "currency": "KES", "low_funds_wei": "0,5"}
    assert root.post(_path(Site, "change", site.pk), changed).status_code == 302
    site.refresh_from_db()
    assert (site.name, site.slug, site.currency) == ("Lofe", "lofe", "XOF")
    assert site.low_funds_wei == 5 * 10**17


def test_an_operator_is_opened_with_its_book(root: Client) -> None:
    assert root.post(_path(Operator, "add"), {"slug": "jua", "name": "Jua"}).status_code == 302
    assert Operator.objects.get(slug="jua").book.height == 0


def test_a_rate_is_published_and_ends_the_one_before(
    root: Client, lived: WorkedVillage, now: datetime
) -> None:
    form = {
        "site": lived.village.site.pk,
        "local_per_dai": "131.5",
        "starts_at_0": "2026-04-01",
        "starts_at_1": "00:00",
    }
    early = root.post(_path(SiteRate, "add"), form | {"starts_at_0": "2020-01-01"})
    assert "publish from a later instant on" in early.content.decode()

    assert root.post(_path(SiteRate, "add"), form).status_code == 302
    before, after = SiteRate.objects.order_by("validity")
    assert before.validity.upper == after.validity.lower == datetime(2026, 4, 1, tzinfo=UTC)
    assert after.local_per_dai == Decimal("131.5")


def test_a_split_is_published_when_its_lines_make_a_whole(
    root: Client, lived: WorkedVillage
) -> None:
    form = {
        "site": lived.village.site.pk,
        "valid_from_0": "2026-04-01",
        "valid_from_1": "00:00",
        "lines": "tax 1600\ngrant 3000\noperator 5000",
    }
    wrong = root.post(_path(SplitVersion, "add"), form)
    assert "must sum to 10,000" in wrong.content.decode()
    nonsense = root.post(_path(SplitVersion, "add"), form | {"lines": "all of it"})
    assert "is not a name and basis points" in nonsense.content.decode()
    again = root.post(
        _path(SplitVersion, "add"),
        form | {"lines": "tax 1600\noperator 8400", "valid_from_0": "2020-01-01"},
    )
    assert "begins then or later already" in again.content.decode()

    form["lines"] = "tax 1600\r\ngrant: 3000\r\noperator 5400\r\n"
    assert root.post(_path(SplitVersion, "add"), form).status_code == 302
    version = SplitVersion.objects.get(version=2)
    assert [(line.name, line.share_basis_points) for line in version.lines.all()] == [
        ("tax", 1_600),
        ("grant", 3_000),
        ("operator", 5_400),
    ]


def test_a_tariff_follows_the_last_one_in_whole_ticks(root: Client, lived: WorkedVillage) -> None:
    form = {
        "site": lived.village.site.pk,
        "currency": "KES",
        "reference_wei_per_kwh": "0.2600",
        "floor_wei_per_kwh": "0.1",
        "cap_wei_per_kwh": "0.5",
        "tick_wei_per_kwh": "0.0001",
        "slope_basis_points": "10000",
        "target_charge_basis_points": "5000",
        "forecast_weight_basis_points": "0",
        "dead_band_basis_points": "15000",
        "valid_from_0": "2026-04-01",
        "valid_from_1": "00:00",
    }
    wrong = root.post(_path(Tariff, "add"), form | {"cap_wei_per_kwh": "0.50001"})
    assert "whole number of ticks" in wrong.content.decode()
    assert root.post(_path(Tariff, "add"), form).status_code == 302
    tariff = Tariff.objects.get(revision=2)
    assert tariff.reference_wei_per_kwh == 26 * 10**16


def test_a_meter_is_handed_over_but_never_for_slots_that_were_read(
    root: Client, lived: WorkedVillage, now: datetime
) -> None:
    meter = Meter.objects.get(serial="SM0001")
    path = reverse("admin:settlement_meter_assign", args=[meter.pk])
    assert root.get(path).status_code == 200
    form = {"code": "KIS0002", "starts_at_0": "2026-03-02", "starts_at_1": "07:00"}
    assert "were read already" in root.post(path, form).content.decode()
    assert "no household" in root.post(path, form | {"code": "KIS9"}).content.decode()

    assert root.post(path, form | {"starts_at_1": "09:15"}).status_code == 302
    before, after = MeterAssignment.objects.filter(meter=meter).order_by("validity")
    assert before.validity.upper == after.validity.lower == now + timedelta(minutes=15)
    assert after.household == lived.households[1]


def test_a_feeder_and_a_household_of_elsewhere_are_refused(
    root: Client, lived: WorkedVillage, now: datetime
) -> None:
    elsewhere = sites.open_site(
        at=now,
        operator=lived.village.operator,
        slug="lofe",
        name="Lofé",
        country="SN",
        currency="XOF",
        time_zone="Africa/Dakar",
    )
    sites.open_household(site=elsewhere, code="LOF0001", at=now)
    form = {"code": "LOF0001", "starts_at_0": "2026-03-03", "starts_at_1": "00:00"}
    for serial, code, reason in (
        ("SM0001", "LOF0001", "not at the meter"),
        ("MAINS", "KIS0001", "a feeder measures nobody"),
    ):
        meter = Meter.objects.get(serial=serial)
        path = reverse("admin:settlement_meter_assign", args=[meter.pk])
        assert reason in root.post(path, form | {"code": code}).content.decode()


def test_a_top_up_shows_its_attempts_payment_and_events(root: Client, lived: WorkedVillage) -> None:
    page = root.get(_path(TopUp, "change", TopUp.objects.get().pk)).content.decode()
    for words in ("ws_CO_1", "RCPSTK0001", "daraja.stk", "100.00 KES"):
        assert words in page


def test_an_entry_shows_its_postings_with_units(root: Client, lived: WorkedVillage) -> None:
    entry = JournalEntry.objects.filter(kind="top_up").earliest("id")
    page = root.get(_path(JournalEntry, "change", entry.pk)).content.decode()
    assert "-500.00 KES" in page
    assert "deposited funds KIS0001 DAI" in page
    account = LedgerAccount.objects.get(kind="household_funds", household=lived.households[0])
    touched = root.get(_path(JournalEntry, "changelist"), {"account": account.pk})
    assert 0 < touched.context["cl"].result_count < JournalEntry.objects.count()


def test_the_first_page_counts_what_waits_for_a_person(root: Client, lived: WorkedVillage) -> None:
    items = root.get(reverse("admin:index")).context["needs_a_person"]
    counts = {item["words"]: item["count"] for item in items}
    assert counts == {
        "readings in quarantine": QuarantinedReading.objects.count(),
        "payments in suspense": 1,
        "payments to look at": 0,
        "attempts unknown": 0,
        "head-ends failing": 1,
        "meter days with gaps": MeterGap.objects.count(),
        "alarms": 0,
        "differences to statements": 0,
        "deposits on chain to look at": 0,
        "crypto gifts to send back, as their campaign missed its goal": 0,
        "tokens that strayed to us": 0,
        "payouts to approve": 0,
        "payouts unknown": 0,
        "rates to publish": RateProposal.objects.filter(state="proposed").count(),
        "refunds unknown": Refund.objects.filter(state="unknown").count(),
        "disputes undecided": Dispute.objects.filter(state__in=("inquiry", "open")).count(),
        "claims on payers": PayerClaim.objects.filter(state="open").count(),
    }
    assert counts["disputes undecided"] > 0
    assert counts["claims on payers"] > 0
    for item in items:
        answer = root.get(item["path"])
        assert answer.status_code == 200
        assert answer.context["cl"].result_count == item["count"]


def test_the_first_page_of_another_operator_counts_nothing(
    lived: WorkedVillage, now: datetime
) -> None:
    other = sites.open_operator(slug="other", name="Other Power", at=now)
    items = _staff(other).get(reverse("admin:index")).context["needs_a_person"]
    assert {item["count"] for item in items} == {0}


def test_readings_show_two_days_unless_a_span_is_chosen(root: Client, lived: WorkedVillage) -> None:
    assert root.get(_path(Reading, "changelist")).context["cl"].result_count == 0
    page = root.get(_path(Reading, "changelist") + SPAN)
    assert page.context["cl"].result_count == Reading.objects.count()


def test_staff_can_not_give_themselves_rights(lived: WorkedVillage) -> None:
    staff = _staff(lived.village.operator, "accounts.change_user", "accounts.add_user")
    me = User.objects.get(username="staff0")
    page = _path(User, "change", me.pk)
    assert staff.get(page).status_code == 200
    assert staff.post(page, {"username": "staff0", "is_superuser": "on"}).status_code == 403
    assert staff.get(_path(User, "add")).status_code == 403


def test_a_superuser_of_an_operator_sees_that_operator_only(
    lived: WorkedVillage, now: datetime
) -> None:
    other = sites.open_operator(slug="other", name="Other Power", at=now)
    chief = User.objects.create_superuser("chief", password="a", operator=other)
    client = Client()
    client.force_login(chief)
    assert list(client.get(_path(Household, "changelist")).context["cl"].result_list) == []


def test_a_phone_is_added_beside_its_household(root: Client, lived: WorkedVillage) -> None:
    household = lived.households[0]
    phone = HouseholdPhone.objects.get(household=household)
    form = {"tier": "leisure", "has_lifeline": "on", "language": "en"}
    for prefix in ("name", "sites", "meter_assignments"):
        form |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    form |= {
        "phones-TOTAL_FORMS": "2",
        "phones-INITIAL_FORMS": "1",
        "phones-0-id": str(phone.pk),
        "phones-0-household": str(household.pk),
        "phones-0-phone": phone.phone,
        "phones-0-is_notified": "on",
        "phones-1-household": str(household.pk),
        "phones-1-phone": "+254711000099",
    }
    assert root.post(_path(Household, "change", household.pk), form).status_code == 302
    assert household.phones.get(phone="+254711000099").created_at is not None


def test_rails_keep_what_names_their_accounts(root: Client, lived: WorkedVillage) -> None:
    rail = lived.village.rail
    form = {
        "code": "other",
        "currency": "USD",
        "merchant_account": "600000",
        "min_top_up_minor": "500",
        "max_top_up_minor": "600",
    }
    assert root.post(_path(Rail, "change", rail.pk), form).status_code == 302
    rail.refresh_from_db()
    assert (rail.code, rail.currency, rail.merchant_account) == ("mpesa", "KES", "600000")


def test_the_paginator_stops_counting(lived: WorkedVillage) -> None:
    page = BoundedPaginator(Charge.objects.all(), 50)
    assert page.count == Charge.objects.count()
    assert MOST_COUNTED == 10_000
    assert BoundedPaginator(list(range(7)), 5).num_pages == 2
    for model in DOMAIN:
        shown_by = admin.site.get_model_admin(model)
        assert isinstance(shown_by, DomainAdmin)
        assert shown_by.paginator is BoundedPaginator
        assert shown_by.show_full_result_count is False


@pytest.mark.parametrize(
    ("text", "wei"),
    [
        ("0.25", 25 * 10**16),
        ("3,5", 35 * 10**17),
        ("0.000000000000000001", 1),
        ("-1", -(10**18)),
    ],
)
def test_amounts_are_typed_as_decimals_and_kept_exactly(text: str, wei: int) -> None:
    field = EighteenDecimalsField()
    assert field.clean(text) == wei
    assert field.clean(field.prepare_value(wei)) == wei


def test_amounts_are_shown_with_their_unit() -> None:
    assert shown(1_234_567_899_999_999_999) == "1.234567 DAI"
    assert shown(-1) == "0.000000 DAI"
    assert shown(-(10**18)) == "-1.000000 DAI"
    assert shown(None) == "-"
    assert shown_minor(150, currency="KES") == "1.50 KES"
    assert shown_minor(150, currency="XOF") == "150 XOF"
