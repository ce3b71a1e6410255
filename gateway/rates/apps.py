"""The gateway.rates app."""

from django.apps import AppConfig


class RatesConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.rates"
    label = "gateway_rates"
