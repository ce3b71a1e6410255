"""Ways to spoil what was taken back, each with the check that has to see it."""

from __future__ import annotations

STANDS = "id = (SELECT min(id) FROM accounts_takeback WHERE put_back_at IS NULL)"
PUT_BACK = "id = (SELECT min(id) FROM accounts_takeback WHERE put_back_at IS NOT NULL)"
CLAIM = "id = (SELECT min(id) FROM accounts_payerclaim WHERE state = '{}')"
ENTRY = "(SELECT min(id) FROM journal_entry WHERE kind = '{}')"

PAYBACK_CORRUPTIONS: list[tuple[str, str]] = [
    (
        "payments_say_what_was_taken_back",
        "UPDATE accounts_payment SET taken_back_minor = taken_back_minor - 1"
        " WHERE taken_back_minor > 0",
    ),
    (
        "payments_say_what_was_taken_back",
        f"UPDATE accounts_takeback SET taken_wei = taken_wei + 2 WHERE {STANDS}",
    ),
    (
        "payments_say_what_was_taken_back",
        f"UPDATE accounts_takeback SET put_back_at = now() WHERE {STANDS}",
    ),
    (
        "payments_say_what_was_taken_back",
        f"UPDATE accounts_takeback SET put_back_at = NULL WHERE {PUT_BACK}",
    ),
    (
        "take_backs_moved_what_they_say",
        f"UPDATE accounts_takeback SET claim_wei = claim_wei + 1, taken_wei = taken_wei - 1"
        f" WHERE {STANDS}",
    ),
    (
        "take_backs_moved_what_they_say",
        f"UPDATE accounts_takeback SET amount_minor = amount_minor + 1 WHERE {STANDS}",
    ),
    (
        "take_backs_moved_what_they_say",
        "UPDATE accounts_takeback SET paid_entry_id = entry_id WHERE paid_entry_id IS NOT NULL",
    ),
    (
        "take_backs_moved_what_they_say",
        f"UPDATE accounts_takeback SET put_back_entry_id = NULL WHERE {PUT_BACK}",
    ),
    (
        "take_backs_moved_what_they_say",
        "UPDATE posting SET amount = amount + 1 WHERE amount > 0 AND entry_id = "
        + ENTRY.format("take_back"),
    ),
    (
        "take_back_entries_belong_to_one",
        "UPDATE accounts_takeback SET paid_entry_id = NULL WHERE paid_entry_id = "
        + ENTRY.format("payback"),
    ),
    (
        "take_back_entries_belong_to_one",
        f"UPDATE accounts_payerclaim SET state = 'open' WHERE {CLAIM.format('settled')}",
    ),
    (
        "take_back_entries_belong_to_one",
        "UPDATE journal_entry SET key = key || 'x' WHERE id = " + ENTRY.format("payback_fee"),
    ),
    (
        "payback_due_is_what_was_not_paid_out",
        "UPDATE ledger_account SET amount = amount + 1 WHERE kind = 'payback_due'",
    ),
    (
        "payer_claims_are_open_claims",
        f"UPDATE accounts_payerclaim SET state = 'settled' WHERE {CLAIM.format('open')}",
    ),
    (
        "payer_claims_are_open_claims",
        f"UPDATE accounts_payerclaim SET amount_wei = amount_wei + 1"
        f" WHERE {CLAIM.format('settled')}",
    ),
    (
        "payer_claims_are_open_claims",
        f"DELETE FROM accounts_payerclaim WHERE {CLAIM.format('written_off')}",
    ),
    (
        "payer_claims_are_open_claims",
        "UPDATE ledger_account SET amount = amount - 1 WHERE kind = 'payer_claim'",
    ),
    (
        "take_backs_have_their_reason",
        "UPDATE accounts_refund SET state = 'failed' WHERE reference = 'REFUND1'",
    ),
    (
        "take_backs_have_their_reason",
        "UPDATE accounts_refund SET state = 'succeeded' WHERE state = 'failed'",
    ),
    (
        "take_backs_have_their_reason",
        "UPDATE accounts_refund SET amount_minor = amount_minor + 1 WHERE state = 'unknown'",
    ),
    (
        "take_backs_have_their_reason",
        "UPDATE accounts_dispute SET state = 'lost' WHERE state = 'won'",
    ),
    (
        "take_backs_have_their_reason",
        "UPDATE accounts_dispute SET take_back_id = NULL, state = 'inquiry' WHERE state = 'open'",
    ),
    (
        "take_backs_have_their_reason",
        "UPDATE accounts_refund SET take_back_id = (SELECT take_back_id FROM accounts_reversal"
        " LIMIT 1) WHERE state = 'unknown'",
    ),
    (
        "donations_are_what_was_paid",
        "UPDATE accounts_donation SET amount_wei = amount_wei - 1 WHERE payment_id IS NOT NULL",
    ),
    (
        "donations_are_what_was_paid",
        "UPDATE accounts_donation SET payment_id = NULL WHERE payment_id IS NOT NULL",
    ),
    (
        "donations_are_what_was_paid",
        "UPDATE ledger_account SET amount = amount + 1 WHERE kind = 'donations'",
    ),
    (
        "credited_payments_have_their_entry",
        "UPDATE accounts_payment SET fee_minor = fee_minor + 1 WHERE agent_id IS NULL",
    ),
    (
        "credited_payments_have_their_entry",
        "UPDATE accounts_payment SET credited_wei = credited_wei + 1 WHERE pledge_id IS NOT NULL",
    ),
    (
        "references_once",
        "UPDATE journal_entry SET key = 'donation:daraja:OWED000000' WHERE kind = 'donation'",
    ),
    (
        "credits_come_from_payments",
        "UPDATE journal_entry SET key = key || 'x' WHERE kind = 'donation'",
    ),
    (
        "other_payments_are_in_suspense",
        "UPDATE accounts_payment SET state = 'suspense' WHERE state = 'returned'",
    ),
    (
        "suspense_equals_its_payments",
        "UPDATE accounts_payment SET state = 'suspense' WHERE state = 'returned'",
    ),
    (
        "intents_follow_their_payments",
        "UPDATE accounts_pledge SET state = 'refunded'",
    ),
    (
        "accounts_stand_on_their_side",
        "UPDATE ledger_account SET amount = 1 WHERE kind = 'payer_claim'",
    ),
]
