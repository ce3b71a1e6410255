"""Paying by card on a page: donations, and top-ups for a household by its code."""
