"""Paths of the API, below /api/."""

from __future__ import annotations

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from gateway.api.views.base import nothing_here
from gateway.api.views.deposits import HouseholdDepositAddress
from gateway.api.views.epochs import (
    EpochDataset,
    HouseholdProof,
    LeafProof,
    SiteContracts,
    SiteEpoch,
    SiteEpochs,
)
from gateway.api.views.households import HouseholdCharges, HouseholdList, HouseholdView
from gateway.api.views.money import SiteMoney
from gateway.api.views.rounds import RoundBallots, SiteRound, SiteRounds
from gateway.api.views.sites import (
    SiteList,
    SitePayouts,
    SitePlant,
    SitePrices,
    SiteReadings,
    SiteView,
)
from gateway.api.views.top_ups import OneTopUp, TopUps

app_name = "api"
urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="api:schema"), name="docs"),
    path("v1/sites/", SiteList.as_view(), name="sites"),
    path("v1/sites/<slug:slug>/", SiteView.as_view(), name="site"),
    path("v1/sites/<slug:slug>/prices/", SitePrices.as_view(), name="prices"),
    path("v1/sites/<slug:slug>/readings/", SiteReadings.as_view(), name="readings"),
    path("v1/sites/<slug:slug>/plant/", SitePlant.as_view(), name="plant"),
    path("v1/sites/<slug:slug>/money/", SiteMoney.as_view(), name="money"),
    path("v1/sites/<slug:slug>/payouts/", SitePayouts.as_view(), name="payouts"),
    path("v1/sites/<slug:slug>/rounds/", SiteRounds.as_view(), name="rounds"),
    path("v1/sites/<slug:slug>/rounds/<int:number>/", SiteRound.as_view(), name="round"),
    path(
        "v1/sites/<slug:slug>/rounds/<int:number>/ballots/",
        RoundBallots.as_view(),
        name="round_ballots",
    ),
    path("v1/sites/<slug:slug>/contracts/", SiteContracts.as_view(), name="contracts"),
    path("v1/sites/<slug:slug>/epochs/", SiteEpochs.as_view(), name="epochs"),
    path("v1/sites/<slug:slug>/epochs/<int:number>/", SiteEpoch.as_view(), name="epoch"),
    path(
        "v1/sites/<slug:slug>/epochs/<int:number>/dataset/",
        EpochDataset.as_view(),
        name="epoch_dataset",
    ),
    path("v1/leaves/<str:key>/proof/", LeafProof.as_view(), name="leaf_proof"),
    path("v1/households/", HouseholdList.as_view(), name="households"),
    path("v1/households/<str:code>/", HouseholdView.as_view(), name="household"),
    path("v1/households/<str:code>/charges/", HouseholdCharges.as_view(), name="charges"),
    path(
        "v1/households/<str:code>/deposit-address/",
        HouseholdDepositAddress.as_view(),
        name="deposit_address",
    ),
    path("v1/households/<str:code>/proof/", HouseholdProof.as_view(), name="household_proof"),
    path("v1/households/<str:code>/top-ups/", TopUps.as_view(), name="top_ups"),
    path("v1/households/<str:code>/top-ups/<uuid:uid>/", OneTopUp.as_view(), name="top_up"),
    re_path(r"^.*$", nothing_here),
]
