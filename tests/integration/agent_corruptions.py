"""What must not go unseen of agents: a statement for each check of accounts.audit.agents."""

from __future__ import annotations

FIRST_CHANGE = "id = (SELECT min(id) FROM accounts_agentfloatchange)"
BY_AGENT = "id = (SELECT min(id) FROM accounts_payment WHERE agent_id IS NOT NULL)"
OF_CHANGE = "(SELECT max(id) FROM journal_entry WHERE kind = 'agent_float')"

AGENT_CORRUPTIONS: list[tuple[str, str]] = [
    (
        "agent_floats_follow_from_what_moved_them",
        "UPDATE ledger_account SET amount = amount - 1 WHERE kind = 'agent_float'",
    ),
    (
        "agent_floats_follow_from_what_moved_them",
        f"DELETE FROM accounts_agentfloatchange WHERE {FIRST_CHANGE}",
    ),
    (
        "agent_floats_follow_from_what_moved_them",
        f"UPDATE accounts_payment SET agent_id = NULL WHERE {BY_AGENT}",
    ),
    (
        "agent_floats_follow_from_what_moved_them",
        "UPDATE ledger_account SET name = 'AG99' WHERE kind = 'agent_float'",
    ),
    (
        "agent_floats_follow_from_what_moved_them",
        "UPDATE accounts_takeback SET paid_entry_id = NULL WHERE payment_id IN"
        " (SELECT id FROM accounts_payment WHERE agent_id IS NOT NULL)",
    ),
    (
        "cash_is_taken_by_agents",
        f"UPDATE accounts_payment SET agent_id = NULL WHERE {BY_AGENT}",
    ),
    (
        "cash_is_taken_by_agents",
        "UPDATE accounts_payment SET agent_id = (SELECT min(id) FROM accounts_agent)"
        " WHERE id = (SELECT min(id) FROM accounts_payment WHERE provider = 'daraja')",
    ),
    (
        "cash_is_taken_by_agents",
        "UPDATE accounts_agent SET rail_id = (SELECT min(id) FROM accounts_rail)",
    ),
    (
        "float_changes_have_their_entry",
        "UPDATE accounts_agentfloatchange SET amount_minor = amount_minor + 1"
        f" WHERE {FIRST_CHANGE}",
    ),
    (
        "float_changes_have_their_entry",
        "UPDATE accounts_agentfloatchange SET kind = 'bought' WHERE kind = 'returned'",
    ),
    (
        "float_changes_have_their_entry",
        f"UPDATE accounts_agentfloatchange SET entry_id = 999999 WHERE {FIRST_CHANGE}",
    ),
    (
        "float_changes_have_their_entry",
        f"UPDATE journal_entry SET key = key || 'x' WHERE id = {OF_CHANGE}",
    ),
    (
        "float_changes_have_their_entry",
        "UPDATE posting SET account_id = (SELECT min(id) FROM ledger_account"
        f" WHERE kind = 'float') WHERE entry_id = {OF_CHANGE} AND account_id ="
        " (SELECT id FROM ledger_account WHERE kind = 'float' AND name = 'cash')",
    ),
]
