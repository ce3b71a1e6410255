"""The tokens app."""

from django.apps import AppConfig


class TokensConfig(AppConfig):
    """Django's handle of the app."""

    name = "tokens"
