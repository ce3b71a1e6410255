"""The dashboard app."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """Django's handle of the app."""

    name = "dashboard"
