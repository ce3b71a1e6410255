"""Payees of the demo: who keeps Kisima's plant running; a month of it is accepted, not paid."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from accounts.models import Rail, Site, User
from settlement import service_tokens, uptime
from settlement.models import Payee, ServiceToken

SITE = "kisima"
LOG_IN = "operator"
SECOND_LOG_IN = "approver"
"""Whoever proposes a payout does not approve it: the demo has a second person."""
PAYEES = (
    ("jua-works", Payee.Role.CONTRACTOR, "Jua Works (maintenance)", "+254711000092"),
    ("jua-power", Payee.Role.OPERATOR, "Jua Power (operation)", "+254711000093"),
)
UPTIME_WEI = 5 * 10**17


def appoint(*, sites: Iterable[Site], at: datetime) -> None:
    """Open Kisima's payees, and accept last month's uptime; doing it again changes nothing."""
    for site in sites:
        if site.slug == SITE:
            _appoint(site=site, at=at)


def _appoint(*, site: Site, at: datetime) -> None:
    if not User.objects.filter(username=SECOND_LOG_IN).exists():
        User.objects.create_superuser(
            username=SECOND_LOG_IN,
            password="demo",  # noqa: S106 - the demo's
            operator=site.operator,
        )
    rail = Rail.objects.get(sites=site, provider=Rail.Provider.DARAJA)
    for code, role, name, phone in PAYEES:
        Payee.objects.get_or_create(
            code=code,
            defaults={
                "operator": site.operator,
                "role": role,
                "public_name": name,
                "way": Payee.Way.MOBILE,
                "rail": rail,
                "phone": phone,
                "created_at": at,
            },
        )
    contractor = Payee.objects.get(code=PAYEES[0][0])
    if contractor.service_tokens.exists():
        return
    _, month = uptime.last_months(at=at, count=2)
    service_tokens.earn(
        site=site,
        payee=contractor,
        reason=ServiceToken.Reason.UPTIME,
        subject=service_tokens.uptime_subject(payee=contractor, month=f"{month:%Y-%m}"),
        amount_wei=UPTIME_WEI,
        accepted_by=User.objects.get(username=LOG_IN),
        note="the plant's log of the month, looked through with the village's committee",
        at=at,
    )
