"""Paying in crypto money: an address for a household or a donation, and what came to it."""
