"""Checks of votes: one ballot a voter, nothing funded beyond the pool, results that recompute."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit import Check, check, streamed
from accounts.audit.checks import sentences
from tokens.voting import houses, published
from tokens.voting.published import Malformed


@check(invariant=9, subject="tokens_ballot")
def voters_voted_once(database: BaseDatabaseWrapper) -> Iterator[str]:
    """One ballot for each voter and round: each of a household or a donor, and of the site's."""
    return sentences(
        database,
        """
        SELECT format('round %s: %s has %s ballots', round_id, voter, ballots)
        FROM (
            SELECT round_id, count(*) AS ballots,
                coalesce('household ' || household_id, 'donor ' || donor_id, 'nobody') AS voter
            FROM tokens_ballot GROUP BY 1, household_id, donor_id
        ) b
        WHERE ballots > 1 OR voter = 'nobody'
        UNION ALL
        SELECT format('ballot %s is of a household and of a donor', receipt_code)
        FROM tokens_ballot WHERE household_id IS NOT NULL AND donor_id IS NOT NULL
        UNION ALL
        SELECT format('ballot %s: its donor never gave to the site', b.receipt_code)
        FROM tokens_ballot b JOIN tokens_round r ON r.id = b.round_id
        WHERE b.donor_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM accounts_donation d
            WHERE d.donor_id = b.donor_id AND d.site_id = r.site_id)
        UNION ALL
        SELECT format('ballot %s: its household never lived at the site', b.receipt_code)
        FROM tokens_ballot b JOIN tokens_round r ON r.id = b.round_id
        WHERE b.household_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM accounts_householdsite h
            WHERE h.household_id = b.household_id AND h.site_id = r.site_id)
        """,
    )


@check(invariant=9, subject="tokens_choice")
def ballots_choose_what_was_on_them(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Each ballot has choices, of its own round's projects, and was cast while that was open."""
    return sentences(
        database,
        """
        SELECT format('ballot %s chooses %s projects, %s of them not its round''s',
                      b.receipt_code, c.chosen, c.strangers)
        FROM tokens_ballot b
        CROSS JOIN LATERAL (
            SELECT count(*) AS chosen,
                count(*) FILTER (WHERE p.round_id <> b.round_id OR p.number IS NULL) AS strangers
            FROM tokens_choice x JOIN tokens_proposal p ON p.id = x.proposal_id
            WHERE x.ballot_id = b.id
        ) c
        WHERE c.chosen = 0 OR c.strangers > 0
        UNION ALL
        SELECT format('ballot %s was cast at %s, its round took votes until %s', b.receipt_code,
                      b.cast_at, r.closes_at)
        FROM tokens_ballot b JOIN tokens_round r ON r.id = b.round_id
        WHERE b.cast_at >= r.closes_at
        UNION ALL
        SELECT format('ballot %s weighs %s, its round is %s', b.receipt_code,
                      coalesce(b.weight::text, 'nothing yet'), r.state)
        FROM tokens_ballot b JOIN tokens_round r ON r.id = b.round_id
        WHERE (b.weight IS NOT NULL) <> (r.state = 'counted')
        """,
    )


@check(invariant=9, subject="tokens_round")
def counts_reserved_what_they_funded(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A count took what its projects cost out of the grant pool, in one entry and within budget."""
    return sentences(
        database,
        """
        SELECT format('round %s of %s reserved %s wei: its projects cost %s, its entry took %s, '
                      'its budget is %s, the pool held %s', r.number, s.slug, r.reserved_wei,
                      p.cost, e.taken, r.budget_wei, pool.held)
        FROM tokens_round r
        JOIN accounts_site s ON s.id = r.site_id
        JOIN accounts_book k ON k.site_id = s.id
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(cost_wei), 0) AS cost FROM tokens_proposal
            WHERE round_id = r.id AND state IN ('funded', 'vetoed')
        ) p
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(o.amount), 0) AS taken
            FROM journal_entry j
            JOIN posting o ON o.book_id = j.book_id AND o.entry_id = j.id
            JOIN ledger_account a ON a.id = o.account_id AND a.kind = 'grant_reserved'
            WHERE j.book_id = k.id AND j.kind = 'grant_reserve'
                AND j.key = format('round:%s:%s', s.slug, r.number)
        ) e
        CROSS JOIN LATERAL (
            SELECT CASE WHEN r.state = 'counted' AND pg_input_is_valid(r.result, 'jsonb')
                THEN (r.result::jsonb ->> 'grant_pool_wei')::numeric ELSE 0 END AS held
        ) pool
        WHERE r.reserved_wei <> p.cost OR r.reserved_wei <> e.taken
            OR r.reserved_wei > r.budget_wei OR r.reserved_wei > pool.held
        UNION ALL
        SELECT format('entry %s of book %s reserves for a round that there is not', j.key,
                      j.book_id)
        FROM journal_entry j
        WHERE j.kind = 'grant_reserve' AND NOT EXISTS (
            SELECT FROM tokens_round r JOIN accounts_site s ON s.id = r.site_id
            WHERE j.key = format('round:%s:%s', s.slug, r.number))
        """,
    )


@check(invariant=9, subject="tokens_proposal")
def reserves_are_funded_and_not_paid(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What is reserved in a book is what its funded projects cost, less what payouts took of it and
    what they left of it."""
    return sentences(
        database,
        """
        SELECT format('site %s: %s wei are reserved for grants, its funded projects leave %s',
                      s.slug, coalesce(a.amount, 0), coalesce(p.left_wei, 0))
        FROM accounts_site s
        JOIN accounts_book k ON k.site_id = s.id
        LEFT JOIN ledger_account a ON a.book_id = k.id AND a.kind = 'grant_reserved'
        LEFT JOIN (
            SELECT r.site_id, sum(p.cost_wei - coalesce(o.taken, 0) - coalesce(b.rest, 0))
                AS left_wei
            FROM tokens_proposal p
            JOIN tokens_round r ON r.id = p.round_id
            LEFT JOIN LATERAL (
                SELECT sum(o.amount_wei) AS taken
                FROM settlement_payout o JOIN settlement_servicetoken t ON t.id = o.service_token_id
                WHERE t.subject = 'proposal:' || p.uid
                    AND o.state IN ('approved', 'sending', 'unknown', 'sent', 'paid')
            ) o ON true
            LEFT JOIN LATERAL (
                SELECT sum(x.amount) AS rest
                FROM journal_entry j
                JOIN posting x ON x.book_id = j.book_id AND x.entry_id = j.id
                JOIN ledger_account l ON l.id = x.account_id AND l.kind = 'pool'
                WHERE j.kind = 'grant_rest' AND j.key = 'grant_rest:' || p.uid
            ) b ON true
            WHERE p.state = 'funded' GROUP BY 1
        ) p ON p.site_id = s.id
        WHERE coalesce(a.amount, 0) <> coalesce(p.left_wei, 0)
        """,
    )


@check(invariant=9, subject="tokens_round")
def results_follow_from_their_ballots(database: BaseDatabaseWrapper) -> Iterator[str]:
    """The published bytes hold the stored ballots, and counting them gives the result in them."""
    for number, slug, state, result, result_hash in streamed(
        database,
        """
        SELECT r.number, s.slug, r.state, r.result, r.result_hash
        FROM tokens_round r JOIN accounts_site s ON s.id = r.site_id
        WHERE r.state = 'counted' OR r.result <> '' OR r.result_hash <> ''
        ORDER BY r.id
        """,
    ):
        where = f"round {number} of {slug}"
        content = result.encode()
        if state != "counted":
            yield f"{where} is {state} and has a result"
        if published.hash_of(content) != result_hash:
            yield f"{where}: its bytes hash to {published.hash_of(content)}, not {result_hash}"
        try:
            if published.write(published.read(content)) != content:
                yield f"{where}: counting its ballots gives another result"
        except (Malformed, houses.Malformed) as error:
            yield f"{where}: {error}"


@check(invariant=9, subject="tokens_ballot")
def published_ballots_are_the_stored_ones(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Every stored ballot of a counted round is published with its house, weight and choices."""
    return sentences(
        database,
        """
        SELECT format('round %s: ballot %s is stored as %s, published as %s', round_id,
                      receipt_code, coalesce(stored, 'none'), coalesce(told, 'none'))
        FROM (
            SELECT b.round_id, b.receipt_code, format('%s %s %s',
                CASE WHEN b.household_id IS NULL THEN 'donors' ELSE 'households' END, b.weight,
                (SELECT string_agg(p.number::text, ',' ORDER BY p.number) FROM tokens_choice c
                 JOIN tokens_proposal p ON p.id = c.proposal_id WHERE c.ballot_id = b.id)) AS stored
            FROM tokens_ballot b JOIN tokens_round r ON r.id = b.round_id AND r.state = 'counted'
        ) s
        FULL JOIN (
            SELECT r.id AS round_id, x ->> 'receipt_code' AS receipt_code, format('%s %s %s',
                x ->> 'house', x ->> 'weight',
                (SELECT string_agg(o.value, ',' ORDER BY o.value::int)
                 FROM jsonb_array_elements_text(x -> 'options') AS o)) AS told
            FROM tokens_round r
            CROSS JOIN jsonb_array_elements(
                CASE WHEN r.state = 'counted' AND pg_input_is_valid(r.result, 'jsonb')
                    THEN r.result::jsonb -> 'ballots' ELSE '[]' END) AS x
        ) t USING (round_id, receipt_code)
        WHERE stored IS DISTINCT FROM told
        """,
    )


@check(invariant=9, subject="tokens_epoch")
def anchors_are_the_counted_results(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What an epoch's data set anchors of votes are hashes of counts, each round's own."""
    return sentences(
        database,
        """
        SELECT format('epoch %s of %s anchors %s for round %s, whose count hashes to %s', e.number,
                      s.slug, a ->> 'hash', a ->> 'number', coalesce(r.result_hash, 'nothing'))
        FROM tokens_epoch e
        JOIN accounts_site s ON s.id = e.site_id
        CROSS JOIN jsonb_array_elements(
            CASE WHEN pg_input_is_valid(e.dataset, 'jsonb')
                THEN coalesce(e.dataset::jsonb -> 'anchors', '[]') ELSE '[]' END) AS a
        LEFT JOIN tokens_round r ON r.site_id = e.site_id
            AND r.number::text = a ->> 'number' AND r.state = 'counted'
        WHERE a ->> 'kind' = 'round' AND r.result_hash IS DISTINCT FROM a ->> 'hash'
        """,
    )


CHECKS: tuple[Check, ...] = (
    voters_voted_once,
    ballots_choose_what_was_on_them,
    counts_reserved_what_they_funded,
    reserves_are_funded_and_not_paid,
    results_follow_from_their_ballots,
    published_ballots_are_the_stored_ones,
    anchors_are_the_counted_results,
)
