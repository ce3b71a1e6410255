"""The gateway.checkout app."""

from django.apps import AppConfig


class CheckoutConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.checkout"
    label = "gateway_checkout"
