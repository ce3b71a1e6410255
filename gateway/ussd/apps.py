"""The gateway.ussd app."""

from django.apps import AppConfig


class UssdConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.ussd"
    label = "gateway_ussd"
