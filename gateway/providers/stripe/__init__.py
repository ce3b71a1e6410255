"""Stripe: cards, for donations and for top-ups from abroad, on Stripe's own Checkout page."""
