"""The gateway.sms app."""

from django.apps import AppConfig


class SmsConfig(AppConfig):
    """Django's handle of the app."""

    name = "gateway.sms"
    label = "gateway_sms"
