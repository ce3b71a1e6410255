"""`/sites/<slug>/money/`: what households paid in, what was collected, pools and payees."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page

import settlement.queries
from accounts import campaigns
from dashboard import flow, money_figures, queries, wording
from dashboard.flow import Bar, Picture
from dashboard.money_figures import FEWEST_HOUSEHOLDS, REST, Money
from settlement.deposited import Way
from settlement.models import Payee

POLL_SECONDS = 60
PAYOUTS_SHOWN = 20
PAYEES_SHOWN = 50
_PUBLIC = [gzip_page, conditional_page, cache_control(public=True, no_cache=True)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """The picture with the words beside its bars, and what it says without being seen."""

    picture: Picture
    labels: list[tuple[Bar, str]]
    summary: str


@method_decorator(_PUBLIC, name="dispatch")
class MoneyPage(View):
    """`/sites/<slug>/money/`: the flow as a picture and as tables."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        site = queries.open_site(slug=slug)
        if site is None:
            raise Http404(slug)
        now = timezone.now()
        money = money_figures.gather(site=site, at=now)
        paid = settlement.queries.paid(site=site)[:PAYOUTS_SHOWN]
        words = {
            "at": now,
            "site": site,
            "rate": queries.rates_in_force(sites=[site], at=now).get(site.pk),
            "booked_at": money.booked_at,
            "money": money,
            "funding_goal_wei": campaigns.goal_wei(site=site),
            "untold_wei": max(-money.left_wei, 0),
            "ways": [(way_name(each.way), each) for each in money.ways],
            "drawn": _drawn(money) if money.is_drawn else None,
            "paid_out": [
                (role_name(each.role), each) for each in money.flow.paid_out[:PAYEES_SHOWN]
            ],
            "payouts": [(role_name(each.payee.role), each) for each in paid],
            "fewest_households": FEWEST_HOUSEHOLDS,
            "poll_seconds": POLL_SECONDS,
        }
        with timezone.override(ZoneInfo(site.time_zone)):
            return render(request, "dashboard/money.html", words)


def way_name(way: Way) -> str:
    """Return what a way that money comes in is called."""
    return {
        Way.MOBILE: _("Mobile money"),
        Way.CARD: _("Cards"),
        Way.CASH: _("Cash to agents"),
        Way.CRYPTO: _("Crypto money"),
        Way.COMPENSATION: _("Given for changes of the rate"),
    }[way]


def role_name(role: str) -> str:
    """Return what a payee is for the site."""
    return {
        Payee.Role.CONTRACTOR: _("contractor"),
        Payee.Role.OPERATOR: _("operator"),
        Payee.Role.GRANTEE: _("project of a vote"),
    }[Payee.Role(role)]


def _drawn(money: Money) -> Drawn:
    nodes, links = money_figures.diagram(money)
    picture = flow.lay_out(nodes=nodes, links=links)
    labels = [(bar, _label(bar.node.key)) for bar in picture.bars]
    summary = "; ".join(f"{label} {wording.dai(bar.amount_wei)} DAI" for bar, label in labels)
    return Drawn(picture=picture, labels=labels, summary=summary)


def _label(key: str) -> str:
    """Return what a node is called."""
    kind, _colon, rest = key.partition(":")
    if kind == "paid":
        name = rest.partition(":")[2]
        return name if name != REST else _("other payees")
    fixed = {
        money_figures.ACCOUNTS: _("Paid in by households"),
        money_figures.REVENUE: _("Collected for power"),
        money_figures.LEFT: _("Not used yet"),
        money_figures.UNTOLD: _("Paid in, not told yet"),
        money_figures.TAKEN: _("Given back"),
        money_figures.BORNE: _("Borne by the operator"),
        "corrected": _("Borne by the operator"),
        "pool": wording.pool(rest),
        "held": _("in the pool"),
        "reserved": _("reserved for projects"),
        "due": _("on its way"),
        "returned": _("given for corrections"),
    }
    return fixed[kind] if kind in fixed else way_name(Way(kind))
