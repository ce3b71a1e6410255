"""Checks of exchange rates: what payments were credited at, what changes of the rate gave."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit.checks import check, sentences, streamed
from accounts.money import WEI_PER_DAI, minor_per_major

# Every rate with the one before it, the instant it took effect, and the entry that compensated.
_CHANGE = """
    change AS MATERIALIZED (
        SELECT r.id, b.id AS book_id, s.slug, r.site_id, r.currency, r.local_per_dai,
            lag(r.local_per_dai) OVER period AS before,
            row_number() OVER period AS ordinal,
            greatest(lower(r.validity), r.published_at) AS effect_at,
            r.compensated_at, r.compensation_wei, e.id AS entry_id, e.sequence
        FROM accounts_siterate r
        JOIN accounts_site s ON s.id = r.site_id
        JOIN accounts_book b ON b.site_id = s.id
        LEFT JOIN journal_entry e ON e.book_id = b.id AND e.key = 'rate_compensation:' || r.id
        WINDOW period AS (PARTITION BY r.site_id, r.currency ORDER BY lower(r.validity))
    )
"""
_RATES = f"""
    WITH {_CHANGE}
    SELECT c.site_id, c.currency, lower(r.validity), r.published_at, c.local_per_dai, c.effect_at,
        c.compensated_at, c.sequence
    FROM change c JOIN accounts_siterate r ON r.id = c.id
    ORDER BY lower(r.validity)
"""  # noqa: S608 - ours
_CREDITS = """
    SELECT p.provider, p.reference, p.site_id, p.currency, p.amount_minor, p.paid_at, p.credited_at,
        p.credited_wei + coalesce(charged.amount, 0), e.sequence
    FROM accounts_payment p
    JOIN accounts_book b ON b.site_id = p.site_id
    JOIN journal_entry e ON e.book_id = b.id AND e.id = p.entry_id
    LEFT JOIN LATERAL (
        SELECT sum(o.amount) AS amount
        FROM posting o JOIN ledger_account a ON a.id = o.account_id
        WHERE o.book_id = e.book_id AND o.entry_id = e.id
            AND a.kind IN ('fees_charged', 'spread_charged')
    ) charged ON true
    WHERE p.state = 'credited' AND p.household_id IS NOT NULL
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rate:
    begins_at: datetime
    published_at: datetime
    local_per_dai: Fraction
    effect_at: datetime
    compensated_at: datetime | None
    sequence: int | None

    def was_too_late_for(self, credit: _Credit) -> bool | None:
        """Whether its compensation left the credit out; None where no entry tells."""
        if self.effect_at <= credit.at:
            return True
        if self.sequence is not None:
            return self.sequence < credit.sequence
        return None if self.compensated_at is not None else False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Credit:
    paid_at: datetime
    at: datetime
    sequence: int


@check(invariant=4, subject="accounts_payment")
def credits_are_at_the_site_rate(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A credit, with what was charged of it, is what was paid at the site's rate of its instant,
    rounded down to the wei.

    The rate is the last one that had begun, of those published by the time of the credit; before
    any had begun, the first. Changes between payment and credit count where they favour the payer.
    """
    rates: defaultdict[tuple[int, str], list[_Rate]] = defaultdict(list)
    for site_id, currency, *columns in streamed(database, _RATES):
        begins_at, published_at, local_per_dai, effect_at, compensated_at, sequence = columns
        rates[site_id, currency].append(
            _Rate(
                begins_at=begins_at,
                published_at=published_at,
                local_per_dai=Fraction(local_per_dai),
                effect_at=effect_at,
                compensated_at=compensated_at,
                sequence=sequence,
            )
        )
    for row in streamed(database, _CREDITS):
        provider, reference, site_id, currency, amount_minor, paid_at, at, total, sequence = row
        gross = int(total)
        name = f"payment {provider} {reference}"
        credit = _Credit(paid_at=paid_at, at=at, sequence=sequence)
        known = [rate for rate in rates[site_id, currency] if rate.published_at <= at]
        if not known:
            yield f"{name}: its site had no rate in {currency}"
            continue
        minor = Fraction(amount_minor, minor_per_major(currency=currency))
        possible = {int(minor / rate * WEI_PER_DAI // 1) for rate in _credited_at(known, credit)}
        if gross not in possible:
            due = " or ".join(str(each) for each in sorted(possible))
            yield f"{name}: credited and charged {gross} wei, the rate makes {due}"


def _credited_at(known: list[_Rate], credit: _Credit) -> set[Fraction]:
    """The rates a credit may have been made at; more than one only where no entry tells."""
    begun = [rate for rate in known if rate.begins_at <= credit.paid_at]
    first = begun[-1] if begun else known[0]
    rate, before, possible = first.local_per_dai, first.local_per_dai, {first.local_per_dai}
    for change in known[known.index(first) + 1 :]:
        is_late = change.was_too_late_for(credit)
        if is_late is False:
            break
        rate *= min(Fraction(1), change.local_per_dai / before)
        before = change.local_per_dai
        possible = {rate} if is_late else possible | {rate}
    return possible


_CHANGES = f"""
    WITH {_CHANGE}
    SELECT book_id, slug, id, ordinal, before, local_per_dai FROM change
    WHERE compensated_at IS NOT NULL AND before IS NOT NULL
    ORDER BY book_id, ordinal
"""  # noqa: S608 - ours
# What was posted to each household's accounts, by the first change that it counts for.
_MOVED = f"""
    WITH {_CHANGE}, counted AS (
        SELECT e.book_id, e.id, (
            SELECT min(c.ordinal) FROM change c
            WHERE c.book_id = e.book_id AND c.compensated_at IS NOT NULL
                AND (c.sequence IS NULL OR e.sequence < c.sequence)
                AND CASE WHEN e.kind = 'rate_compensation' THEN e.occurred_at <= c.effect_at
                    ELSE e.recorded_at < c.effect_at END
        ) AS ordinal
        FROM journal_entry e
        WHERE e.book_id IN (SELECT book_id FROM change WHERE before IS NOT NULL)
    )
    SELECT e.book_id, e.ordinal, a.household_id, a.kind, sum(p.amount)
    FROM counted e
    JOIN posting p ON p.book_id = e.book_id AND p.entry_id = e.id
    JOIN ledger_account a ON a.id = p.account_id
    WHERE e.ordinal IS NOT NULL AND a.household_id IS NOT NULL AND a.asset = 'DAI'
    GROUP BY 1, 2, 3, 4
    ORDER BY e.book_id, e.ordinal
"""  # noqa: S608 - ours
_GIVEN = f"""
    WITH {_CHANGE}
    SELECT c.book_id, c.ordinal, a.household_id, a.kind, p.amount
    FROM change c
    JOIN posting p ON p.book_id = c.book_id AND p.entry_id = c.entry_id
    JOIN ledger_account a ON a.id = p.account_id
    WHERE a.household_id IS NOT NULL
    ORDER BY c.book_id, c.ordinal
"""  # noqa: S608 - ours


@check(invariant=2, subject="accounts_siterate")
def compensations_are_as_due(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A change of the rate gave each household exactly what its local value lost, once."""
    moved, given = _OfBook(streamed(database, _MOVED)), _OfBook(streamed(database, _GIVEN))
    for book_id, changes in groupby(streamed(database, _CHANGES), key=itemgetter(0)):
        movements = deque(moved.rows(book_id))
        gifts = given.rows(book_id)
        stood: defaultdict[tuple[int, str], int] = defaultdict(int)
        for _, slug, rate_id, ordinal, before, after in changes:
            while movements and movements[0][1] <= ordinal:
                _, _, household_id, kind, amount = movements.popleft()
                stood[household_id, kind] += int(amount)
            got = {(gift[2], gift[3]): int(gift[4]) for gift in gifts if gift[1] == ordinal}
            due = _due(stood, before=before, after=after)
            for owner in sorted(due.keys() | got.keys()):
                if due.get(owner, 0) != got.get(owner, 0):
                    yield (
                        f"site {slug}, rate {rate_id}: household {owner[0]} was given "
                        f"{got.get(owner, 0)} wei as {owner[1]}, {due.get(owner, 0)} were due"
                    )


class _OfBook:
    """A stream of rows ordered by the book in front, taken book by book: one book in memory."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._groups = groupby(rows, key=itemgetter(0))
        self._next = self._advance()

    def rows(self, book_id: int) -> list[tuple[Any, ...]]:
        """Return the rows of a book; the books have to be asked for in order."""
        while self._next is not None and self._next[0] < book_id:
            self._next = self._advance()
        if self._next is None or self._next[0] != book_id:
            return []
        return self._next[1]

    def _advance(self) -> tuple[int, list[tuple[Any, ...]]] | None:
        for book_id, rows in self._groups:
            return book_id, list(rows)
        return None


def _due(
    stood: dict[tuple[int, str], int], *, before: Decimal, after: Decimal
) -> dict[tuple[int, str], int]:
    """The least that keeps what a household has from falling, and what it owes from growing."""
    old, new = Fraction(before), Fraction(after)
    numerator, denominator = (old / new).as_integer_ratio()
    due = {}
    for household_id in {owner for owner, _ in stood}:
        funds, repayment, arrears = (
            stood.get((household_id, kind), 0)
            for kind in ("household_funds", "household_repayment", "household_arrears")
        )
        own = funds + max(repayment + arrears, 0)
        owed = -min(repayment + arrears, 0)
        if new < old and own > 0:
            worth = -(-own * numerator // denominator)
            due[household_id, "household_funds"] = worth - own
        elif new > old and owed > 0:
            due[household_id, "household_repayment"] = owed - owed * numerator // denominator
    return {owner: amount for owner, amount in due.items() if amount}


@check(invariant=2, subject="accounts_siterate")
def compensations_come_from_the_reserve(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What a change gave households left the site's FX reserve, and the rate says how much."""
    return sentences(
        database,
        f"""
        WITH {_CHANGE}
        SELECT format('site %s, rate %s: says that %s wei were given, the FX reserve gave %s',
                      c.slug, c.id, c.compensation_wei, coalesce(-p.amount, 0))
        FROM change c
        LEFT JOIN LATERAL (
            SELECT sum(o.amount) AS amount
            FROM posting o JOIN ledger_account a ON a.id = o.account_id
            WHERE o.book_id = c.book_id AND o.entry_id = c.entry_id
                AND a.kind = 'fx_reserve' AND a.asset = 'DAI'
        ) p ON true
        WHERE c.compensation_wei <> coalesce(-p.amount, 0)
            OR (c.entry_id IS NOT NULL AND c.compensated_at IS NULL)
        UNION ALL
        SELECT format('entry %s of book %s (%s) compensates for no rate of its site', e.id,
                      e.book_id, e.key)
        FROM journal_entry e LEFT JOIN change c ON c.book_id = e.book_id AND c.entry_id = e.id
        WHERE e.kind = 'rate_compensation' AND c.id IS NULL
        UNION ALL
        SELECT format('site %s: the change to rate %s took effect at %s, nobody was compensated',
                      slug, id, effect_at)
        FROM change
        WHERE compensated_at IS NULL AND before <> local_per_dai AND effect_at < (
            SELECT e.recorded_at - interval '1 day' FROM journal_entry e
            JOIN accounts_book b ON b.id = e.book_id AND b.height = e.sequence
            WHERE e.book_id = change.book_id)
        """,  # noqa: S608 - ours
    )


CHECKS = (
    credits_are_at_the_site_rate,
    compensations_are_as_due,
    compensations_come_from_the_reserve,
)
