"""Households: who they are, what they hold, and where their history is."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Any

from django import forms
from django.contrib import admin
from django.core.validators import RegexValidator
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from simple_history.admin import SimpleHistoryAdmin
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts import amounts, site_rates, sites
from accounts.admin.base import Closable, DomainAdmin, DomainInline, OneInline, ReadOnlyInline
from accounts.admin.columns import links, list_of, shown, shown_minor, shown_time, when
from accounts.admin.scope import visible
from accounts.amounts import HouseholdAmounts
from accounts.models import (
    Household,
    HouseholdName,
    HouseholdPhone,
    HouseholdSite,
    LedgerAccount,
    Notice,
    Payment,
    Site,
    SmsOptOut,
    TopUp,
)
from accounts.money import minor_from_wei
from accounts.site_rates import NoSiteRate

E164 = RegexValidator(r"^\+[1-9][0-9]{6,14}$", "Write the number like +254711000001.")


class AtSite(admin.SimpleListFilter):
    """Households that belong to a site now or did before."""

    title = "site"
    parameter_name = "site"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in visible(request, Site).values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not (self.value() or "").isdigit():
            return queryset
        at_site = HouseholdSite.objects.filter(site_id=int(self.value() or 0))
        return queryset.filter(Exists(at_site.filter(household=OuterRef("pk"))))


class HasArrears(admin.SimpleListFilter):
    """Households that owe something."""

    title = "arrears"
    parameter_name = "arrears"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "owes"), ("no", "owes nothing")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        owing = Exists(
            LedgerAccount.objects.filter(
                household=OuterRef("pk"),
                kind=LedgerAccount.Kind.HOUSEHOLD_ARREARS,
                amount__lt=0,
            )
        )
        if self.value() == "yes":
            return queryset.filter(owing)
        return queryset.exclude(owing) if self.value() == "no" else queryset


class HouseholdForm(forms.ModelForm):  # type: ignore[type-arg]
    """A household to open at a site."""

    site = forms.ModelChoiceField(Site.objects.none(), widget=UnfoldAdminSelectWidget)
    name = forms.CharField(max_length=120, required=False, widget=UnfoldAdminTextInputWidget)
    phone = forms.CharField(
        required=False,
        validators=[E164],
        widget=UnfoldAdminTextInputWidget,
        help_text="E.164, e.g. +254711000001",
    )
    request: HttpRequest

    class Meta:
        model = Household
        fields = ("code", "tier", "has_lifeline", "language")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        site = self.fields["site"]
        if isinstance(site, forms.ModelChoiceField):
            site.queryset = visible(self.request, Site).filter(closed_at__isnull=True)

    def clean_code(self) -> str:
        return str(self.cleaned_data["code"]).upper()


class NameInline(OneInline):
    """The household's name."""

    model = HouseholdName
    fields = ("name",)


class PhoneInline(DomainInline):
    """Phones that may act for the household; close one rather than change its number."""

    model = HouseholdPhone
    fields = ("phone", "is_notified", "closed_at")
    show_change_link = False


class WhereInline(ReadOnlyInline):
    """Where it lives and lived."""

    model = HouseholdSite
    verbose_name_plural = "sites"
    show_change_link = False
    fields = ("site", "since", "until")

    @admin.display(description="since (UTC)")
    def since(self, row: HouseholdSite) -> str:
        return shown_time(row.validity.lower)

    @admin.display(description="until (UTC)")
    def until(self, row: HouseholdSite) -> str:
        return shown_time(row.validity.upper)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related("site").order_by("-validity")


class HouseholdChangeList(ChangeList):
    """A page of households with their amounts: one query for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)  # type: ignore[has-type]
        found = amounts.of_households(households=rows)
        at = timezone.now()
        rates: dict[int, Fraction | None] = {}
        for row in rows:
            site = site_now(row, at=at)
            if site is not None and site.pk not in rates:
                rates[site.pk] = rate_at(site, at=at)
            row.shown_amounts = found[row.pk]
            row.shown_site = site
            row.shown_rate = rates[site.pk] if site is not None else None
        self.result_list = rows


@admin.register(Household)
class HouseholdAdmin(Closable, SimpleHistoryAdmin):
    """Consumers with an account code."""

    form = forms.ModelForm
    inlines: tuple[type, ...] = (NameInline, PhoneInline, WhereInline)
    list_display = (
        "code",
        "called",
        "at_site",
        "listed_phones",
        "tier",
        "funds",
        "funds_local",
        "arrears",
        when("closed_at"),
    )
    list_filter = (
        AtSite,
        HasArrears,
        "tier",
        "has_lifeline",
        "language",
        ("closed_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("name",)
    search_fields = ("code__istartswith", "phones__phone__contains", "name__name__icontains")
    search_help_text = "code, phone or name"
    change_fields = (
        "code",
        "tier",
        "has_lifeline",
        "language",
        "holds",
        "pages",
        when("created_at"),
        when("closed_at"),
    )

    def of_operator(self, rows: QuerySet[Any], operator_id: int) -> QuerySet[Any]:
        at_sites = HouseholdSite.objects.filter(
            household=OuterRef("pk"), site__operator=operator_id
        )
        return rows.filter(Exists(at_sites))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("phones", "sites__site")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return HouseholdChangeList

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = HouseholdForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return self.change_fields
        return ("site", "code", "name", "phone", "tier", "has_lifeline", "language")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ()
        editable = {"tier", "has_lifeline", "language"}
        return [field for field in self.change_fields if field not in editable]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        given = form.cleaned_data
        made = sites.open_household(
            site=given["site"],
            code=given["code"],
            at=timezone.now(),
            phones=(given["phone"],) if given["phone"] else (),
            name=given["name"],
            tier=given["tier"],
            has_lifeline=given["has_lifeline"],
            language=given["language"],
        )
        obj.__dict__.update(made.__dict__)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for inline in formset.save(commit=False):
            if isinstance(inline, HouseholdPhone) and inline.created_at is None:
                inline.created_at = timezone.now()
            inline.save()
        formset.save_m2m()

    def related_pages(self, household: Household) -> list[tuple[str, str]]:
        """Return (words, path) of the lists that belong to a household; higher apps add theirs."""
        lists = (
            ("Top-ups", TopUp),
            ("Payments", Payment),
            ("Notices", Notice),
            ("Accounts", LedgerAccount),
        )
        return [
            (words, list_of(model, household__id__exact=household.pk)) for words, model in lists
        ]

    @admin.display(description="Pages")
    def pages(self, household: Household) -> str:
        return links(self.related_pages(household))

    @admin.display(description="Holds")
    def holds(self, household: Household) -> str:
        at = timezone.now()
        held = amounts.of_household(household=household)
        site = site_now(household, at=at)
        parts = [f"funds {shown(held.funds_wei)}"]
        if site is not None:
            parts.append(local_text(held.funds_wei, site=site, rate=rate_at(site, at=at)))
        parts.append(f"arrears {shown(held.arrears_wei)}")
        parts.append(f"impact tokens {shown(held.impact_tokens_wei, asset='IT')}")
        return ", ".join(part for part in parts if part)

    @admin.display(description="name")
    def called(self, household: Household) -> str:
        return household.name.name if hasattr(household, "name") else ""

    @admin.display(description="site")
    def at_site(self, row: Any) -> str:
        return str(row.shown_site or "")

    @admin.display(description="phones")
    def listed_phones(self, household: Household) -> str:
        return ", ".join(row.phone for row in household.phones.all() if row.closed_at is None)

    @admin.display(description="funds")
    def funds(self, row: Any) -> str:
        return shown(held_by(row).funds_wei)

    @admin.display(description="funds, local")
    def funds_local(self, row: Any) -> str:
        if row.shown_site is None:
            return ""
        return local_text(held_by(row).funds_wei, site=row.shown_site, rate=row.shown_rate)

    @admin.display(description="arrears")
    def arrears(self, row: Any) -> str:
        return shown(held_by(row).arrears_wei)


@admin.register(SmsOptOut)
class SmsOptOutAdmin(DomainAdmin):
    """Phones that asked for no more messages. They opt in again by sending START."""

    list_display = ("phone", when("opted_out_at"))
    search_fields = ("phone",)

    def of_operator(self, rows: QuerySet[Any], operator_id: int) -> QuerySet[Any]:
        theirs = HouseholdPhone.objects.filter(
            phone=OuterRef("phone"), household__sites__site__operator=operator_id
        )
        return rows.filter(Exists(theirs))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def held_by(row: Any) -> HouseholdAmounts:
    """What the list found for a row."""
    held = row.shown_amounts
    assert isinstance(held, HouseholdAmounts)  # noqa: S101 - set by HouseholdChangeList
    return held


def site_now(household: Household, *, at: datetime) -> Site | None:
    """Return where a household with its sites loaded belongs at an instant."""
    for row in household.sites.all():
        begun = row.validity.lower is None or row.validity.lower <= at
        if begun and (row.validity.upper is None or at < row.validity.upper):
            return row.site
    return None


def rate_at(site: Site, *, at: datetime) -> Fraction | None:
    """Return the site's rate, or None where it has none yet."""
    try:
        return site_rates.at_site(site=site, at=at)
    except NoSiteRate:
        return None


def local_text(amount_wei: int, *, site: Site, rate: Fraction | None) -> str:
    """Write wei in the site's money."""
    if rate is None:
        return ""
    minor = minor_from_wei(amount_wei=amount_wei, currency=site.currency, local_per_dai=rate)
    return shown_minor(minor, currency=site.currency)
