"""Share cards: made and revoked by donors, shown to everybody who has the address."""

from __future__ import annotations

from hashlib import sha256

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import get_language
from django.views import View
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page

from accounts.models import Donor
from gateway.wallet import card_image
from gateway.wallet.donor_page import donors_of
from gateway.wallet.limits import is_too_often
from tokens import donor_impact, share_cards
from tokens.share_cards import CardRefused

CARDS_A_MINUTE = 5
LANGUAGES = ("en", "fr")
_CHECKED = [conditional_page, cache_control(public=True, no_cache=True)]


class Cards(View):
    """`/donor/cards/` and `/donor/gift/<token>/cards/`: makes a card of a site (`site`), or takes
    one back (`revoke`)."""

    def post(self, request: HttpRequest, token: str = "") -> HttpResponse:
        donors = donors_of(request, token=token)
        if not donors:
            raise Http404
        back = reverse("wallet:gift", args=[token]) if token else reverse("wallet:donor")
        if "revoke" in request.POST:
            is_revoked = share_cards.revoke(
                donors=donors, key=request.POST["revoke"][:22], at=timezone.now()
            )
            if not is_revoked:
                raise Http404
            return redirect(f"{back}#cards")
        if is_too_often(request, what="card", times_a_minute=CARDS_A_MINUTE):
            return redirect(f"{back}?refused=too_often#cards")
        try:
            _make(donors, slug=request.POST.get("site", ""))
        except CardRefused as error:
            return redirect(f"{back}?refused=card_{error.code}#cards")
        return redirect(f"{back}#cards")


@method_decorator([gzip_page, *_CHECKED], name="dispatch")
class CardPage(View):
    """`/donor/card/<key>/`: a card for everybody, with what a preview of it needs."""

    def get(self, request: HttpRequest, key: str) -> HttpResponse:
        card = share_cards.shown(key=key)
        if card is None:
            raise Http404
        told = share_cards.figures_of(card=card)
        language = get_language() or ""
        image_url = reverse(
            "wallet:card_image", args=[key, language if language in LANGUAGES else LANGUAGES[0]]
        )
        lines = card_image.lines(told)
        words = {
            "title": card_image.title(told),
            "lines": lines,
            "day": card_image.day(told),
            "summary": ". ".join([*lines, card_image.day(told)]),
            "slug": card.site.slug,
            "image_url": image_url,
            "public_image_url": settings.PUBLIC_URL + image_url,
            "public_url": settings.PUBLIC_URL + request.path,
            "width": card_image.WIDTH,
            "height": card_image.HEIGHT,
        }
        response = render(request, "wallet/card.html", words)
        response["X-Robots-Tag"] = "noindex"
        return response


@method_decorator(_CHECKED, name="dispatch")
class CardImage(View):
    """`/donor/card/<key>/<language>.png`: the picture, as it was drawn when the card was made."""

    def get(self, request: HttpRequest, key: str, language: str) -> HttpResponse:
        card = share_cards.shown(key=key)
        if card is None or language not in LANGUAGES:
            raise Http404
        content = bytes(card.image_fr if language == "fr" else card.image_en)
        response = HttpResponse(content, content_type="image/png")
        response["ETag"] = f'"{sha256(content).hexdigest()}"'
        response["X-Robots-Tag"] = "noindex"
        return response


def _make(donors: list[Donor], *, slug: str) -> None:
    """Draw and store a card of one of the donors' sites. Raises CardRefused."""
    impact = next(
        (each for each in donor_impact.impacts(donors=donors) if each.site.slug == slug), None
    )
    if impact is None:
        raise CardRefused("site", f"no gift to {slug}")
    told = share_cards.figures(impact=impact, made_on=timezone.now().date())
    share_cards.make(
        donors=donors,
        site=impact.site,
        told=told,
        image_en=card_image.draw(told=told, language="en"),
        image_fr=card_image.draw(told=told, language="fr"),
    )
