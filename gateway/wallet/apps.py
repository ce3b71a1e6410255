"""The gateway.wallet app."""

from django.apps import AppConfig


class WalletConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.wallet"
    label = "gateway_wallet"
