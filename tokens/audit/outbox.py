"""Checks of the outbox: one nonce for each intent, no holes, states that agree with receipts."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit import Check, check
from accounts.audit.checks import sentences


@check(invariant=7, subject="tokens_outboxtransfer")
def transfers_have_one_nonce(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A nonce and signed bytes come together; only what would have reverted ends without both."""
    return sentences(
        database,
        """
        SELECT format('transfer %s is %s with nonce %s and %s signed versions', intent, state,
                      coalesce(nonce::text, 'none'), versions)
        FROM (
            SELECT t.*, (SELECT count(*) FROM tokens_signedtransfer s WHERE s.outbox_id = t.id)
                AS versions
            FROM tokens_outboxtransfer t
        ) t
        WHERE (nonce IS NULL) <> (versions = 0)
            OR (nonce IS NULL AND state NOT IN ('queued', 'reverted'))
            OR (nonce IS NOT NULL AND state = 'queued')
        """,
    )


@check(invariant=7, subject="tokens_outboxtransfer")
def nonces_have_no_holes(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A hole would keep every later transfer of the sender waiting for ever.

    Left out are holes that a person accepted: nonces that others had used (outbox_resume).
    """
    return sentences(
        database,
        """
        SELECT format('%s on chain %s: nonce %s follows %s', sender, chain_id, nonce, previous)
        FROM (
            SELECT chain_id, sender, nonce,
                lag(nonce) OVER (PARTITION BY chain_id, sender ORDER BY nonce) AS previous
            FROM tokens_outboxtransfer WHERE nonce IS NOT NULL
        ) n
        WHERE nonce <> previous + 1 AND NOT EXISTS (
            SELECT FROM accounts_alarm a
            WHERE a.cleared_at IS NOT NULL
                AND a.key = format('outbox:nonce:%s:%s:ahead-%s', n.chain_id, n.sender, n.nonce))
        """,
    )


@check(invariant=7, subject="tokens_outboxtransfer")
def transfers_agree_with_their_receipts(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Mined and final ones name a block and bytes of theirs; open ones have not ended."""
    return sentences(
        database,
        """
        SELECT format('transfer %s is %s, in block %s as %s, finished at %s', intent, state,
                      coalesce(block_number::text, 'none'), coalesce(nullif(mined_hash, ''),
                      'nothing'), coalesce(finished_at::text, 'never'))
        FROM tokens_outboxtransfer t
        WHERE (finished_at IS NOT NULL) <> (state IN ('final', 'reverted'))
            OR (block_number IS NULL) <> (block_hash = '')
            OR (block_number IS NULL) <> (mined_hash = '')
            OR (state IN ('mined', 'final') AND block_number IS NULL)
            OR (state IN ('queued', 'signed') AND block_number IS NOT NULL)
            OR (state = 'final' AND failure <> '')
            OR (state = 'reverted' AND failure = '')
            OR (mined_hash <> '' AND NOT EXISTS (
                SELECT FROM tokens_signedtransfer s
                WHERE s.outbox_id = t.id AND s.transfer_hash = t.mined_hash))
        """,
    )


@check(invariant=7, subject="tokens_signedtransfer")
def replacements_pay_more(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Each version of a transfer pays an eighth more than the one before, or nodes refuse it."""
    return sentences(
        database,
        """
        SELECT format('%s offers %s and %s wei, the one before it %s and %s', transfer_hash,
                      max_fee_wei, priority_fee_wei, max_before, priority_before)
        FROM (
            SELECT *, lag(max_fee_wei) OVER versions AS max_before,
                lag(priority_fee_wei) OVER versions AS priority_before
            FROM tokens_signedtransfer WINDOW versions AS (PARTITION BY outbox_id ORDER BY id)
        ) s
        WHERE max_fee_wei * 1000 < max_before * 1125
            OR priority_fee_wei * 1000 < priority_before * 1125
        """,
    )


CHECKS: tuple[Check, ...] = (
    transfers_have_one_nonce,
    nonces_have_no_holes,
    transfers_agree_with_their_receipts,
    replacements_pay_more,
)
