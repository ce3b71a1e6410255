"""Pages of crypto money."""

from __future__ import annotations

from django.urls import path

from gateway.deposits.views import CryptoDonatePage, CryptoTopUpPage, DepositPage

app_name = "deposits"
urlpatterns = [
    path("top-up/crypto/", CryptoTopUpPage.as_view(), name="top_up"),
    path("donate/<slug:slug>/crypto/", CryptoDonatePage.as_view(), name="donate"),
    path("deposit/<uuid:uid>/", DepositPage.as_view(), name="deposit"),
]
