"""The open round at a household's site, for the screens: one statement."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from django.db import connection

from gateway.texts.numbers import nearest
from gateway.ussd.facts import ProjectFacts, VoteFacts, local_minor

OPEN_ROUND = """
SELECT r.number, s.currency, rate.local_per_dai,
    coalesce((SELECT b.receipt_code FROM tokens_ballot b
              WHERE b.round_id = r.id AND b.household_id = h.id), ''),
    p.number, p.title, p.title_fr, p.cost_wei
FROM accounts_household h
JOIN accounts_householdsite hs ON hs.household_id = h.id AND hs.validity @> %(at)s
JOIN accounts_site s ON s.id = hs.site_id
JOIN tokens_round r ON r.site_id = s.id AND r.state = 'open' AND r.closes_at > %(at)s
JOIN tokens_proposal p ON p.round_id = r.id AND p.state = 'admitted'
LEFT JOIN LATERAL (
    SELECT r.local_per_dai FROM accounts_siterate r
    WHERE r.site_id = s.id AND lower(r.validity) <= %(at)s
    ORDER BY lower(r.validity) DESC LIMIT 1) rate ON true
WHERE h.code = %(code)s
ORDER BY p.number
"""
"""A site has one open round at a time."""


def load(*, code: str, at: datetime) -> VoteFacts | None:
    """Return what a household can vote on now, or None."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN_ROUND, {"code": code, "at": at})
        rows = cursor.fetchall()
    if not rows:
        return None
    number, currency, rate, receipt_code = rows[0][:4]

    def cost_minor(cost_wei: int) -> int | None:
        if rate is None:
            return None
        return nearest(local_minor(int(cost_wei), Fraction(rate), currency))

    return VoteFacts(
        round_number=number,
        currency=currency,
        receipt_code=receipt_code,
        projects=[
            ProjectFacts(
                number=project, title=title, title_fr=title_fr, cost_minor=cost_minor(cost)
            )
            for *_, project, title, title_fr, cost in rows
        ],
    )
