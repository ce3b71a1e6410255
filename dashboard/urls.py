"""Public pages."""

from __future__ import annotations

from django.urls import path

from dashboard.buy import BuyPage
from dashboard.grants import GrantsPage
from dashboard.impact import ImpactPage, VerifyProgram
from dashboard.money import MoneyPage
from dashboard.span_pages import BatteryPage, ConsumptionPage, ProductionPage
from dashboard.views import SitePage, SitesPage

app_name = "dashboard"
urlpatterns = [
    path("", SitesPage.as_view(), name="sites"),
    path("sites/<slug:slug>/", SitePage.as_view(), name="site"),
    path("sites/<slug:slug>/battery/", BatteryPage.as_view(), name="battery"),
    path("sites/<slug:slug>/production/", ProductionPage.as_view(), name="production"),
    path("sites/<slug:slug>/consumption/", ConsumptionPage.as_view(), name="consumption"),
    path("sites/<slug:slug>/impact/", ImpactPage.as_view(), name="impact"),
    path("sites/<slug:slug>/buy/", BuyPage.as_view(), name="buy"),
    path("sites/<slug:slug>/grants/", GrantsPage.as_view(), name="grants"),
    path("sites/<slug:slug>/money/", MoneyPage.as_view(), name="money"),
    path("verify.py", VerifyProgram.as_view(), name="verify"),
]
