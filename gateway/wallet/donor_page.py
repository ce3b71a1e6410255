"""The donor's page: what gifts did, over time and in all, for who is logged in or holds the page of
a payment; and the same as a table to take away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views import View

from accounts.models import Donor, PaymentAttempt
from dashboard import wording
from gateway.wallet import export, grant_words
from gateway.wallet.signing import shown
from gateway.wallet.token_chart import TokenChart, chart
from gateway.wallet.who import donors_of_session
from gateway.wallet.wording import refusal
from tokens import diesel, donor_grants, donor_history, donor_impact, queries, share_cards, wallets
from tokens.donor_history import Point
from tokens.donor_impact import Gift, SiteImpact
from tokens.models import ShareCard, WalletLink

_GRAMS_PER_KILOGRAM = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class GiftRow:
    """One donation; its share as percent."""

    gift: Gift
    share: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteRow:
    """One site's part of the page; share as percent, CO2 in kilograms."""

    impact: SiteImpact
    share: str
    co2: str
    chart: TokenChart
    gifts: Sequence[GiftRow]
    cards: Sequence[ShareCard]


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """Over all sites: energy in milliwatt-hours, CO2 in kilograms as text."""

    milliwatt_hours: int
    co2: str
    sites: int


class DonorPage(View):
    """`/donor/`: what the gifts of who is logged in did; the way in for everybody else."""

    def get(self, request: HttpRequest) -> HttpResponse:
        donors = donors_of_session(request)
        wallet = request.session.get("wallet", "")
        if not donors and not wallet:
            return shown(request, "wallet/donor.html", {})
        at = timezone.now()
        links = WalletLink.objects.filter(
            donor__in=[donor.pk for donor in donors], unlinked_at__isnull=True
        )
        linked = dict(links.values_list("donor_id", "address"))
        words = {
            "is_known": True,
            "wallet": wallet,
            "next_wallet_urls": [
                reverse("wallet:next_wallet", args=[donor.uid])
                for donor in donors
                if linked.get(donor.pk, wallet) == wallet
            ],
            "csv_url": reverse("wallet:csv"),
            "cards_url": reverse("wallet:cards"),
            **_impact_words(request, donors, at=at),
        }
        return shown(request, "wallet/donor.html", words)


class GiftPage(View):
    """`/donor/gift/<token>/`: what the gifts of whoever holds a payment's page did."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        donor = donor_of_payment(token)
        link = wallets.current(donor=donor)
        words = {
            "is_known": True,
            "wallet": "" if link is None else link.address,
            "is_gift": True,
            "token": token,
            "csv_url": reverse("wallet:gift_csv", args=[token]),
            "cards_url": reverse("wallet:gift_cards", args=[token]),
            **_impact_words(request, [donor], at=timezone.now()),
        }
        return shown(request, "wallet/donor.html", words)


class ImpactTable(View):
    """`/donor/impact.csv` and `/donor/gift/<token>/impact.csv`: a row per donation and epoch."""

    def get(self, request: HttpRequest, token: str = "") -> StreamingHttpResponse:
        donors = donors_of(request, token=token)
        if not donors:
            raise Http404
        impacts = donor_impact.impacts(donors=donors)
        rows = donor_history.epochs_of_gifts(impacts=impacts, at=timezone.now())
        response = StreamingHttpResponse(
            export.lines(rows), content_type="text/csv; charset=utf-8; header=present"
        )
        response["Content-Disposition"] = 'attachment; filename="impact.csv"'
        response["X-Robots-Tag"] = "noindex, nofollow"
        add_never_cache_headers(response)
        return response


def donors_of(request: HttpRequest, *, token: str) -> list[Donor]:
    """Return whose page this is: that of a payment, or else of the session. Http404 for a token
    that leads to no gift."""
    return [donor_of_payment(token)] if token else donors_of_session(request)


def donor_of_payment(token: str) -> Donor:
    """Return the donor who paid on a payment's page; Http404 where nobody did."""
    attempt = (
        PaymentAttempt.objects.filter(
            token=token, pledge__isnull=False, state=PaymentAttempt.State.SUCCEEDED
        )
        .select_related("pledge__donor")
        .first()
    )
    if attempt is None or attempt.pledge is None:
        raise Http404
    return attempt.pledge.donor


def _impact_words(request: HttpRequest, donors: Sequence[Donor], *, at: datetime) -> dict[str, Any]:
    """All that is told of donors' gifts."""
    impacts = donor_impact.impacts(donors=donors)
    points = donor_history.histories(impacts=impacts, at=at)
    cards = list(share_cards.of_donors(donors=donors))
    return {
        "at": at,
        "donors": donors,
        "sites": [_site_row(each, points[each.site.pk], cards) for each in impacts],
        "totals": _totals(impacts),
        "votes": grant_words.rows(donor_grants.votes(donors=donors)),
        "checks": queries.checks(sites=[each.site for each in impacts]),
        "public_url": settings.PUBLIC_URL,
        "grams_per_kwh": diesel.GRAMS_PER_KWH,
        "refusal": refusal(request.GET["refused"]) if "refused" in request.GET else "",
    }


def _site_row(impact: SiteImpact, points: Sequence[Point], cards: Sequence[ShareCard]) -> SiteRow:
    return SiteRow(
        impact=impact,
        share=_percent(impact.share),
        co2=_kilograms(impact.avoided_grams),
        chart=chart(points=points, site=impact.site),
        gifts=[GiftRow(gift=gift, share=_percent(gift.share)) for gift in impact.gifts],
        cards=[card for card in cards if card.site_id == impact.site.pk],
    )


def _totals(impacts: Sequence[SiteImpact]) -> Totals:
    return Totals(
        milliwatt_hours=sum(each.milliwatt_hours for each in impacts),
        co2=_kilograms(sum(each.avoided_grams for each in impacts)),
        sites=len(impacts),
    )


def _percent(share: Fraction) -> str:
    """Two decimals from one percent on, four below."""
    percent = share * 100
    return wording.rounded(percent, decimals=2 if percent >= 1 or not percent else 4)


def _kilograms(grams: int) -> str:
    """Three decimals below one kilogram, one below a hundred."""
    value = Fraction(grams, _GRAMS_PER_KILOGRAM)
    return wording.rounded(value, decimals=3 if value < 1 else 1 if value < 100 else 0)
