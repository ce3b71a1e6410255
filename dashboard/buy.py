"""How to buy power at a site: what an amount buys now, and every way to pay there.

Nothing is looked up by the household's code, so nothing here tells whether it exists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import segno
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString, mark_safe
from django.views import View
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page

import tokens.queries
from accounts import rails
from accounts.models import Rail
from accounts.money import CURRENCY_DECIMALS, WEI_PER_DAI, decimal_string
from accounts.payees import normalise_code
from dashboard import queries, wording
from dashboard.queries import PriceNow, Rate

# What is reflected is what the reader sent; nothing secret stands beside it to be guessed from
# its compressed length.
_OWN = [gzip_page, conditional_page, cache_control(private=True, no_cache=True)]
_CODE = re.compile(r"[A-Z0-9]{1,20}")
_QUANTITY = re.compile(r"[0-9]{1,9}([.,][0-9]{1,3})?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What money buys at the price in force; both as text, amount without grouping for links.

    amount_minor: minor units.
    """

    amount: str
    amount_shown: str
    kwh: str
    amount_minor: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What the reader filled in; is_wrong where it is no number above zero."""

    code: str
    amount: str
    kwh: str
    is_wrong: bool
    estimate: Estimate | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The least and the most that a rail takes at once, as text, and whether what is asked for
    lies outside."""

    least: str
    most: str
    currency: str
    is_exceeded: bool


@method_decorator(_OWN, name="dispatch")
class BuyPage(View):
    """`/sites/<slug>/buy/`: `?code=` of a household, and `amount=` in money or `kwh=`."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        site = queries.open_site(slug=slug)
        if site is None:
            raise Http404(slug)
        now = timezone.now()
        rate = queries.rates_in_force(sites=[site], at=now).get(site.pk)
        price = queries.prices_in_force(sites=[site], at=now).get(site.pk)
        asked = _asked(request, price=price, rate=rate)
        own = reverse("dashboard:buy", args=[site.slug])
        address = settings.PUBLIC_URL + own + _query(code=asked.code)
        phone, card = rails.prompting(site=site), rails.card(site=site)
        words = {
            "at": now,
            "site": site,
            "rate": rate,
            "price": price,
            "asked": asked,
            "phone": None if phone is None else _limits(phone, asked=asked),
            "paybill": _paybill(phone),
            "card": None if card is None else _limits(card, asked=asked),
            "takes_crypto": tokens.queries.takes_crypto(site=site),
            "pay_query": _query(
                code=asked.code, amount=asked.estimate.amount if asked.estimate else ""
            ),
            "ussd_code": settings.USSD_CODE,
            "sms_code": settings.SMS_SHORT_CODE,
            "address": address,
            "qr": _qr(address),
        }
        with timezone.override(ZoneInfo(site.time_zone)):
            answer = render(request, "dashboard/buy.html", words)
        answer["Referrer-Policy"] = "same-origin"
        return answer


def _asked(request: HttpRequest, *, price: PriceNow | None, rate: Rate | None) -> Asked:
    code = normalise_code(request.GET.get("code", "")[:40])
    amount, kwh = (request.GET.get(name, "").strip()[:20] for name in ("amount", "kwh"))
    told = quantity(amount or kwh)
    estimate = None
    if told is not None and price is not None and rate is not None and price.wei_per_kwh:
        estimate = _estimate(told, is_money=bool(amount), price=price, rate=rate)
    return Asked(
        code=code if _CODE.fullmatch(code) else "",
        amount=amount,
        kwh="" if amount else kwh,
        is_wrong=bool(amount or kwh) and told is None,
        estimate=estimate,
    )


def quantity(text: str) -> Fraction | None:
    """Read a number above zero with a point or a comma; None if it is none."""
    if not _QUANTITY.fullmatch(text):
        return None
    return Fraction(text.replace(",", ".")) or None


def _estimate(told: Fraction, *, is_money: bool, price: PriceNow, rate: Rate) -> Estimate:
    """Money buys what it covers, rounded down to the Wh; energy costs the next minor unit up."""
    decimals = CURRENCY_DECIMALS.get(rate.currency, 2)
    per_kwh = Fraction(price.wei_per_kwh, WEI_PER_DAI) * Fraction(rate.local_per_dai)
    minor = (told if is_money else told * per_kwh) * 10**decimals
    amount_minor = -(-minor.numerator // minor.denominator)
    paid = Fraction(amount_minor, 10**decimals)
    watt_hours = paid / per_kwh * 1_000
    return Estimate(
        amount=decimal_string(amount=amount_minor, decimals=decimals),
        amount_minor=amount_minor,
        amount_shown=wording.rounded(paid, decimals=decimals),
        kwh=wording.rounded(
            Fraction(watt_hours.numerator // watt_hours.denominator, 1_000), decimals=3
        ),
    )


def _limits(rail: Rail, *, asked: Asked) -> Limits:
    decimals = CURRENCY_DECIMALS.get(rail.currency, 2)
    least, most = (
        wording.rounded(Fraction(minor, 10**decimals), decimals=decimals)
        for minor in (rail.min_top_up_minor, rail.max_top_up_minor)
    )
    minor = None if asked.estimate is None else asked.estimate.amount_minor
    return Limits(
        least=least,
        most=most,
        currency=rail.currency,
        is_exceeded=minor is not None
        and not rail.min_top_up_minor <= minor <= rail.max_top_up_minor,
    )


def _paybill(rail: Rail | None) -> Rail | None:
    """The rail whose number a payer types together with an account: M-Pesa's paybill."""
    return rail if rail is not None and rail.provider == Rail.Provider.DARAJA else None


def _query(**told: str) -> str:
    given = {name: value for name, value in told.items() if value}
    return f"?{urlencode(given)}" if given else ""


def _qr(address: str) -> SafeString:
    """A dark code on a white ground, whatever the page's colours."""
    code = segno.make(address, error="m", micro=False)
    return mark_safe(  # noqa: S308 - made of our own address and a code of letters and digits
        code.svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True)
    )
