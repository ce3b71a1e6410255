"""The gateway.api app."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.api"
    label = "gateway_api"
