"""The gateway.handset app."""

from django.apps import AppConfig


class HandsetConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.handset"
    label = "gateway_handset"
