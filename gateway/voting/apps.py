"""The gateway.voting app."""

from django.apps import AppConfig


class VotingConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.voting"
    label = "gateway_voting"
