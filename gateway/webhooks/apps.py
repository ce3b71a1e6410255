"""The gateway.webhooks app."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.webhooks"
    label = "gateway_webhooks"
