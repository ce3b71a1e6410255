"""Contracts on a real chain."""
