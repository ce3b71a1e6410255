"""Public pages of receipts."""

from __future__ import annotations

from django.urls import path

from gateway.fiscal import views

app_name = "fiscal"
urlpatterns = [path("<uuid:uid>/", views.receipt, name="receipt")]
