"""Checks of the ledger: balanced entries, accounts that equal their postings, signs, orphans."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit.checks import check, sentences


@check(invariant=1, subject="posting")
def entries_sum_to_zero(database: BaseDatabaseWrapper) -> Iterator[str]:
    """The postings of an entry sum to zero per asset."""
    return sentences(
        database,
        """
        SELECT format('entry %s of book %s: its postings of %s sum to %s',
                      entry_id, book_id, asset, sum(amount))
        FROM posting GROUP BY book_id, entry_id, asset HAVING sum(amount) <> 0
        """,
    )


@check(invariant=1, subject="ledger_account")
def accounts_equal_their_postings(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What an account holds is the sum of its postings."""
    return sentences(
        database,
        """
        SELECT format('account %s (%s%s of book %s) holds %s of %s, its postings sum to %s',
                      a.id, a.kind, ' ' || a.name, a.book_id, a.amount, a.asset,
                      coalesce(p.total, 0))
        FROM ledger_account a
        LEFT JOIN (
            SELECT account_id, sum(amount) AS total FROM posting GROUP BY account_id
        ) p ON p.account_id = a.id
        WHERE a.amount <> coalesce(p.total, 0)
        """,
    )


@check(invariant=1, subject="journal_entry")
def entries_have_postings(database: BaseDatabaseWrapper) -> Iterator[str]:
    """No entry stands without postings."""
    return sentences(
        database,
        """
        SELECT format('entry %s of book %s (%s) has no postings', e.id, e.book_id, e.key)
        FROM journal_entry e
        LEFT JOIN (SELECT DISTINCT book_id, entry_id FROM posting) p
            ON p.book_id = e.book_id AND p.entry_id = e.id
        WHERE p.entry_id IS NULL
        """,
    )


@check(invariant=1, subject="posting")
def postings_name_known_rows(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A posting belongs to an entry, and to an account of its own book and asset."""
    return sentences(
        database,
        """
        SELECT format('posting %s of book %s: %s', p.id, p.book_id, CASE
            WHEN e.id IS NULL THEN format('there is no entry %s', p.entry_id)
            WHEN a.id IS NULL THEN format('there is no account %s', p.account_id)
            ELSE format('account %s is of book %s and %s', a.id, a.book_id, a.asset) END)
        FROM posting p
        LEFT JOIN journal_entry e ON e.book_id = p.book_id AND e.id = p.entry_id
        LEFT JOIN ledger_account a ON a.id = p.account_id
        WHERE e.id IS NULL OR a.id IS NULL OR a.book_id <> p.book_id OR a.asset <> p.asset
        """,
    )


@check(invariant=1, subject="accounts_book")
def books_are_known(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Entries and accounts lie in a book (no foreign key says so); sites and operators have one."""
    return sentences(
        database,
        """
        SELECT format('there is no book %s, but it has %s', x.book_id, x.what) FROM (
            SELECT DISTINCT book_id, 'entries' AS what FROM journal_entry
            UNION SELECT DISTINCT book_id, 'accounts' FROM ledger_account
        ) x LEFT JOIN accounts_book b ON b.id = x.book_id WHERE b.id IS NULL
        UNION ALL
        SELECT format('site %s has no book', s.slug) FROM accounts_site s
        LEFT JOIN accounts_book b ON b.site_id = s.id WHERE b.id IS NULL
        UNION ALL
        SELECT format('operator %s has no book', o.slug) FROM accounts_operator o
        LEFT JOIN accounts_book b ON b.operator_id = o.id WHERE b.id IS NULL
        """,
    )


@check(invariant=2, subject="ledger_account")
def accounts_stand_on_their_side(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What somebody owns is never below zero, an asset never above; only these may be either:
    positions in currencies and crypto, the FX reserve and result, fees, floats (a provider may take
    back more than lies there), what was left unexplained, and the operator's pool, which carries
    corrections.
    """
    return sentences(
        database,
        """
        SELECT format('account %s (%s%s of book %s%s) stands at %s of %s', a.id, a.kind,
                      ' ' || a.name, a.book_id, ', household ' || h.code, a.amount, a.asset)
        FROM ledger_account a LEFT JOIN accounts_household h ON h.id = a.household_id
        WHERE CASE
            WHEN a.kind IN ('fx_position', 'fx_reserve', 'fx_result', 'rail_fees', 'fees_charged',
                            'spread_charged', 'float', 'unexplained', 'crypto_position')
                THEN false
            WHEN a.kind = 'pool' AND a.name = 'operator' THEN false
            WHEN a.kind IN ('household_arrears', 'tokens_minted', 'payer_claim', 'treasury',
                            'crypto_float', 'service_tokens_issued') THEN a.amount > 0
            ELSE a.amount < 0 END
        """,
    )


@check(invariant=2, subject="ledger_account")
def arrears_stand_against_unearned(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What households owe a book is exactly what that book has not earned yet."""
    return sentences(
        database,
        """
        SELECT format('book %s: households owe %s wei, not collected yet are %s wei', book_id,
            -coalesce(sum(amount) FILTER (WHERE kind = 'household_arrears'), 0),
            coalesce(sum(amount) FILTER (WHERE kind = 'arrears_unearned'), 0))
        FROM ledger_account WHERE kind IN ('household_arrears', 'arrears_unearned')
        GROUP BY book_id HAVING sum(amount) <> 0
        """,
    )


CHECKS = (
    entries_sum_to_zero,
    accounts_equal_their_postings,
    entries_have_postings,
    postings_name_known_rows,
    books_are_known,
    accounts_stand_on_their_side,
    arrears_stand_against_unearned,
)
