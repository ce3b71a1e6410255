"""What the API reads of households: always for a whole page, in a fixed number of queries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import (
    Case,
    DateField,
    DateTimeField,
    Exists,
    F,
    Func,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast

from accounts import amounts
from accounts.amounts import HouseholdAmounts
from accounts.models import (
    Household,
    HouseholdName,
    HouseholdPhone,
    HouseholdSite,
    Payment,
    Rail,
    Site,
    TopUp,
    User,
)
from dashboard import queries as public
from dashboard.queries import PriceNow, Rate
from settlement.models import Charge, HouseholdDay, MeterAssignment

MONTH_DAYS = 30


ORIGINS: dict[str, str] = {Rail.Provider.STRIPE: "card", Rail.Provider.CASH: "cash"}
"""How a top-up came about, by its rail's provider; the rest are prompts, or paybill payments."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Used:
    """Energy of today and of the last 30 local days, today included; until when it is known."""

    today_milliwatt_hours: int = 0
    month_milliwatt_hours: int = 0
    as_of: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HouseholdView:
    """Everything the API says of one household."""

    household: Household
    site: Site
    name: str
    phones: tuple[str, ...]
    amounts: HouseholdAmounts
    used: Used
    price: PriceNow | None
    rate: Rate | None

    @property
    def price_wei_per_kwh(self) -> int | None:
        """What this household pays now: priority never more than the reference price."""
        if self.price is None:
            return None
        if self.household.tier == Household.Tier.PRIORITY:
            return min(self.price.wei_per_kwh, self.price.reference_wei_per_kwh)
        return self.price.wei_per_kwh


@dataclass(frozen=True, kw_only=True, slots=True)
class TopUpView:
    """A wish to pay ("prompt") with what came of it, or a payment nobody asked for ("paybill")."""

    uid: UUID
    origin: str
    amount_minor: int
    currency: str
    phone: str
    rail: str
    state: str
    created_at: datetime
    finished_at: datetime | None
    reference: str | None
    credited_wei: int | None

    @classmethod
    def of_prompt(cls, top_up: TopUp, *, payment: Payment | None) -> TopUpView:
        return cls(
            uid=top_up.uid,
            origin=ORIGINS.get(top_up.rail.provider, "prompt"),
            amount_minor=top_up.amount_minor,
            currency=top_up.currency,
            phone=top_up.phone,
            rail=top_up.rail.code,
            state=top_up.state,
            created_at=top_up.created_at,
            finished_at=top_up.finished_at,
            reference=None if payment is None else payment.reference,
            credited_wei=None if payment is None else payment.credited_wei,
        )

    @classmethod
    def of_paybill(cls, payment: Payment) -> TopUpView:
        return cls(
            uid=payment.uid,
            origin=ORIGINS.get(payment.rail.provider, "paybill"),
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            phone=payment.payer_phone,
            rail=payment.rail.code,
            state=_state_of_unasked(payment),
            created_at=payment.paid_at,
            finished_at=payment.credited_at,
            reference=payment.reference,
            credited_wei=payment.credited_wei,
        )


def _state_of_unasked(payment: Payment) -> str:
    """A payment that nobody asked for has no intent that would tell."""
    state = TopUp.State.SUCCEEDED if payment.left_minor else TopUp.State.REVERSED
    return state.value


def households_for(*, user: User, at: datetime) -> QuerySet[Household]:
    """Return the households that live at a site the user may see, by code."""
    now_at = HouseholdSite.objects.filter(household=OuterRef("pk"), validity__contains=at)
    if user.operator_id is not None:
        now_at = now_at.filter(site__operator=user.operator_id)
    return Household.objects.filter(Exists(now_at)).order_by("code")


def matching(
    households: QuerySet[Household], *, text: str, site: str, at: datetime
) -> QuerySet[Household]:
    """Return those whose code or name holds the text or whose phone its digits; of one site."""
    if site:
        households = households.filter(
            Exists(
                HouseholdSite.objects.filter(
                    household=OuterRef("pk"), validity__contains=at, site__slug=site
                )
            )
        )
    if not text:
        return households
    wanted = Q(code__icontains=text) | Q(
        Exists(HouseholdName.objects.filter(household=OuterRef("pk"), name__icontains=text))
    )
    digits = re.sub(r"[^0-9]", "", text).lstrip("0")
    if len(digits) >= 4 and re.fullmatch(r"[0-9 +()-]+", text):
        wanted |= Q(
            Exists(
                HouseholdPhone.objects.filter(
                    household=OuterRef("pk"), closed_at__isnull=True, phone__contains=digits
                )
            )
        )
    return households.filter(wanted)


def views_of(*, households: Sequence[Household], at: datetime) -> list[HouseholdView]:
    """Return the views of households that each live at a site, in the same order."""
    sites = _sites(households=households, at=at)
    prices = public.prices_in_force(sites=sites.values(), at=at)
    rates = public.rates_in_force(sites=sites.values(), at=at)
    stored = amounts.of_households(households=households)
    used = _used(households=households, at=at)
    phones = _phones(households=households)
    names = dict(
        HouseholdName.objects.filter(household__in=households).values_list("household", "name")
    )
    return [
        HouseholdView(
            household=household,
            site=sites[household.pk],
            name=names.get(household.pk, ""),
            phones=tuple(phones.get(household.pk, ())),
            amounts=stored[household.pk],
            used=used.get(household.pk, Used()),
            price=prices.get(sites[household.pk].pk),
            rate=rates.get(sites[household.pk].pk),
        )
        for household in households
    ]


def charges_of(*, household: Household, since: datetime, until: datetime) -> QuerySet[Charge]:
    """Return the household's charges of slots that start in [since, until), newest first.

    Names sites and meters, so that the partitions' keys (site, start, meter) are used.
    """
    meters = list(
        MeterAssignment.objects.filter(household=household).values_list(
            "meter_id", "meter__site_id"
        )
    )
    return (
        Charge.objects.filter(
            household=household,
            meter_id__in={meter for meter, _ in meters},
            site_id__in={site for _, site in meters},
            starts_at__gte=since,
            starts_at__lt=until,
        )
        .select_related("meter", "site")
        .order_by("-starts_at", "-meter_id")
    )


def top_up_keys(*, household: Household) -> QuerySet[Any, tuple[str, int, datetime]]:
    """Return ("prompt" | "paybill", id, when) of the household's top-ups, newest first.

    A payment that answers a prompt is told with it.
    """
    asked = TopUp.objects.filter(household=household).order_by()
    unasked = Payment.objects.filter(household=household, top_up__isnull=True).order_by()
    keys: QuerySet[Any, tuple[str, int, datetime]] = (
        asked.annotate(origin=Value("prompt"), at=F("created_at"))
        .values_list("origin", "pk", "at")
        .union(
            unasked.annotate(origin=Value("paybill"), at=F("paid_at")).values_list(
                "origin", "pk", "at"
            ),
            all=True,
        )
        .order_by("-at", "-pk")
    )
    return keys


def top_ups_of(*, keys: Iterable[tuple[str, int, datetime]]) -> list[TopUpView]:
    """Return what a page of `top_up_keys` names, in its order."""
    listed = list(keys)
    asked = TopUp.objects.select_related("rail").in_bulk(
        [pk for origin, pk, _ in listed if origin == "prompt"]
    )
    unasked = Payment.objects.select_related("rail").in_bulk(
        [pk for origin, pk, _ in listed if origin == "paybill"]
    )
    answers = {
        payment.top_up_id: payment
        for payment in Payment.objects.filter(top_up__in=list(asked)).order_by("-pk")
    }
    return [
        TopUpView.of_prompt(asked[pk], payment=answers.get(pk))
        if origin == "prompt"
        else TopUpView.of_paybill(unasked[pk])
        for origin, pk, _ in listed
    ]


def top_up(*, household: Household, uid: UUID) -> TopUpView | None:
    """Return one of the household's top-ups by its id, or None."""
    asked = TopUp.objects.filter(household=household, uid=uid).select_related("rail").first()
    if asked is not None:
        return TopUpView.of_prompt(asked, payment=asked.payments.order_by("pk").first())
    unasked = (
        Payment.objects.filter(household=household, uid=uid, top_up__isnull=True)
        .select_related("rail")
        .first()
    )
    return None if unasked is None else TopUpView.of_paybill(unasked)


def phone_of(*, household: Household) -> str | None:
    """Return the phone that is asked and told first, or None."""
    return next(iter(_phones(households=[household]).get(household.pk, ())), None)


def _sites(*, households: Iterable[Household], at: datetime) -> dict[int, Site]:
    return {
        row.household_id: row.site
        for row in HouseholdSite.objects.filter(
            household__in=[household.pk for household in households], validity__contains=at
        ).select_related("site")
    }


def _phones(*, households: Iterable[Household]) -> dict[int, list[str]]:
    """Open phones, those that receive receipts first."""
    phones: dict[int, list[str]] = {}
    for household_id, phone in (
        HouseholdPhone.objects.filter(
            household__in=[household.pk for household in households], closed_at__isnull=True
        )
        .order_by("-is_notified", "pk")
        .values_list("household_id", "phone")
    ):
        phones.setdefault(household_id, []).append(phone)
    return phones


def _used(*, households: Iterable[Household], at: datetime) -> dict[int, Used]:
    """As settlement.usage.of_days, for a page of households: each in its site's time zone."""
    today = Cast(
        Func(
            F("site__time_zone"),
            Value(at, output_field=DateTimeField()),
            function="timezone",
            output_field=DateTimeField(),
        ),
        DateField(),
    )
    # Two days more than a month: a local day may be a day off the UTC one.
    rows = (
        HouseholdDay.objects.filter(
            household__in=[household.pk for household in households],
            day__gte=(at - timedelta(days=MONTH_DAYS + 1)).date(),
        )
        .order_by()
        .annotate(
            age=Func(
                today,
                F("day"),
                template="(%(expressions)s)",
                arg_joiner=" - ",
                output_field=IntegerField(),
            )
        )
        .filter(age__gte=0, age__lt=MONTH_DAYS)
        .values("household_id")
        .annotate(
            today=Sum(Case(When(age=0, then="energy_milliwatt_hours"), default=0)),
            month=Sum("energy_milliwatt_hours"),
            as_of=Max("last_slot_ends_at"),
        )
    )
    return {
        row["household_id"]: Used(
            today_milliwatt_hours=int(row["today"]),
            month_milliwatt_hours=int(row["month"]),
            as_of=row["as_of"],
        )
        for row in rows
    }
