"""The gateway.donors app."""

from django.apps import AppConfig


class DonorsConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.donors"
    label = "gateway_donors"
