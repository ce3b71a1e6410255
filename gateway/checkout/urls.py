"""Pages on the way to a card payment."""

from __future__ import annotations

from django.urls import path

from gateway.checkout.views import DonatePage, PayPage, TopUpPage

app_name = "checkout"
urlpatterns = [
    path("donate/<slug:slug>/", DonatePage.as_view(), name="donate"),
    path("top-up/", TopUpPage.as_view(), name="top_up"),
    path("pay/<str:token>/", PayPage.as_view(), name="pay"),
]
