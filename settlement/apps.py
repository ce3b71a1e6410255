"""The settlement app."""

from django.apps import AppConfig


class SettlementConfig(AppConfig):
    """Django's handle of the app."""

    name = "settlement"
