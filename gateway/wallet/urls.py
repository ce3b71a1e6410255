"""Pages of holders."""

from __future__ import annotations

from django.urls import path

from gateway.wallet.cards import CardImage, CardPage, Cards
from gateway.wallet.donor_page import DonorPage, GiftPage, ImpactTable
from gateway.wallet.views import (
    ClaimPage,
    EnterPage,
    FirstWalletPage,
    HouseholdWalletPage,
    LeavePage,
    NextWalletPage,
    ProofPage,
)

app_name = "wallet"
urlpatterns = [
    path("donor/", DonorPage.as_view(), name="donor"),
    path("donor/impact.csv", ImpactTable.as_view(), name="csv"),
    path("donor/cards/", Cards.as_view(), name="cards"),
    path("donor/card/<str:key>/", CardPage.as_view(), name="card"),
    path("donor/card/<str:key>/<str:language>.png", CardImage.as_view(), name="card_image"),
    path("donor/enter/", EnterPage.as_view(), name="enter"),
    path("donor/leave/", LeavePage.as_view(), name="leave"),
    path("donor/wallet/<uuid:uid>/", NextWalletPage.as_view(), name="next_wallet"),
    path("donor/gift/<str:token>/", GiftPage.as_view(), name="gift"),
    path("donor/gift/<str:token>/impact.csv", ImpactTable.as_view(), name="gift_csv"),
    path("donor/gift/<str:token>/cards/", Cards.as_view(), name="gift_cards"),
    path("donor/gift/<str:token>/wallet/", FirstWalletPage.as_view(), name="first_wallet"),
    path("proof/<str:key>/", ProofPage.as_view(), name="proof"),
    path("proof/<str:key>/wallet/", HouseholdWalletPage.as_view(), name="household_wallet"),
    path("proof/<str:key>/claim/", ClaimPage.as_view(), name="claim"),
]
