"""Pages of votes."""

from __future__ import annotations

from django.urls import path

from gateway.voting.views import PublishedCount, RoundPage
from gateway.voting.voting_views import ProposePage, SignPage, VotePage

app_name = "voting"
urlpatterns = [
    path("sites/<slug:slug>/rounds/<int:number>/", RoundPage.as_view(), name="round"),
    path(
        "sites/<slug:slug>/rounds/<int:number>/count.json",
        PublishedCount.as_view(),
        name="published",
    ),
    path("sites/<slug:slug>/propose/", ProposePage.as_view(), name="propose"),
    path("vote/<uuid:uid>/", VotePage.as_view(), name="vote"),
    path("vote/<uuid:uid>/sign/", SignPage.as_view(), name="sign"),
]
