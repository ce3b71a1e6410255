"""The gateway.mail app."""

from django.apps import AppConfig


class MailConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.mail"
    label = "gateway_mail"
