"""What households read, in every language, as GSM-7 text; pure."""
