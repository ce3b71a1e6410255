"""The accounts app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Django's handle of the app."""

    name = "accounts"
