"""Pages of crypto money: whom for, where to, and what came. No node is asked in a request."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import get_language
from django.views import View

from accounts import campaigns
from accounts.models import Site
from dashboard import queries
from gateway.checkout import campaign_page
from gateway.deposits import offers, wanted
from gateway.deposits.forms import CryptoDonationForm, CryptoTopUpForm
from tokens.chain import forwarders
from tokens.chain.forwarders import CryptoRefused
from tokens.models import Forwarder


class CryptoTopUpPage(View):
    """`/top-up/crypto/`: for whom, and on to the address. `?code=&amount=` fills them in."""

    def get(self, request: HttpRequest) -> HttpResponse:
        told = {name: request.GET.get(name, "")[:20] for name in ("code", "amount")}
        form = CryptoTopUpForm(at=timezone.now(), initial=told)
        return _shown(request, "deposits/top_up.html", {"form": form})

    def post(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        form = CryptoTopUpForm(request.POST, at=now)
        if not form.is_valid():
            return _shown(request, "deposits/top_up.html", {"form": form}, status=422)
        told = form.cleaned_data
        try:
            forwarder = forwarders.of_household(household=told["code"], site=told["site"], at=now)
        except CryptoRefused:
            words = {"form": form, "is_refused": True}
            return _shown(request, "deposits/top_up.html", words, status=422)
        return _to_deposit(forwarder, amount=told["amount"])


class CryptoDonatePage(View):
    """`/donate/<slug>/crypto/`: who gives, if they like to say so, and on to the address."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        site = _site(slug)
        form = CryptoDonationForm(initial={"nonce": secrets.token_urlsafe(24)})
        return self._page(request, site=site, form=form, status=200)

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        site = _site(slug)
        form = CryptoDonationForm(request.POST)
        if _has_ended(site, at=timezone.now()):
            return self._page(request, site=site, form=form, status=409)
        if not form.is_valid():
            return self._page(request, site=site, form=form, status=422)
        try:
            forwarder = forwarders.of_donation(
                site=site,
                language=get_language() or "en",
                at=timezone.now(),
                **form.cleaned_data,
            )
        except CryptoRefused:
            return self._page(request, site=site, form=form, status=422)
        return redirect("deposits:deposit", uid=forwarder.uid)

    def _page(
        self, request: HttpRequest, *, site: Site, form: CryptoDonationForm, status: int
    ) -> HttpResponse:
        at = timezone.now()
        campaign = campaigns.open_campaign(site=site, at=at)
        has_ended = _has_ended(site, at=at)
        words = {
            "at": at,
            "site": site,
            "form": form,
            "is_refused": not offers.is_taken(site=site),
            "has_ended": has_ended,
            "shown": None if campaign is None else campaign_page.shown(campaign=campaign, at=at),
            "others": campaign_page.others_open(besides=site, at=at) if has_ended else [],
        }
        with timezone.override(ZoneInfo(site.time_zone)):
            return _shown(request, "deposits/donate.html", words, status=status)


class DepositPage(View):
    """`/deposit/<uid>/`: the address of a household or a donation, and what came to it.

    `?amount=` (local money, of a donation DAI) is what the codes for wallets carry.
    """

    def get(self, request: HttpRequest, uid: Any) -> HttpResponse:
        return self._page(request, forwarder=_forwarder(uid), at=timezone.now())

    def post(self, request: HttpRequest, uid: Any) -> HttpResponse:
        """Somebody wants to pay in native money: a task puts the forwarder on chain for it."""
        forwarder, now = _forwarder(uid), timezone.now()
        try:
            forwarders.check(site=forwarder.site)
        except CryptoRefused:
            return self._page(request, forwarder=forwarder, at=now)
        if not forwarders.want_native(forwarder=forwarder, at=now):
            return self._page(request, forwarder=forwarder, at=now, is_native_refused=True)
        return _to_deposit(forwarder, amount=request.GET.get("amount", "")[:20])

    def _page(
        self,
        request: HttpRequest,
        *,
        forwarder: Forwarder,
        at: datetime,
        is_native_refused: bool = False,
    ) -> HttpResponse:
        rate = queries.rates_in_force(sites=[forwarder.site], at=at).get(forwarder.site_id)
        asked, is_wrong = None, False
        try:
            asked = wanted.read(request.GET.get("amount", ""), forwarder=forwarder, rate=rate)
        except wanted.NoAmount:
            is_wrong = True
        try:
            offered = offers.offers(forwarder=forwarder, wanted=asked, at=at)
        except CryptoRefused:
            offered = []
        came = offers.seen(forwarder=forwarder)
        is_wanted = offers.is_native_wanted(forwarder=forwarder)
        words = {
            "at": at,
            "forwarder": forwarder,
            "site": forwarder.site,
            "chain": offers.chain_name(chain_id=forwarder.chain_id),
            "rate": rate,
            "asked": asked,
            "is_amount_wrong": is_wrong,
            "has_ended": forwarder.donor_id is not None and _has_ended(forwarder.site, at=at),
            "offers": offered,
            "seen": came,
            "is_native_wanted": is_wanted,
            "is_native_refused": is_native_refused,
            "is_open": bool(offered) and (came.is_open or is_wanted),
        }
        with timezone.override(ZoneInfo(forwarder.site.time_zone)):
            return _shown(request, "deposits/deposit.html", words)


def _has_ended(site: Site, *, at: datetime) -> bool:
    """Whether the site's campaign is over, and no other one is open."""
    campaign = campaigns.shown(site=site)
    return campaign is not None and not campaigns.takes_gifts(campaign=campaign, at=at)


def _to_deposit(forwarder: Forwarder, *, amount: str) -> HttpResponse:
    path = reverse("deposits:deposit", args=[forwarder.uid])
    return redirect(f"{path}?{urlencode({'amount': amount})}" if amount else path)


def _site(slug: str) -> Site:
    site = Site.objects.filter(slug=slug, closed_at__isnull=True).select_related("operator").first()
    if site is None:
        raise Http404(slug)
    return site


def _forwarder(uid: Any) -> Forwarder:
    found = (
        Forwarder.objects.filter(uid=uid)
        .select_related("site__operator", "household", "donor")
        .first()
    )
    if found is None:
        raise Http404(uid)
    return found


def _shown(
    request: HttpRequest, template: str, words: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    response = render(request, template, words, status=status)
    add_never_cache_headers(response)
    # The id in the path stays with us; see gateway.checkout.views.
    response["Referrer-Policy"] = "same-origin"
    return response
