"""Checks of agents: each float follows from what moved it, and cash is taken by agents only."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit.checks import check, sentences


@check(invariant=4, subject="accounts_agent")
def agent_floats_follow_from_what_moved_them(database: BaseDatabaseWrapper) -> Iterator[str]:
    """An agent's float is what was bought, less what was returned and taken (the cash rail's fee is
    the agent's), with what was given back to payers; it stands in the book of the agent's site."""
    return sentences(
        database,
        """
        WITH moved AS (
            SELECT agent_id, currency,
                CASE kind WHEN 'bought' THEN amount_minor ELSE -amount_minor END AS amount
            FROM accounts_agentfloatchange
            UNION ALL
            SELECT agent_id, currency, fee_minor - amount_minor
            FROM accounts_payment WHERE agent_id IS NOT NULL
            UNION ALL
            SELECT p.agent_id, p.currency, t.amount_minor
            FROM accounts_takeback t JOIN accounts_payment p ON p.id = t.payment_id
            WHERE p.agent_id IS NOT NULL AND t.paid_entry_id IS NOT NULL
                AND t.put_back_entry_id IS NULL
        ), due AS (
            SELECT b.id AS book_id, a.code AS name, m.currency AS asset, sum(m.amount) AS amount
            FROM moved m
            JOIN accounts_agent a ON a.id = m.agent_id
            JOIN accounts_book b ON b.site_id = a.site_id
            GROUP BY 1, 2, 3
        )
        SELECT format('float of agent %s in book %s holds %s minor units of %s, what moved it '
                      'comes to %s', name, book_id, coalesce(h.amount, 0), asset,
                      coalesce(d.amount, 0))
        FROM (
            SELECT book_id, name, asset, amount FROM ledger_account WHERE kind = 'agent_float'
        ) h
        FULL JOIN due d USING (book_id, name, asset)
        WHERE coalesce(h.amount, 0) <> coalesce(d.amount, 0)
        """,
    )


@check(invariant=4, subject="accounts_payment")
def cash_is_taken_by_agents(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A payment over a cash rail has an agent, of that rail and of the household's site; a payment
    over any other rail has none."""
    return sentences(
        database,
        """
        SELECT format('payment %s over rail %s was taken by %s', p.reference, r.code,
                      coalesce('agent ' || a.code || ' of another rail or site', 'no agent'))
        FROM accounts_payment p
        JOIN accounts_rail r ON r.id = p.rail_id
        LEFT JOIN accounts_agent a ON a.id = p.agent_id
        WHERE CASE WHEN r.provider = 'cash'
            THEN a.id IS NULL OR a.rail_id <> p.rail_id OR a.site_id IS DISTINCT FROM p.site_id
            ELSE p.agent_id IS NOT NULL END
        """,
    )


@check(invariant=4, subject="accounts_agentfloatchange")
def float_changes_have_their_entry(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Float that was bought or returned moved between the cash rail's float and the agent's, by
    exactly its amount, in an entry of its own; no other entry is of this kind."""
    return sentences(
        database,
        """
        SELECT format('float change %s of agent %s: %s %s minor units, its entry %s moves %s '
                      'against %s', c.uid, a.code, c.kind, c.amount_minor, c.entry_id,
                      coalesce(s.to_agent, 0), coalesce(s.in_hand, 0))
        FROM accounts_agentfloatchange c
        JOIN accounts_agent a ON a.id = c.agent_id
        JOIN accounts_rail r ON r.id = a.rail_id
        LEFT JOIN accounts_book b ON b.site_id = a.site_id
        LEFT JOIN journal_entry e ON e.book_id = b.id AND e.id = c.entry_id
            AND e.kind = 'agent_float' AND e.key = 'agent_float:' || c.uid
        LEFT JOIN LATERAL (
            SELECT sum(o.amount) FILTER (WHERE l.kind = 'agent_float' AND l.name = a.code
                    AND l.asset = c.currency) AS to_agent,
                -sum(o.amount) FILTER (WHERE l.kind = 'float' AND l.name = r.code
                    AND l.asset = c.currency) AS in_hand
            FROM posting o JOIN ledger_account l ON l.id = o.account_id
            WHERE o.book_id = e.book_id AND o.entry_id = e.id
        ) s ON true
        CROSS JOIN LATERAL (
            SELECT CASE c.kind WHEN 'bought' THEN c.amount_minor ELSE -c.amount_minor END AS due
        ) d
        WHERE coalesce(s.to_agent, 0) <> d.due OR coalesce(s.in_hand, 0) <> d.due
        UNION ALL
        SELECT format('entry %s of book %s (%s) is of no float change', e.id, e.book_id, e.key)
        FROM journal_entry e
        LEFT JOIN accounts_agentfloatchange c ON c.entry_id = e.id
            AND e.key = 'agent_float:' || c.uid
        WHERE e.kind = 'agent_float' AND c.id IS NULL
        """,
    )


CHECKS = (
    agent_floats_follow_from_what_moved_them,
    cash_is_taken_by_agents,
    float_changes_have_their_entry,
)
