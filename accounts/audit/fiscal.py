"""Checks of fiscal receipts: one a taxed payment, taxes that add up, numbers without gaps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts import tax
from accounts.audit.checks import check, sentences, streamed


@check(invariant=5, subject="accounts_payment")
def taxed_payments_have_their_receipt(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A payment credited to a household of a site that taxed it when it was paid has one receipt,
    of that amount and instant; nothing else has one."""
    return sentences(
        database,
        """
        WITH taxed AS (
            SELECT p.id FROM accounts_payment p
            WHERE p.state = 'credited' AND p.household_id IS NOT NULL AND EXISTS (
                SELECT FROM accounts_taxline l
                WHERE l.site_id = p.site_id AND l.validity @> p.paid_at)
        )
        SELECT format('payment %s %s is taxed and has no receipt of %s minor units', p.provider,
                      p.reference, p.amount_minor)
        FROM taxed t
        JOIN accounts_payment p ON p.id = t.id
        LEFT JOIN accounts_fiscalreceipt r ON r.payment_id = p.id AND r.kind = 'sale'
            AND r.site_id = p.site_id AND r.gross_minor = p.amount_minor
            AND r.currency = p.currency AND r.tax_point_at = p.paid_at
        WHERE r.id IS NULL
        UNION ALL
        SELECT format('receipt %s of site %s is of payment %s %s, which is not taxed', r.number,
                      r.site_id, p.provider, p.reference)
        FROM accounts_fiscalreceipt r
        JOIN accounts_payment p ON p.id = r.payment_id
        LEFT JOIN taxed t ON t.id = p.id
        WHERE r.kind = 'sale' AND t.id IS NULL
        """,
    )


@check(invariant=5, subject="accounts_fiscalline")
def receipts_contain_the_taxes_of_their_day(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A receipt's lines are the site's at its tax point; a credit note's are its receipt's."""
    return sentences(
        database,
        """
        WITH said AS (
            SELECT receipt_id, array_agg(concat_ws(' ', kind, name, code, rate_basis_points)
                                         ORDER BY kind, name) AS lines
            FROM accounts_fiscalline GROUP BY 1
        )
        SELECT format('receipt %s of site %s says %s, the site taxed %s', r.number, r.site_id,
                      coalesce(s.lines, '{}'), coalesce(d.lines, '{}'))
        FROM accounts_fiscalreceipt r
        LEFT JOIN said s ON s.receipt_id = r.id
        LEFT JOIN said o ON o.receipt_id = r.original_id
        LEFT JOIN LATERAL (
            SELECT array_agg(concat_ws(' ', kind, name, code, rate_basis_points)
                             ORDER BY kind, name) AS lines
            FROM accounts_taxline l WHERE l.site_id = r.site_id AND l.validity @> r.tax_point_at
        ) d ON r.kind = 'sale'
        WHERE s.lines IS DISTINCT FROM CASE r.kind WHEN 'sale' THEN d.lines ELSE o.lines END
        """,
    )


_AMOUNTS = """
    SELECT coalesce(r.original_id, r.id), r.kind, r.site_id, r.number, r.gross_minor, r.net_minor,
        (SELECT array_agg(l.amount_minor ORDER BY l.id) FROM accounts_fiscalline l
         WHERE l.receipt_id = r.id),
        (SELECT array_agg(l.rate_basis_points ORDER BY l.id) FROM accounts_fiscalline l
         WHERE l.receipt_id = r.id)
    FROM accounts_fiscalreceipt r
    ORDER BY 1, r.id
"""


@check(invariant=5, subject="accounts_fiscalreceipt")
def receipts_add_up(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Net and lines sum to gross, the lines are what the rates make of it, and the credit notes of
    a receipt together are what the rates make of their sum."""
    for _, rows in groupby(streamed(database, _AMOUNTS), key=itemgetter(0)):
        taken_minor, taken_lines = 0, list[int]()
        for _, kind, site_id, number, gross_minor, net_minor, amounts, rates in rows:
            told = f"receipt {number} of site {site_id}"
            lines, due = list(amounts or ()), list(rates or ())
            if net_minor + sum(lines) != gross_minor:
                yield f"{told}: net {net_minor} and {lines} are not {gross_minor}"
            if kind == "sale":
                taken_lines = [0] * len(lines)
                expected = tax.contained(gross_minor=gross_minor, rates_basis_points=due)
            else:
                taken_minor += gross_minor
                lines = [sum(pair) for pair in zip(taken_lines, lines, strict=False)]
                taken_lines = lines
                expected = tax.contained(gross_minor=taken_minor, rates_basis_points=due)
            if lines != expected:
                yield f"{told}: lines {lines}, the rates make {expected}"


@check(invariant=5, subject="accounts_takeback")
def credit_notes_equal_what_was_taken_back(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What left for good of a payment with a receipt has one credit note of its amount, and a
    credit note is of such a take-back. A dispute is decided first; what was put back after its
    credit note is left to a person (see the alarm)."""
    return sentences(
        database,
        """
        SELECT format('take-back %s of payment %s: %s minor units are gone, its credit note is of '
                      '%s', t.id, t.payment_id, t.amount_minor, coalesce(n.gross_minor, 0))
        FROM accounts_takeback t
        JOIN accounts_fiscalreceipt s ON s.payment_id = t.payment_id AND s.kind = 'sale'
        LEFT JOIN accounts_dispute d ON d.take_back_id = t.id
        LEFT JOIN accounts_fiscalreceipt n ON n.take_back_id = t.id
        WHERE t.paid_entry_id IS NOT NULL AND t.put_back_at IS NULL
            AND coalesce(d.state, 'lost') = 'lost'
            AND (n.id IS NULL OR n.gross_minor <> t.amount_minor OR n.original_id <> s.id)
        UNION ALL
        SELECT format('credit note %s of site %s is of money that never left', n.number, n.site_id)
        FROM accounts_fiscalreceipt n
        LEFT JOIN accounts_takeback t ON t.id = n.take_back_id
        WHERE n.kind = 'credit_note' AND t.paid_entry_id IS NULL
        """,
    )


@check(invariant=5, subject="accounts_fiscalreceipt")
def receipt_numbers_have_no_gaps(database: BaseDatabaseWrapper) -> Iterator[str]:
    """The receipts and credit notes of a site are numbered from 1, in the order of their making."""
    return sentences(
        database,
        """
        SELECT format('receipt %s of site %s is the %s. of its site', number, site_id, place)
        FROM (
            SELECT number, site_id, row_number() OVER (PARTITION BY site_id ORDER BY id) AS place
            FROM accounts_fiscalreceipt
        ) counted
        WHERE number <> place
        """,
    )


CHECKS = (
    taxed_payments_have_their_receipt,
    receipts_contain_the_taxes_of_their_day,
    receipts_add_up,
    credit_notes_equal_what_was_taken_back,
    receipt_numbers_have_no_gaps,
)
