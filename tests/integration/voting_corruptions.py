"""What must not go unseen of votes: statements for each check of tokens.audit.voting."""

from __future__ import annotations

ONE_BALLOT = "id = (SELECT min(id) FROM tokens_ballot WHERE household_id IS NOT NULL)"
BY_DONOR = "id = (SELECT min(id) FROM tokens_ballot WHERE donor_id IS NOT NULL)"
RESERVE = "(SELECT max(id) FROM journal_entry WHERE kind = 'grant_reserve')"
BALLOT_COLUMNS = "round_id, household_id, donor_id, channel, signature, weight, cast_at"

VOTING_CORRUPTIONS: list[tuple[str, str]] = [
    (
        "voters_voted_once",
        f"INSERT INTO tokens_ballot (uid, receipt_code, key, {BALLOT_COLUMNS})"
        f" SELECT gen_random_uuid(), 'TWICE', 'twice', {BALLOT_COLUMNS}"
        f" FROM tokens_ballot WHERE {ONE_BALLOT}",
    ),
    (
        "voters_voted_once",
        "UPDATE tokens_ballot SET donor_id = (SELECT min(id) FROM accounts_donor)"
        f" WHERE {ONE_BALLOT}",
    ),
    ("voters_voted_once", f"UPDATE tokens_ballot SET household_id = NULL WHERE {ONE_BALLOT}"),
    (
        "voters_voted_once",
        "WITH other AS (INSERT INTO accounts_donor (uid, created_at)"
        " VALUES (gen_random_uuid(), now()) RETURNING id)"
        " UPDATE accounts_donation SET donor_id = other.id FROM other",
    ),
    ("voters_voted_once", "DELETE FROM accounts_householdsite"),
    (
        "ballots_choose_what_was_on_them",
        "DELETE FROM tokens_choice WHERE ballot_id ="
        f" (SELECT id FROM tokens_ballot WHERE {ONE_BALLOT})",
    ),
    (
        "ballots_choose_what_was_on_them",
        f"UPDATE tokens_ballot SET cast_at = cast_at + interval '30 days' WHERE {ONE_BALLOT}",
    ),
    ("ballots_choose_what_was_on_them", f"UPDATE tokens_ballot SET weight = NULL WHERE {BY_DONOR}"),
    (
        "ballots_choose_what_was_on_them",
        "UPDATE tokens_proposal SET number = NULL WHERE number = 1",
    ),
    (
        "counts_reserved_what_they_funded",
        "UPDATE tokens_round SET reserved_wei = reserved_wei + 1 WHERE state = 'counted'",
    ),
    (
        "counts_reserved_what_they_funded",
        "UPDATE tokens_round SET budget_wei = 1 WHERE state = 'counted'",
    ),
    (
        "counts_reserved_what_they_funded",
        "UPDATE tokens_proposal SET cost_wei = cost_wei - 1 WHERE state = 'funded'",
    ),
    (
        "counts_reserved_what_they_funded",
        "UPDATE tokens_proposal SET state = 'not_funded' WHERE state = 'funded'",
    ),
    ("counts_reserved_what_they_funded", f"DELETE FROM posting WHERE entry_id = {RESERVE}"),
    (
        "counts_reserved_what_they_funded",
        f"UPDATE journal_entry SET key = 'round:kisima:77' WHERE id = {RESERVE}",
    ),
    (
        "reserves_are_funded_and_not_paid",
        "UPDATE ledger_account SET amount = amount - 1 WHERE kind = 'grant_reserved'",
    ),
    (
        "reserves_are_funded_and_not_paid",
        "UPDATE tokens_proposal SET state = 'vetoed' WHERE state = 'funded'",
    ),
    (
        "results_follow_from_their_ballots",
        "UPDATE tokens_round SET result_hash = '0x00' WHERE state = 'counted'",
    ),
    (
        "results_follow_from_their_ballots",
        'UPDATE tokens_round SET result = replace(result, \'"weight":"1"\', \'"weight":"2"\')'
        " WHERE state = 'counted'",
    ),
    (
        "results_follow_from_their_ballots",
        "UPDATE tokens_round SET result = 'nonsense' WHERE state = 'counted'",
    ),
    (
        "results_follow_from_their_ballots",
        "UPDATE tokens_round SET state = 'open' WHERE state = 'counted'",
    ),
    (
        "published_ballots_are_the_stored_ones",
        f"UPDATE tokens_ballot SET weight = weight + 1 WHERE {ONE_BALLOT}",
    ),
    (
        "published_ballots_are_the_stored_ones",
        f"UPDATE tokens_ballot SET receipt_code = 'ANOTHER' WHERE {ONE_BALLOT}",
    ),
    (
        "published_ballots_are_the_stored_ones",
        "UPDATE tokens_choice SET proposal_id = (SELECT id FROM tokens_proposal WHERE number = 2)"
        f" WHERE ballot_id = (SELECT id FROM tokens_ballot WHERE {ONE_BALLOT})",
    ),
    (
        "anchors_are_the_counted_results",
        "UPDATE tokens_epoch SET dataset ="
        ' regexp_replace(dataset, \'("anchors":\\[\\{"hash":"0x).\', \'\\1z\')',
    ),
    (
        "anchors_are_the_counted_results",
        "UPDATE tokens_epoch SET dataset ="
        ' regexp_replace(dataset, \'("kind":"round","number":")1\', \'\\17\')',
    ),
]
