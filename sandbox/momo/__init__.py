"""MTN MoMo Open API: collections (request to pay) and the refunds of its disbursement product."""
