"""Pages that lead to a card payment. The provider is called by a worker, never in a request: the
page in between waits for it, and later tells what became of the payment."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.db import transaction
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import get_language
from django.views import View
from kombu.exceptions import OperationalError

from accounts import attempts, campaigns, giving_plans, pledges, rails
from accounts.models import PaymentAttempt, Site
from gateway.checkout import campaign_page
from gateway.checkout.forms import DonationForm, TopUpForm
from gateway.deposits import offers
from gateway.providers.tasks import submit_attempt

log = structlog.get_logger(__name__)

State = PaymentAttempt.State

WAITING = {State.CREATED, State.SUBMITTING, State.UNKNOWN}
GONE = {State.FAILED, State.EXPIRED}


class DonatePage(View):
    """`/donate/<slug>/`: the campaign, how much to give, and on to the card page."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        site, at = _site(slug), timezone.now()
        asked = campaigns.open_campaign(site=site, at=at)
        initial = {**_nonce(), "campaign": "" if asked is None else str(asked.uid)}
        form = DonationForm(site=site, initial=initial)
        return self._page(request, site=site, form=form, at=at)

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        site, at = _site(slug), timezone.now()
        form = DonationForm(request.POST, site=site)
        known = _pledged(request.POST.get("nonce", ""))
        if known is not None:
            return _go_on(known)
        if not _is_taken(site, meant=request.POST.get("campaign", ""), at=at):
            return _refused(request, site=site, at=at)
        if not form.is_valid():
            return self._page(request, site=site, form=form, at=at)
        told = form.cleaned_data
        request_gift = giving_plans.start if told["is_monthly"] else pledges.request
        attempt = request_gift(
            site=site,
            rail=told["rail"],
            amount_minor=told["amount_minor"],
            idempotency_key=f"donate:{told['nonce']}",
            name=told["name"],
            email=told["email"],
            language=get_language() or "en",
            public_name=told["public_name"],
            at=at,
        )
        return _go_on(attempt)

    def _page(self, request: HttpRequest, *, site: Site, form: Form, at: datetime) -> HttpResponse:
        campaign = campaigns.shown(site=site)
        takes_gifts = campaign is None or campaigns.takes_gifts(campaign=campaign, at=at)
        words = {
            "at": at,
            "site": site,
            "form": form,
            "shown": None if campaign is None else campaign_page.shown(campaign=campaign, at=at),
            "takes_gifts": takes_gifts,
            "takes_cards": rails.for_donations(site=site).exists(),
            "takes_crypto": offers.is_taken(site=site),
            "others": [] if takes_gifts else campaign_page.others_open(besides=site, at=at),
        }
        with timezone.override(ZoneInfo(site.time_zone)):
            return _shown(request, "checkout/donate.html", words, status=_status(form))


class TopUpPage(View):
    """`/top-up/`: for whom, how much, and on to the card page. `?code=&amount=` fills them in."""

    def get(self, request: HttpRequest) -> HttpResponse:
        told = {name: request.GET.get(name, "")[:20] for name in ("code", "amount")}
        initial = {**_nonce(), **told}
        form = TopUpForm(at=timezone.now(), initial=initial)
        return _top_up_page(request, form=form)

    def post(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        form = TopUpForm(request.POST, at=now)
        if not form.is_valid():
            return _top_up_page(request, form=form)
        told = form.cleaned_data
        attempt = attempts.request(
            household=told["code"],
            site=told["site"],
            rail=told["rail"],
            phone="",
            amount_minor=told["amount_minor"],
            idempotency_key=f"card:{told['nonce']}",
            at=now,
        )
        return _go_on(attempt)


class PayPage(View):
    """`/pay/<token>/`: waits for the card page, leads there, and tells what became of it."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        attempt = (
            PaymentAttempt.objects.filter(token=token)
            .select_related("top_up__household", "top_up__site", "pledge__site")
            .select_related("pledge__campaign", "pledge__plan")
            .first()
        )
        if attempt is None or (attempt.top_up is not None and attempt.top_up.phone):
            raise Http404
        has_left, came_back = "left" in request.GET, "back" in request.GET
        # A month of a monthly gift has no page to be paid on.
        is_open = attempt.state == State.PENDING and not has_left and bool(attempt.pay_url)
        of_campaign = _of_campaign(attempt, at=timezone.now())
        words = {
            "attempt": attempt,
            "intent": attempt.intent,
            "is_donation": attempt.pledge is not None,
            "is_monthly": attempt.pledge is not None and attempt.pledge.plan is not None,
            "is_waiting": attempt.state in WAITING,
            "is_open": is_open,
            # Who meant another campaign than there is by now goes on by a click only.
            "leads_on": is_open and not came_back and not of_campaign["is_late"],
            "has_left": has_left and attempt.state == State.PENDING,
            "is_paid": attempt.state == State.SUCCEEDED,
            "is_gone": attempt.state in GONE,
            "came_back": came_back,
            **of_campaign,
        }
        return _shown(request, "checkout/pay.html", words, status=200)


def _top_up_page(request: HttpRequest, *, form: Form) -> HttpResponse:
    words = {"form": form, "takes_crypto": bool(settings.CHAIN_RPC_URL)}
    return _shown(request, "checkout/top_up.html", words, status=_status(form))


def _pledged(nonce: str) -> PaymentAttempt | None:
    """The attempt that the same form started before: whoever sends it again goes on with that."""
    key = f"donate:{nonce}"
    keys = (key, giving_plans.first_key(idempotency_key=key))
    return PaymentAttempt.objects.filter(pledge__idempotency_key__in=keys).last()


def _is_taken(site: Site, *, meant: str, at: datetime) -> bool:
    """Whether a gift is taken now for what its giver read about: a campaign's uid, "" for none."""
    asked = campaigns.open_campaign(site=site, at=at)
    if asked is not None:
        return meant in ("", str(asked.uid))
    return not meant and campaigns.shown(site=site) is None


def _refused(request: HttpRequest, *, site: Site, at: datetime) -> HttpResponse:
    """Say that nothing was paid, why, and where to go on."""
    campaign = campaigns.shown(site=site)
    words = {
        "at": at,
        "site": site,
        "shown": None if campaign is None else campaign_page.shown(campaign=campaign, at=at),
        "others": campaign_page.others_open(besides=site, at=at),
    }
    with timezone.override(ZoneInfo(site.time_zone)):
        return _shown(request, "checkout/not_taken.html", words, status=409)


def _of_campaign(attempt: PaymentAttempt, *, at: datetime) -> dict[str, bool]:
    """What the campaign of a payment means for it: over before it was paid, or given back."""
    pledge = attempt.pledge
    campaign = None if pledge is None else pledge.campaign
    if pledge is None or campaign is None:
        return {"has_missed": False, "is_late": False, "is_given_back": False}
    return {
        "has_missed": campaign.state == campaign.State.FAILED,
        "is_late": not campaigns.takes_gifts(campaign=campaign, at=at),
        "is_given_back": pledge.state == pledge.State.REFUNDED,
    }


def _status(form: Form) -> int:
    return 422 if form.is_bound else 200


def _site(slug: str) -> Site:
    sites = Site.objects.filter(slug=slug, closed_at__isnull=True)
    site = sites.select_related("operator").first()
    if site is None:
        raise Http404(slug)
    return site


def _nonce() -> dict[str, str]:
    return {"nonce": secrets.token_urlsafe(24)}


def _go_on(attempt: PaymentAttempt) -> HttpResponse:
    """Let a worker call the provider; a broker that is away leaves it to the janitor."""

    def submit() -> None:
        try:
            submit_attempt.delay(attempt.pk)
        except OperationalError as error:
            log.warning("broker away, attempt left to the janitor", error=str(error))

    transaction.on_commit(submit)
    return redirect("checkout:pay", token=attempt.token)


def _shown(
    request: HttpRequest, template: str, words: dict[str, Any], *, status: int
) -> HttpResponse:
    response = render(request, template, words, status=status)
    add_never_cache_headers(response)
    # The token in the path stays with us; "no-referrer" would also hide who posts the form, and
    # browsers then send `Origin: null`, which the check against forged requests refuses.
    response["Referrer-Policy"] = "same-origin"
    return response
