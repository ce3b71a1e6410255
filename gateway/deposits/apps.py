"""The gateway.deposits app."""

from django.apps import AppConfig


class DepositsConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.deposits"
    label = "gateway_deposits"
