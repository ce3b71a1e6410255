"""Voting as a donor (logged in, or by a signed message) and proposing. Private, never cached."""

from __future__ import annotations

import json
import secrets
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views import View

from accounts.models import Donor, Household, Site
from dashboard import queries as sites
from gateway.voting import rows
from gateway.voting.forms import BallotForm, ProposalForm
from gateway.voting.wording import refusal
from gateway.wallet.limits import is_too_often
from gateway.wallet.signing import shown
from gateway.wallet.who import donors_of_session
from tokens.models import Ballot, Round
from tokens.voting import ballots, proposals, queries, signed
from tokens.voting.refusals import AlreadyVoted, Refused

TRIES_A_MINUTE = 20
PROPOSALS_A_MINUTE = 5


class VotePage(View):
    """`/vote/<uid>/`: the projects of an open round, for a donor who is logged in."""

    def get(self, request: HttpRequest, uid: UUID) -> HttpResponse:
        round_ = _round(uid)
        return _page(request, round_, form=BallotForm(round_=round_, initial=_nonce()))

    def post(self, request: HttpRequest, uid: UUID) -> HttpResponse:
        round_ = _round(uid)
        form = BallotForm(request.POST, round_=round_)
        voter = queries.voter_among(round_=round_, donors=donors_of_session(request))
        if voter is None:
            return _page(request, round_, form=form, code="not_of_site")
        if not form.is_valid():
            return _page(request, round_, form=form, code="no_project")
        try:
            ballots.cast(
                round_=round_,
                donor=voter,
                numbers=form.numbers,
                channel=Ballot.Channel.WEB,
                key=f"web:{voter.uid}:{form.cleaned_data['nonce']}",
                at=timezone.now(),
            )
        except AlreadyVoted:
            # The page shows the first one's receipt, and says so.
            return redirect(f"{request.path}?again=1")
        except Refused as error:
            return _page(request, round_, form=form, code=error.code)
        return redirect(request.path)


class SignPage(View):
    """`/vote/<uid>/sign/`: what a wallet is to sign (EIP-712), and the signature that came back."""

    def get(self, request: HttpRequest, uid: UUID) -> HttpResponse:
        return redirect("voting:vote", uid=uid)

    def post(self, request: HttpRequest, uid: UUID) -> HttpResponse:
        round_ = _round(uid)
        form = BallotForm(request.POST, round_=round_)
        if is_too_often(request, what="vote", times_a_minute=TRIES_A_MINUTE):
            return _page(request, round_, form=form, code="too_often", status=429)
        if "signature" in request.POST:
            return self._take(request, round_)
        if not form.is_valid():
            return _page(request, round_, form=form, code="no_project")
        return self._ask(request, round_, form)

    def _ask(self, request: HttpRequest, round_: Round, form: BallotForm) -> HttpResponse:
        try:
            asked = signed.ask(
                round_=round_,
                numbers=form.numbers,
                uri=settings.PUBLIC_URL + request.path,
                at=timezone.now(),
            )
        except Refused as error:
            return _page(request, round_, form=form, code=error.code)
        words = {
            "round": round_,
            "title": rows.title_of(round_),
            "asked": asked,
            "projects": [
                project
                for project in rows.projects(round_=round_, result=None)
                if project.number in asked.numbers
            ],
            "typed_data": json.dumps(asked.typed_data, indent=2, ensure_ascii=False),
        }
        return shown(request, "voting/sign.html", words)

    def _take(self, request: HttpRequest, round_: Round) -> HttpResponse:
        try:
            ballot = signed.cast(
                round_=round_,
                nonce=request.POST.get("nonce", ""),
                signature=request.POST["signature"],
                at=timezone.now(),
            ).ballot
        except AlreadyVoted as error:
            return self._receipt(request, round_, error.receipt_code, is_again=True)
        except Refused as error:
            form = BallotForm(round_=round_, initial=_nonce())
            return _page(request, round_, form=form, code=error.code)
        return self._receipt(request, round_, ballot.receipt_code, is_again=False)

    def _receipt(
        self, request: HttpRequest, round_: Round, receipt_code: str, *, is_again: bool
    ) -> HttpResponse:
        words = {
            "round": round_,
            "title": rows.title_of(round_),
            "receipt_code": receipt_code,
            "is_again": is_again,
        }
        return shown(request, "voting/receipt.html", words)


class ProposePage(View):
    """`/sites/<slug>/propose/`: a household by its code, or a donor who is logged in."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        site = _site(slug)
        return self._page(request, site, form=self._form(request, site, initial=_nonce()))

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        site, at = _site(slug), timezone.now()
        form = self._form(request, site, data=request.POST)
        drafts = queries.drafts_of(site=site, at=at)
        if is_too_often(request, what="propose", times_a_minute=PROPOSALS_A_MINUTE):
            return self._page(request, site, form=form, code="too_often", status=429)
        if not drafts:
            return self._page(request, site, form=form, code="not_now")
        if not form.is_valid():
            return self._page(request, site, form=form, status=422)
        told = form.cleaned_data
        try:
            proposals.propose(
                round_=drafts[0],
                title=told["title"],
                text=told["text"],
                cost_wei=told["cost"],
                at=at,
                **self._proposer(request, drafts[0], household=told.get("code")),
            )
        except Refused as error:
            return self._page(request, site, form=form, code=error.code)
        return redirect(f"{request.path}?proposed=1")

    def _form(self, request: HttpRequest, site: Site, **given: Any) -> ProposalForm:
        is_donor = self._donor(request, site) is not None
        return ProposalForm(site=site, at=timezone.now(), is_donor=is_donor, **given)

    def _donor(self, request: HttpRequest, site: Site) -> Donor | None:
        drafts = queries.drafts_of(site=site, at=timezone.now())
        if not drafts:
            return None
        return queries.voter_among(round_=drafts[0], donors=donors_of_session(request))

    def _proposer(
        self, request: HttpRequest, round_: Round, *, household: Household | None
    ) -> dict[str, Any]:
        if household is not None:
            return {"household": household}
        return {"donor": queries.voter_among(round_=round_, donors=donors_of_session(request))}

    def _page(
        self,
        request: HttpRequest,
        site: Site,
        *,
        form: ProposalForm,
        code: str = "",
        status: int = 200,
    ) -> HttpResponse:
        words = {
            "site": site,
            "form": form,
            "drafts": queries.drafts_of(site=site, at=timezone.now()),
            "refusal": refusal(code) if code else "",
            "is_proposed": "proposed" in request.GET,
        }
        status = 422 if code and status == 200 else status
        return shown(request, "voting/propose.html", words, status=status)


def _page(
    request: HttpRequest, round_: Round, *, form: BallotForm, code: str = "", status: int = 422
) -> HttpResponse:
    donors = donors_of_session(request)
    voter = queries.voter_among(round_=round_, donors=donors)
    mine = None if voter is None else queries.ballot_of(round_=round_, donor=voter)
    chosen = [] if mine is None else [c.proposal.number for c in mine.choices.all()]
    words = {
        "round": round_,
        "title": rows.title_of(round_),
        "site": round_.site,
        "rate": sites.rates_in_force(sites=[round_.site], at=timezone.now()).get(round_.site_id),
        "form": form,
        "chosen": set(request.POST.getlist("options")),
        "projects": [
            project
            for project in rows.projects(round_=round_, result=None)
            if project.state != "refused"
        ],
        "is_open": ballots.is_open(round_=round_, at=timezone.now()),
        "is_known": bool(donors),
        "is_voter": voter is not None,
        "ballot": mine,
        "ballot_options": ", ".join(str(number) for number in sorted(n or 0 for n in chosen)),
        "is_again": "again" in request.GET,
        "refusal": refusal(code) if code else "",
    }
    return shown(request, "voting/vote.html", words, status=status if code else 200)


def _nonce() -> dict[str, str]:
    return {"nonce": secrets.token_urlsafe(24)}


def _round(uid: UUID) -> Round:
    round_ = (
        Round.objects.filter(uid=uid, site__closed_at__isnull=True)
        .exclude(state=Round.State.DRAFT)
        .select_related("site__book")
        .first()
    )
    if round_ is None:
        raise Http404(uid)
    return round_


def _site(slug: str) -> Site:
    site = sites.open_site(slug=slug)
    if site is None:
        raise Http404(slug)
    return site
