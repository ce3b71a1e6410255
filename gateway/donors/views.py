"""Logging in by a link that comes by e-mail, and having enough of news. No page tells whether
anybody has an address: the answer and the work behind it are always the same."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import get_language
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from accounts import addresses, letters, links
from accounts.links import LinkSpent
from accounts.models import Donor
from gateway.donors import news
from gateway.donors.forms import AddressForm
from gateway.wallet.limits import is_too_often
from gateway.wallet.signing import shown

SESSION_SECONDS = 12 * 3600
ASKED_A_MINUTE = 20
TRIED_A_MINUTE = 20
"""Of one computer; behind a proxy that is everybody. A mailbox is kept by links.MOST_A_WINDOW."""


class AskPage(View):
    """`/donor/link/`: whereto the link is to be sent."""

    def get(self, request: HttpRequest) -> HttpResponse:
        words = {"form": AddressForm(), "is_asked": "asked" in request.GET}
        return shown(request, "donors/ask.html", words)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = AddressForm(request.POST)
        if is_too_often(request, what="link", times_a_minute=ASKED_A_MINUTE):
            words = {"form": form, "is_too_often": True}
            return shown(request, "donors/ask.html", words, status=429)
        if not form.is_valid():
            return shown(request, "donors/ask.html", {"form": form}, status=422)
        language = get_language() or ""
        links.ask(
            email=form.cleaned_data["email"],
            language=language if language in letters.LANGUAGES else letters.LANGUAGES[0],
            at=timezone.now(),
        )
        return redirect(f"{request.path}?asked=1")


class LinkPage(View):
    """`/donor/link/<token>/`: a button. Looking uses nothing up: programs look at links too."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        is_good = links.is_good(token=token, at=timezone.now())
        status = 200 if is_good else 410
        return shown(request, "donors/link.html", {"is_good": is_good}, status=status)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        if is_too_often(request, what="use_link", times_a_minute=TRIED_A_MINUTE):
            words = {"is_good": True, "is_too_often": True}
            return shown(request, "donors/link.html", words, status=429)
        try:
            donors = links.use(token=token, at=timezone.now())
        except LinkSpent:
            return shown(request, "donors/link.html", {"is_good": False}, status=410)
        _enter(request, donors)
        return redirect("wallet:donor")


@method_decorator(csrf_exempt, name="dispatch")
class NewsPage(View):
    """`/donor/news/<token>/`: no more news. The token is the right to it: mail programs post here
    without ever having seen the page (RFC 8058)."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return self._page(request, email=_address(token))

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        email = _address(token)
        if "again" in request.POST:
            addresses.opt_in(email=email)
        else:
            addresses.opt_out(email=email, at=timezone.now())
        return self._page(request, email=email)

    def _page(self, request: HttpRequest, *, email: str) -> HttpResponse:
        words = {"is_opted_out": addresses.is_opted_out(email=email)}
        return shown(request, "donors/news.html", words)


def _enter(request: HttpRequest, donors: list[Donor]) -> None:
    """Log in as every donor of an address; the session's key is a new one."""
    request.session.cycle_key()
    request.session["donor"] = str(donors[0].uid)
    request.session["donors"] = [str(donor.uid) for donor in donors]
    request.session.set_expiry(SESSION_SECONDS)


def _address(token: str) -> str:
    donor = news.donor_of(token=token)
    email = "" if donor is None else addresses.of_donor(donor=donor)
    if not email:
        raise Http404
    return email
