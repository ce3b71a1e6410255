"""Paths that providers call. The word mpesa is not allowed in them by the provider."""

from __future__ import annotations

from django.urls import path

from gateway.ussd.views import ussd
from gateway.webhooks import views

urlpatterns = [
    path("stripe", views.stripe),
    path("<str:secret>/ussd", ussd),
    path("<str:secret>/ussd/end", views.ussd_end),
    path("<str:secret>/sms", views.sms_inbound),
    path("<str:secret>/sms/delivery", views.sms_delivery),
    path("<str:secret>/sms/optout", views.sms_opt_out),
    path("<str:secret>/daraja/stk/<str:token>", views.daraja_stk),
    path("<str:secret>/daraja/validation", views.daraja_validation),
    path("<str:secret>/daraja/confirmation", views.daraja_confirmation),
    path("<str:secret>/daraja/result/<str:token>", views.daraja_result),
    path("<str:secret>/momo/<str:token>", views.momo),
    path("<str:secret>/pawapay", views.pawapay),
]
