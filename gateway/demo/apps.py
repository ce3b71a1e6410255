"""The gateway.demo app."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.demo"
    label = "gateway_demo"
