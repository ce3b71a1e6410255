"""Pages of holders: signing in and out, linking wallets, a leaf's proof, claiming what it has."""

from __future__ import annotations

import re
from typing import Any

import structlog
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views import View
from kombu.exceptions import OperationalError

from gateway.wallet.donor_page import donor_of_payment
from gateway.wallet.limits import is_too_often
from gateway.wallet.signing import Goal, SignPage, shown
from gateway.wallet.who import donors_of_session
from gateway.wallet.wording import refusal
from tokens import claims, proofs, queries, wallets
from tokens.claims import NotClaimable
from tokens.models import Leaf, SignIn
from tokens.tasks import claim_tokens

log = structlog.get_logger(__name__)

SESSION_SECONDS = 12 * 3600
CLAIMS_A_MINUTE = 10
_KEY = re.compile(r"(?:0x)?[0-9a-fA-F]{64}")


class EnterPage(SignPage):
    """`/donor/enter/`: signing in with a wallet that was linked before."""

    def goal(self, request: HttpRequest, **names: Any) -> Goal:
        return Goal(
            purpose=wallets.ENTER,
            heading=_("Sign in with your wallet"),
            lead=_("For donors who linked a wallet: it shows what your donations have earned."),
            statement="Sign in to see my donations.",
            done_url=reverse("wallet:donor"),
        )

    def accepted(self, request: HttpRequest, sign_in: SignIn) -> None:
        request.session.cycle_key()
        request.session["wallet"] = sign_in.address
        request.session.pop("sign_in", None)
        request.session.set_expiry(SESSION_SECONDS)


class LeavePage(View):
    """`/donor/leave/`: signing out."""

    def post(self, request: HttpRequest) -> HttpResponse:
        for name in ("wallet", "donor", "donors"):
            request.session.pop(name, None)
        request.session.cycle_key()
        return redirect("wallet:donor")


class FirstWalletPage(SignPage):
    """`/donor/gift/<token>/wallet/`: a donor's first wallet."""

    def goal(self, request: HttpRequest, **names: Any) -> Goal:
        donor = donor_of_payment(names["token"])
        return _donor_goal(
            purpose=wallets.first_of(donor=donor),
            done_url=reverse("wallet:gift", args=[names["token"]]),
        )


class NextWalletPage(SignPage):
    """`/donor/wallet/<uid>/`: a donor's wallet, for who signed in. Another one in its place only
    for who signed in with the present one: whoever reads somebody's mail gets no tokens."""

    def goal(self, request: HttpRequest, **names: Any) -> Goal:
        donor = next((d for d in donors_of_session(request) if d.uid == names["uid"]), None)
        if donor is None:
            raise Http404
        wallet = request.session.get("wallet", "")
        link = wallets.current(donor=donor)
        may_replace = link is not None and link.address == wallet
        purpose = wallets.next_of if may_replace else wallets.first_of
        return _donor_goal(purpose=purpose(donor=donor), done_url=reverse("wallet:donor"))


class ProofPage(View):
    """`/proof/<key>/`: what one leaf has, and the way from it to the root on chain."""

    def get(self, request: HttpRequest, key: str) -> HttpResponse:
        leaf = _leaf(request, key)
        standing = queries.standing(leaf=leaf)
        household, donation = leaf.household, leaf.donation
        words = {
            "leaf": leaf,
            "standing": standing,
            "proof": proofs.of_leaf(leaf=leaf),
            "addresses": queries.addresses(site=leaf.site),
            "public_url": settings.PUBLIC_URL,
            "code": _code(request),
            "household": household,
            "link": wallets.current(
                household=household, donor=None if donation is None else donation.donor
            ),
            "coming": None if household is None else wallets.coming(household=household),
            "is_asked": "asked" in request.GET and standing.claimable_wei > 0,
            "refusal": refusal(request.GET["refused"]) if "refused" in request.GET else "",
        }
        return shown(request, "wallet/proof.html", words)


class ClaimPage(View):
    """`/proof/<key>/claim/`: pays what is due to the leaf's wallet; we pay for the transfer."""

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        leaf = _leaf(request, key)
        code = ""
        if is_too_often(request, what="claim", times_a_minute=CLAIMS_A_MINUTE):
            code = "too_often"
        else:
            try:
                claims.check(leaf=leaf)
                claim_tokens.delay(leaf.pk)
            except NotClaimable as error:
                code = error.code
            except OperationalError as error:
                log.warning("broker away, claim not taken on", error=str(error))
                code = "away"
        return redirect(f"{_proof_url(request, leaf)}&{f'refused={code}' if code else 'asked=1'}")


class HouseholdWalletPage(SignPage):
    """`/proof/<key>/wallet/`: a household's wallet."""

    def goal(self, request: HttpRequest, **names: Any) -> Goal:
        leaf = _leaf(request, names["key"])
        if leaf.household is None:
            raise Http404
        days, hours = divmod(settings.WALLET_WAIT_SECONDS, 86_400)
        wait = (
            _("%(days)d days") % {"days": days}
            if days
            else _("%(count)d min") % {"count": max(hours // 60, 1)}
        )
        return Goal(
            purpose=wallets.of(household=leaf.household),
            heading=_("Link a wallet with %(code)s") % {"code": leaf.household.code},
            lead=_(
                "Your phones are told at once, and the wallet takes effect in %(wait)s. Until then"
                " you can refuse it by SMS."
            )
            % {"wait": wait},
            statement=f"Link this wallet with the solar account {leaf.household.code}.",
            done_url=_proof_url(request, leaf),
        )


def _donor_goal(*, purpose: str, done_url: str) -> Goal:
    return Goal(
        purpose=purpose,
        heading=_("Link a wallet with your donations"),
        lead=_("Impact tokens of your donations can be claimed to it from the next epoch on."),
        statement="Link this wallet with my donations.",
        done_url=done_url,
    )


def _leaf(request: HttpRequest, key: str) -> Leaf:
    """The leaf of a key; of a household, only with the code it was sent."""
    if not _KEY.fullmatch(key):
        raise Http404
    leaf = queries.leaf_of(key=f"0x{key.lower().removeprefix('0x')}")
    if leaf is None or not wallets.may_read(leaf=leaf, code=_code(request)):
        raise Http404
    return leaf


def _code(request: HttpRequest) -> str:
    return request.GET.get("c", "")


def _proof_url(request: HttpRequest, leaf: Leaf) -> str:
    return f"{reverse('wallet:proof', args=[leaf.key])}?c={_code(request)[:20]}"
