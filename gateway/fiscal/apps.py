"""The gateway.fiscal app."""

from django.apps import AppConfig


class FiscalConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.fiscal"
    label = "gateway_fiscal"
