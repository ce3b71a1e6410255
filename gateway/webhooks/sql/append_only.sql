-- What came in stays as it came: the app role may note only how an event was handled.
REVOKE UPDATE, DELETE ON gateway_webhooks_inboundevent FROM {app_role};
GRANT UPDATE (outcome, outcome_text, attempts, claimed_at, handled_at)
    ON gateway_webhooks_inboundevent TO {app_role};
