"""Letters on their way: wording, PDF receipts, and sending them over SMTP."""
