"""What must not go unseen in fiscal receipts: statements for each check of them."""

from __future__ import annotations

FIRST = "id = (SELECT min(id) FROM {})"
LAST = "id = (SELECT max(id) FROM {})"

FISCAL_CORRUPTIONS: list[tuple[str, str]] = [
    (
        "taxed_payments_have_their_receipt",
        "UPDATE accounts_fiscalreceipt SET gross_minor = gross_minor + 1, net_minor = net_minor + 1"
        f" WHERE {FIRST.format('accounts_fiscalreceipt')}",
    ),
    (
        "taxed_payments_have_their_receipt",
        "UPDATE accounts_fiscalreceipt SET tax_point_at = tax_point_at + interval '1 second'"
        f" WHERE {FIRST.format('accounts_fiscalreceipt')}",
    ),
    (
        "taxed_payments_have_their_receipt",
        "UPDATE accounts_taxline SET validity = tstzrange('2100-01-01', NULL)",
    ),
    (
        "receipts_contain_the_taxes_of_their_day",
        "UPDATE accounts_fiscalline SET rate_basis_points = 1500"
        f" WHERE {FIRST.format('accounts_fiscalline')}",
    ),
    (
        "receipts_contain_the_taxes_of_their_day",
        f"DELETE FROM accounts_fiscalline WHERE {LAST.format('accounts_fiscalline')}",
    ),
    (
        "receipts_add_up",
        "UPDATE accounts_fiscalline SET amount_minor = amount_minor + 1"
        f" WHERE {FIRST.format('accounts_fiscalline')}",
    ),
    (
        "receipts_add_up",
        "UPDATE accounts_fiscalreceipt SET net_minor = net_minor - 1"
        f" WHERE {FIRST.format('accounts_fiscalreceipt')}",
    ),
    (
        "credit_notes_equal_what_was_taken_back",
        "INSERT INTO accounts_takeback (payment_id, amount_minor, taken_wei, claim_wei, entry_id,"
        " paid_entry_id, taken_at) SELECT payment_id, 100, 1, 0, 1, 1, now()"
        " FROM accounts_fiscalreceipt WHERE kind = 'sale' LIMIT 1",
    ),
    (
        "credit_notes_equal_what_was_taken_back",
        "UPDATE accounts_fiscalreceipt SET kind = 'credit_note'"
        f" WHERE {FIRST.format('accounts_fiscalreceipt')}",
    ),
    (
        "receipt_numbers_have_no_gaps",
        "UPDATE accounts_fiscalreceipt SET number = number + 1"
        f" WHERE {LAST.format('accounts_fiscalreceipt')}",
    ),
]
