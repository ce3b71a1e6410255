"""Facts for the screens, from the database: one statement for each thing a screen asks.

A hop is answered in milliseconds on the slowest link of the chain, so these are plain SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from accounts import agents, crediting
from accounts.models import Agent
from accounts.money import minor_from_wei
from accounts.rails import PROMPTING
from gateway.providers.registry import is_set_up
from gateway.ussd import vote_facts
from gateway.ussd.facts import (
    AccountFacts,
    AgentFacts,
    HouseholdFacts,
    PaybillFacts,
    PaymentFacts,
    ReceiptFacts,
    SigningState,
    TaxFacts,
    UsageFacts,
    UseFacts,
    VoteFacts,
)

DIALLED = """
SELECT false, h.code, h.language, coalesce(n.name, '')
FROM accounts_householdphone p
JOIN accounts_household h ON h.id = p.household_id AND h.closed_at IS NULL
LEFT JOIN accounts_householdname n ON n.household_id = h.id
WHERE p.phone = %(phone)s AND p.closed_at IS NULL
UNION ALL
SELECT true, a.code, a.language, ''
FROM accounts_agent a WHERE a.phone = %(phone)s AND a.phone <> '' AND a.closed_at IS NULL
ORDER BY 1, 2
"""
"""Whose phone it is: the agent, if any, last."""

ACCOUNT = """
SELECT h.id, s.currency, s.arrears_share_basis_points, s.closed_at IS NOT NULL, rate.local_per_dai,
    coalesce(money.funds, 0), coalesce(money.arrears, 0),
    (SELECT p.wei_per_kwh FROM settlement_price p WHERE p.site_id = s.id AND p.starts_at <= %(at)s
     ORDER BY p.starts_at DESC, p.revision DESC LIMIT 1),
    coalesce(week.charged, 0), week.days, week.last_slot_ends_at,
    rail.provider, rail.merchant_account, rail.min_top_up_minor, rail.max_top_up_minor
FROM accounts_household h
JOIN accounts_householdsite hs ON hs.household_id = h.id AND hs.validity @> %(at)s
JOIN accounts_site s ON s.id = hs.site_id
LEFT JOIN LATERAL (
    SELECT r.local_per_dai FROM accounts_siterate r
    WHERE r.site_id = s.id AND lower(r.validity) <= %(at)s
    ORDER BY lower(r.validity) DESC LIMIT 1) rate ON true
LEFT JOIN LATERAL (
    SELECT r.provider, r.merchant_account, r.min_top_up_minor, r.max_top_up_minor
    FROM accounts_site_rails sr JOIN accounts_rail r ON r.id = sr.rail_id
    WHERE sr.site_id = s.id AND r.closed_at IS NULL AND r.currency = s.currency
        AND r.provider = ANY(%(prompting)s)
    ORDER BY r.id LIMIT 1) rail ON true
CROSS JOIN LATERAL (
    SELECT sum(a.amount) FILTER (WHERE a.kind = 'household_funds') AS funds,
        -sum(a.amount) FILTER (WHERE a.kind IN ('household_arrears', 'household_repayment'))
            AS arrears
    FROM ledger_account a WHERE a.household_id = h.id) money
CROSS JOIN LATERAL (
    SELECT sum(d.charged_wei) AS charged, count(*) AS days,
        max(d.last_slot_ends_at) AS last_slot_ends_at
    FROM settlement_householdday d
    WHERE d.household_id = h.id AND d.day > (%(at)s AT TIME ZONE s.time_zone)::date - 7) week
WHERE h.code = %(code)s
"""

USAGE = """
SELECT s.currency, rate.local_per_dai, today.day,
    d.day, d.energy_milliwatt_hours, d.charged_wei, d.last_slot_ends_at
FROM accounts_household h
JOIN accounts_householdsite hs ON hs.household_id = h.id AND hs.validity @> %(at)s
JOIN accounts_site s ON s.id = hs.site_id
CROSS JOIN LATERAL (SELECT (%(at)s AT TIME ZONE s.time_zone)::date AS day) today
LEFT JOIN LATERAL (
    SELECT r.local_per_dai FROM accounts_siterate r
    WHERE r.site_id = s.id AND lower(r.validity) <= %(at)s
    ORDER BY lower(r.validity) DESC LIMIT 1) rate ON true
LEFT JOIN settlement_householdday d ON d.household_id = h.id AND d.day > today.day - 30
WHERE h.code = %(code)s
"""

LAST_PAYMENTS = """
SELECT p.paid_at, p.amount_minor, NULL::numeric, p.currency, p.reference, s.time_zone,
    NULL::numeric
FROM accounts_payment p
JOIN accounts_household h ON h.id = p.household_id
JOIN accounts_site s ON s.id = p.site_id
WHERE h.code = %(code)s AND p.state = 'credited'
UNION ALL
SELECT d.credited_at, NULL, d.credited_wei, s.currency, left(d.transfer_hash, 10), s.time_zone,
    (SELECT r.local_per_dai FROM accounts_siterate r
     WHERE r.site_id = s.id AND lower(r.validity) <= d.credited_at
     ORDER BY lower(r.validity) DESC LIMIT 1)
FROM tokens_deposit d
JOIN tokens_forwarder f ON f.id = d.forwarder_id
JOIN accounts_household h ON h.id = f.household_id
JOIN accounts_site s ON s.id = f.site_id
WHERE h.code = %(code)s AND d.state IN ('credited', 'swept')
ORDER BY 1 DESC LIMIT %(at_most)s
"""
"""Payments over rails, and deposits on chain at the site's rate of that day."""

PAYBILLS = {"daraja": "M-Pesa"}
"""Providers that payers can pay to without being asked, as payers call them."""


LAST_RECEIPT = """
SELECT r.uid, s.slug, r.number, r.kind = 'credit_note', r.tax_point_at, s.time_zone, r.gross_minor,
    r.currency, r.state, r.device, r.device_number, r.signature, r.verification_url,
    (SELECT json_agg(json_build_array(l.name, l.rate_basis_points, l.amount_minor) ORDER BY l.id)
     FROM accounts_fiscalline l WHERE l.receipt_id = r.id)
FROM accounts_fiscalreceipt r
JOIN accounts_payment p ON p.id = r.payment_id
JOIN accounts_household h ON h.id = p.household_id
JOIN accounts_site s ON s.id = r.site_id
WHERE h.code = %s
ORDER BY r.id DESC LIMIT 1
"""

SIGNING: dict[str, SigningState] = {"signed": "signed", "unsigned": "unsigned"}


class NoAccount(LookupError):
    """The household belongs to no site, or its site has no rate yet."""


class PhoneFacts:
    """Facts of one phone (E.164) at one instant."""

    help_phone: str | None = None

    def __init__(self, *, phone: str, at: datetime) -> None:
        self.phone = phone
        self.at = at

    @cached_property
    def _dialled(self) -> list[tuple[bool, HouseholdFacts]]:
        """(is an agent, who) for everybody who has the phone."""
        with connection.cursor() as cursor:
            cursor.execute(DIALLED, {"phone": self.phone})
            return [
                (is_agent, HouseholdFacts(code=code, language=language, name=name))
                for is_agent, code, language, name in cursor.fetchall()
            ]

    @property
    def households(self) -> Sequence[HouseholdFacts]:
        """Open households of the phone, by code."""
        return [facts for is_agent, facts in self._dialled if not is_agent]

    @property
    def agent_code(self) -> str:
        """The open agent who works from the phone, or ""."""
        return next((facts.code for is_agent, facts in self._dialled if is_agent), "")

    @property
    def language(self) -> str:
        """The first household's language, or the agent's; by the country for an unknown phone."""
        if self._dialled:
            return self._dialled[0][1].language
        return "fr" if self.phone.startswith("+221") else "en"

    def account(self, household_code: str) -> AccountFacts:
        """Money of one household. Raises NoAccount."""
        with connection.cursor() as cursor:
            cursor.execute(
                ACCOUNT, {"code": household_code, "at": self.at, "prompting": list(PROMPTING)}
            )
            row = cursor.fetchone()
        if row is None or row[4] is None:
            raise NoAccount(f"{household_code} belongs to no site with a rate")
        (_, currency, share, is_closed, rate, funds, arrears, price, spent, days, as_of) = row[:11]
        provider, merchant_account, smallest, largest = row[11:]
        return AccountFacts(
            code=household_code,
            currency=currency,
            funds_wei=int(funds),
            arrears_wei=max(int(arrears), 0),
            local_per_dai=Fraction(rate),
            price_wei_per_kwh=None if price is None else int(price),
            daily_spend_wei=int(spent) // days if days else 0,
            as_of=as_of or self.at,
            min_top_up_minor=smallest or 0,
            max_top_up_minor=largest or 0,
            arrears_share_bp=share,
            rail_available=provider is not None and is_set_up(provider=provider),
            paybill=(
                None
                if provider not in PAYBILLS
                else PaybillFacts(
                    service=PAYBILLS[provider],
                    business_number=merchant_account,
                )
            ),
            site_closed=is_closed,
        )

    def usage(self, household_code: str) -> UsageFacts:
        """Energy of one household over today, yesterday, 7 and 30 local days. Raises NoAccount."""
        with connection.cursor() as cursor:
            cursor.execute(USAGE, {"code": household_code, "at": self.at})
            rows = cursor.fetchall()
        if not rows or rows[0][1] is None:
            raise NoAccount(f"{household_code} belongs to no site with a rate")
        currency, rate, today = rows[0][:3]
        days = [
            ((today - day).days, energy, int(charged), seen)
            for _, _, _, day, energy, charged, seen in rows
            if day is not None
        ]

        def used(first: int, last: int) -> UseFacts:
            return UseFacts(
                energy_milliwatt_hours=sum(d[1] for d in days if first <= d[0] <= last),
                cost_wei=sum(d[2] for d in days if first <= d[0] <= last),
            )

        return UsageFacts(
            today=used(0, 0),
            yesterday=used(1, 1),
            days_7=used(0, 6),
            days_30=used(0, 29),
            currency=currency,
            local_per_dai=Fraction(rate),
            as_of=max((d[3] for d in days), default=self.at),
        )

    def last_payments(self, household_code: str, *, at_most: int) -> Sequence[PaymentFacts]:
        """Credited payments and deposits, newest first, at the site's own time."""
        with connection.cursor() as cursor:
            cursor.execute(LAST_PAYMENTS, {"code": household_code, "at_most": at_most})
            return [
                PaymentFacts(
                    at=paid_at.astimezone(ZoneInfo(zone)),
                    amount_minor=(
                        minor_from_wei(
                            amount_wei=int(wei),
                            currency=currency,
                            local_per_dai=Fraction(rate or 1),
                        )
                        if minor is None
                        else minor
                    ),
                    currency=currency,
                    reference=reference,
                )
                for paid_at, minor, wei, currency, reference, zone, rate in cursor.fetchall()
            ]

    def last_receipt(self, household_code: str) -> ReceiptFacts | None:
        """The newest fiscal receipt or credit note, at the site's own time."""
        with connection.cursor() as cursor:
            cursor.execute(LAST_RECEIPT, [household_code])
            row = cursor.fetchone()
        if row is None:
            return None
        uid, slug, number, is_credit_note, at, zone, gross_minor, currency, state = row[:9]
        device, device_number, signature, url, taxes = row[9:]
        return ReceiptFacts(
            number=f"{slug}/{number}",
            is_credit_note=is_credit_note,
            at=at.astimezone(ZoneInfo(zone)),
            gross_minor=gross_minor,
            currency=currency,
            taxes=[TaxFacts(*tax) for tax in taxes or ()],
            signing=SIGNING.get(state, "waiting"),
            url=url or f"{settings.PUBLIC_URL}/receipts/{uid}/",
            device=device,
            device_number=device_number,
            signature=signature,
        )

    def vote(self, household_code: str) -> VoteFacts | None:
        """The open round at the household's site, asked for once a hop."""
        if household_code not in self._votes:
            self._votes[household_code] = vote_facts.load(code=household_code, at=self.at)
        return self._votes[household_code]

    @cached_property
    def _votes(self) -> dict[str, VoteFacts | None]:
        return {}

    @cached_property
    def _agent(self) -> Agent:
        agent = agents.of_phone(phone=self.phone)
        if agent is None:
            raise NoAccount(f"{self.phone} is no agent's phone any more")
        return agent

    def agent(self) -> AgentFacts:
        """What the agent of the phone may take. Raises NoAccount."""
        agent, rail = self._agent, self._agent.rail
        return AgentFacts(
            code=agent.code,
            currency=rail.currency,
            float_minor=self._float_minor,
            min_cash_minor=rail.min_top_up_minor,
            max_cash_minor=rail.max_top_up_minor,
            is_open=rail.closed_at is None and agent.site.closed_at is None,
        )

    @cached_property
    def _float_minor(self) -> int:
        return agents.float_minor(agent=self._agent)

    def float_after(self, amount_minor: int) -> int:
        """The float less what is taken; the rail's fee is the agent's. Raises NoAccount."""
        fee_minor = crediting.fee_minor(rail=self._agent.rail, amount_minor=amount_minor)
        return self._float_minor - amount_minor + fee_minor

    def cash_household(self, typed: str) -> str:
        """The code of the household the agent may take cash for, or "". Raises NoAccount."""
        try:
            return agents.find_household(agent=self._agent, code=typed, at=self.at).code
        except agents.NotBooked:
            return ""
