"""The gateway.providers app."""

from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.providers"
    label = "gateway_providers"
    verbose_name = "Providers and reconciliation"
