"""The Django project and the edge of the service."""

from gateway.celery import app as celery_app

__all__ = ["celery_app"]
