"""Pages of donors who log in by e-mail."""

from __future__ import annotations

from django.urls import path

from gateway.donors.views import AskPage, LinkPage, NewsPage

app_name = "donors"
urlpatterns = [
    path("donor/link/", AskPage.as_view(), name="ask"),
    path("donor/link/<str:token>/", LinkPage.as_view(), name="link"),
    path("donor/news/<str:token>/", NewsPage.as_view(), name="news"),
]
