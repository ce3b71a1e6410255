"""Checks of money on chain: what was credited was swept or lies on forwarders, and has its entry.

Against the ledger always; against the chain where CHAIN_RPC_URL is set.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit.checks import check, sentences
from accounts.money import decimal_string
from tokens.chain import balances, client, watcher
from tokens.chain.client import Chain, ChainLies, ChainUnavailable
from tokens.models import BlockCursor, ChainAsset, Forwarder


@check(invariant=8, subject="tokens_deposit")
def deposits_have_their_entry(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A credited deposit's entry bears its key and moves its units, and what it was worth to its
    household, or to the donations and a position of its donor; one that is not credited has none.
    """
    return sentences(
        database,
        """
        SELECT format('deposit %s:%s is %s, with %s units for %s wei: its entry %s moves %s for %s',
                      d.transfer_hash, d.log_index, d.state, d.units, d.credited_wei, d.entry_id,
                      coalesce(s.units, 0), coalesce(s.credited, 0))
        FROM tokens_deposit d
        JOIN tokens_chainasset t ON t.id = d.asset_id
        JOIN tokens_forwarder f ON f.id = d.forwarder_id
        LEFT JOIN accounts_donation g ON g.id = d.donation_id
        LEFT JOIN journal_entry e ON e.id = d.entry_id
            AND e.key = concat_ws(':', 'deposit', d.chain_id, d.transfer_hash, d.log_index)
            AND e.kind = CASE WHEN f.donor_id IS NULL THEN 'deposit' ELSE 'deposit_donation' END
        LEFT JOIN LATERAL (
            SELECT -sum(o.amount) FILTER (WHERE a.kind = 'crypto_float' AND a.name = t.code)
                    AS units,
                sum(o.amount) FILTER (WHERE CASE WHEN f.donor_id IS NULL
                    THEN a.household_id = f.household_id ELSE a.kind = 'donations' END) AS credited
            FROM posting o JOIN ledger_account a ON a.id = o.account_id
            WHERE o.book_id = e.book_id AND o.entry_id = e.id
        ) s ON true
        WHERE CASE WHEN d.state IN ('credited', 'swept') THEN
            e.id IS NULL
            OR coalesce(s.units, 0) <> d.units
            OR coalesce(s.credited, 0) <> d.credited_wei
            OR (f.donor_id IS NOT NULL) <> (d.donation_id IS NOT NULL)
            OR (f.donor_id IS NOT NULL AND (g.donor_id, g.site_id) <> (f.donor_id, f.site_id))
        ELSE d.entry_id IS NOT NULL OR d.donation_id IS NOT NULL END
        """,
    )


@check(invariant=8, subject="journal_entry")
def entries_of_deposits_are_known(database: BaseDatabaseWrapper) -> Iterator[str]:
    """An entry that credits a deposit is named by that deposit, and each deposit by one entry."""
    return sentences(
        database,
        """
        SELECT format('entry %s of book %s (%s) is the credit of no deposit', e.id, e.book_id,
                      e.key)
        FROM journal_entry e
        LEFT JOIN tokens_deposit d ON d.entry_id = e.id AND d.state IN ('credited', 'swept')
        WHERE e.kind IN ('deposit', 'deposit_donation') AND d.id IS NULL
        UNION ALL
        SELECT format('%s was posted %s times, in books %s', key, count(*),
                      string_agg(book_id::text, ', ' ORDER BY book_id))
        FROM journal_entry WHERE kind IN ('deposit', 'deposit_donation')
        GROUP BY key HAVING count(*) > 1
        """,
    )


@check(invariant=8, subject="ledger_account")
def crypto_floats_are_deposits_less_conversions(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What a book has on chain of an asset is what was credited there, less what was sold or sent
    back."""
    return sentences(
        database,
        """
        WITH came AS (
            SELECT e.book_id, t.code AS name, sum(d.units) AS units
            FROM tokens_deposit d
            JOIN tokens_chainasset t ON t.id = d.asset_id
            JOIN journal_entry e ON e.id = d.entry_id
            WHERE d.state IN ('credited', 'swept') GROUP BY 1, 2
        ), sold AS (
            SELECT b.id AS book_id, c.asset AS name, sum(c.sold_units) AS units
            FROM (
                SELECT site_id, asset, sold_units FROM accounts_cryptoconversion
                UNION ALL
                SELECT g.site_id, r.asset, r.units
                FROM accounts_cryptoreturn r JOIN accounts_donation g ON g.id = r.donation_id
                WHERE r.units > 0
            ) c JOIN accounts_book b ON b.site_id = c.site_id
            GROUP BY 1, 2
        ), held AS (
            SELECT book_id, name, -sum(amount) AS units FROM ledger_account
            WHERE kind = 'crypto_float' GROUP BY 1, 2
        )
        SELECT format('book %s: %s units of %s on chain; %s came and %s were sold', book_id,
                      coalesce(h.units, 0), name, coalesce(c.units, 0), coalesce(s.units, 0))
        FROM held h FULL JOIN came c USING (book_id, name) FULL JOIN sold s USING (book_id, name)
        WHERE coalesce(h.units, 0) <> coalesce(c.units, 0) - coalesce(s.units, 0)
        """,
    )


@check(invariant=8, subject="accounts_cryptoreturn")
def crypto_returns_have_their_entry(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What was sent back is noted by an entry that takes it off the donations, and the donation
    counts no more; only what came for a campaign that failed is sent back."""
    return sentences(
        database,
        """
        SELECT format('gift %s was sent back with %s: %s wei, its entry %s moves %s, the donation '
                      'counts for %s', g.uid, r.reference, r.amount_wei, r.entry_id,
                      coalesce(s.given, 0), g.amount_wei)
        FROM accounts_cryptoreturn r
        JOIN accounts_donation g ON g.id = r.donation_id
        LEFT JOIN accounts_book b ON b.site_id = g.site_id
        LEFT JOIN journal_entry e ON e.book_id = b.id AND e.id = r.entry_id
            AND e.kind = 'deposit_returned' AND e.key = concat_ws(':', e.kind, g.uid)
        LEFT JOIN LATERAL (
            SELECT -sum(o.amount) AS given
            FROM posting o JOIN ledger_account a ON a.id = o.account_id AND a.kind = 'donations'
            WHERE o.book_id = e.book_id AND o.entry_id = e.id
        ) s ON true
        WHERE e.id IS NULL OR coalesce(s.given, 0) <> r.amount_wei OR g.withdrawn_at IS NULL
            OR NOT EXISTS (
                SELECT 1 FROM accounts_campaign c WHERE c.site_id = g.site_id
                    AND c.state = 'failed' AND g.donated_at >= c.opens_at
                    AND g.donated_at < c.deadline_at AND g.donated_at <= c.decided_at)
        UNION ALL
        SELECT format('entry %s of book %s (%s) is noted by no return', e.id, e.book_id, e.key)
        FROM journal_entry e
        LEFT JOIN accounts_cryptoreturn r ON r.entry_id = e.id
        WHERE e.kind = 'deposit_returned' AND r.id IS NULL
        """,
    )


@check(invariant=8, subject="tokens_outflow")
def swept_deposits_left_their_forwarder(database: BaseDatabaseWrapper) -> Iterator[str]:
    """No more is marked as swept of a forwarder and asset than was seen to leave it."""
    return sentences(
        database,
        """
        SELECT format('forwarder %s: %s units of %s are marked as swept, %s left', f.address,
                      s.units, t.code, coalesce(o.units, 0))
        FROM (
            SELECT forwarder_id, asset_id, sum(units) AS units FROM tokens_deposit
            WHERE state = 'swept' GROUP BY 1, 2
        ) s
        JOIN tokens_forwarder f ON f.id = s.forwarder_id
        JOIN tokens_chainasset t ON t.id = s.asset_id
        LEFT JOIN (
            SELECT forwarder_id, token_address, sum(units) AS units FROM tokens_outflow
            GROUP BY 1, 2
        ) o ON o.forwarder_id = s.forwarder_id AND o.token_address = t.address
        WHERE s.units > coalesce(o.units, 0)
        """,
    )


@check(invariant=8, subject="tokens_forwarder")
def forwarders_hold_what_was_not_swept(database: BaseDatabaseWrapper) -> Iterator[str]:
    """On chain, in the last block that was read, each forwarder holds what came less what left.

    Rests without CHAIN_RPC_URL; a chain that can't be asked is a finding.
    """
    if not settings.CHAIN_RPC_URL:
        return
    try:
        yield from _on_chain(client.connected())
    except (ChainUnavailable, ChainLies) as error:
        yield f"the chain can't be asked: {error}"


def _on_chain(chain: Chain) -> Iterator[str]:
    cursor = BlockCursor.objects.filter(chain_id=chain.chain_id, watcher=watcher.WATCHER).first()
    if cursor is None:
        return
    block = cursor.block_number
    assets = list(ChainAsset.objects.filter(chain_id=chain.chain_id, closed_at__isnull=True))
    forwarders = Forwarder.objects.filter(chain_id=chain.chain_id).order_by("id")
    for forwarder in forwarders.iterator():
        for asset in assets:
            lies = balances.on_chain(
                chain=chain, address=forwarder.address, asset=asset, block=block
            )
            should = balances.known(forwarder=forwarder, asset=asset, block=block)
            if lies != should:
                held, logged = (
                    decimal_string(amount=units, decimals=asset.decimals)
                    for units in (lies, should)
                )
                yield (
                    f"forwarder {forwarder} holds {held} {asset.code} in block {block}, its logs "
                    f"say {logged}"
                )


CHECKS = (
    deposits_have_their_entry,
    entries_of_deposits_are_known,
    crypto_floats_are_deposits_less_conversions,
    crypto_returns_have_their_entry,
    swept_deposits_left_their_forwarder,
    forwarders_hold_what_was_not_swept,
)
