"""Corruptions of floats and conversions, and the checks that have to see them."""

from __future__ import annotations

# The provider tells twice that it has more than our floats, and nobody is alarmed.
TOLD_TWICE = """
    INSERT INTO gateway_providers_railbalance (rail_id, told_minor, float_minor, currency, told_at)
    SELECT id, 700, 0, currency, now() - n * interval '5 minutes'
    FROM accounts_rail, generate_series(1, 2) AS n
"""

# A conversion that no entry stands behind.
CONVERTED = """
    WITH clerk AS (
        INSERT INTO accounts_user (password, is_superuser, username, first_name, last_name, email,
            is_staff, is_active, date_joined)
        VALUES ('', false, 'treasurer', '', '', '', true, true, now()) RETURNING id
    )
    INSERT INTO accounts_treasuryconversion (uid, site_id, rail_id, sold_minor, fee_minor, currency,
        bought_wei, cost_wei, reference, note, made_by_id, entry_id, converted_at, recorded_at)
    SELECT uuidv7(), s.id, r.id, 100, 0, r.currency, 1, 1, 'OUT1', '', clerk.id, e.id, now(), now()
    FROM clerk, accounts_site s, accounts_rail r,
        (SELECT max(id) AS id FROM journal_entry WHERE kind = 'top_up') e
"""

# Crypto money sold without an entry.
SOLD = """
    WITH clerk AS (
        INSERT INTO accounts_user (password, is_superuser, username, first_name, last_name, email,
            is_staff, is_active, date_joined)
        VALUES ('', false, 'treasurer', '', '', '', true, true, now()) RETURNING id
    )
    INSERT INTO accounts_cryptoconversion (uid, site_id, asset, is_par, decimals, sold_units,
        bought_wei, cost_wei, reference, note, made_by_id, entry_id, converted_at, recorded_at)
    SELECT uuidv7(), s.id, 'USDC', false, 6, 100, 1, 1, 'OUT1', '', clerk.id, e.id, now(), now()
    FROM clerk, accounts_site s, (SELECT max(id) AS id FROM journal_entry WHERE kind = 'top_up') e
"""

TREASURY_CORRUPTIONS: list[tuple[str, str]] = [
    ("floats_are_what_providers_say", TOLD_TWICE),
    ("conversions_have_their_entry", CONVERTED),
    ("crypto_conversions_have_their_entry", SOLD),
]
