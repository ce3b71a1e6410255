"""Campaigns of the demo: each village collects for something, and tells how far that is."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from PIL import Image, ImageDraw

from accounts import campaign_photos, campaigns
from accounts.models import Campaign, Milestone, Site

LASTS = timedelta(days=180)
DAI = 10**18
KINDS = Milestone.Kind
SIZE = (640, 400)
SKY, EARTH, STEEL, PANEL, SUN = "#bfe3f7", "#c8a36a", "#2f6f4f", "#1d3557", "#f6c445"


@dataclass(frozen=True, kw_only=True)
class DemoCampaign:
    """What a village collects for. steps are the days, from its beginning, on which each was
    planned and reached (None: not yet)."""

    title: str
    title_fr: str
    story: str
    story_fr: str
    goal_wei: int
    steps: Mapping[str, tuple[int, int | None]]
    has_photo: bool = False


CAMPAIGNS = {
    "kisima": DemoCampaign(
        title="A second battery for Kisima",
        title_fr="Une deuxième batterie pour Kisima",
        story=(
            "Kisima's container fills its battery **by noon**. What the sun gives in the afternoon "
            "is lost, and after sunset power is dear.\n\n"
            "A second battery keeps that energy for the evening:\n\n"
            "- light for the clinic all night\n"
            "- a lower price after sunset for every household\n"
            "- room for the mill to run in the dark season\n\n"
            "Nobody earns on your gift: it pays the battery, its transport and its installation."
        ),
        story_fr=(
            "Le conteneur de Kisima remplit sa batterie **à midi**. L'énergie de l'après-midi est "
            "perdue, et le soir le courant est cher.\n\n"
            "Une deuxième batterie la garde pour la soirée :\n\n"
            "- de la lumière au dispensaire toute la nuit\n"
            "- un prix plus bas le soir pour chaque ménage\n"
            "- de quoi faire tourner le moulin en saison sombre\n\n"
            "Personne ne gagne sur votre don : il paie la batterie, son transport et sa pose."
        ),
        goal_wei=12_000 * DAI,
        steps={
            KINDS.ORDERED: (0, 1),
            KINDS.SHIPPED: (2, 3),
            KINDS.ARRIVED: (40, None),
            KINDS.INSTALLED: (55, None),
            KINDS.COMMISSIONED: (60, None),
        },
        has_photo=True,
    ),
    "lofe": DemoCampaign(
        title="Cold storage for Lofé's fishers",
        title_fr="Une chambre froide pour les pêcheurs de Lofé",
        story=(
            "Half of the catch spoils on the way to the market. A *cold room* on the container's "
            "power keeps it fresh for three days."
        ),
        story_fr=(
            "La moitié de la pêche se perd sur le chemin du marché. Une *chambre froide* "
            "alimentée par le conteneur la garde fraîche trois jours."
        ),
        goal_wei=10_000 * DAI,
        steps={KINDS.ORDERED: (30, None), KINDS.COMMISSIONED: (90, None)},
    ),
}


def collect(*, sites: Iterable[Site], at: datetime) -> None:
    """Open the campaigns that are missing, from the day that their site began; in a demo of long
    ago, from now."""
    for site in sites:
        told = CAMPAIGNS.get(site.slug)
        if told is not None and not Campaign.objects.filter(site=site).exists():
            is_young = at - site.created_at < LASTS / 2
            _open(told, site=site, at=site.created_at if is_young else at)


@transaction.atomic
def _open(told: DemoCampaign, *, site: Site, at: datetime) -> None:
    campaign = Campaign.objects.create(
        site=site,
        title=told.title,
        title_fr=told.title_fr,
        story=told.story,
        story_fr=told.story_fr,
        goal_wei=told.goal_wei,
        opens_at=at,
        deadline_at=at + LASTS,
        created_at=at,
    )
    for position, (kind, (planned, reached)) in enumerate(told.steps.items()):
        Milestone.objects.create(
            campaign=campaign,
            position=position,
            kind=kind,
            planned_on=(at + timedelta(days=planned)).date(),
            reached_on=None if reached is None else (at + timedelta(days=reached)).date(),
            **(_photo() if told.has_photo and kind == KINDS.ORDERED else {}),
        )
    campaigns.start(campaign=campaign, at=at)


def _photo() -> dict[str, object]:
    photo = campaign_photos.made_small(data=_drawn())
    return {
        "photo": photo.jpeg,
        "photo_hash": photo.hash,
        "photo_words": "Drawing: a green container with solar panels on its roof, under the sun",
        "photo_words_fr": "Dessin : un conteneur vert aux panneaux solaires, au soleil",
    }


def _drawn() -> bytes:
    """A container with panels on its roof, drawn in a few strokes."""
    image = Image.new("RGB", SIZE, SKY)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 300, *SIZE), fill=EARTH)
    pen.ellipse((500, 40, 580, 120), fill=SUN)
    pen.rectangle((140, 180, 480, 320), fill=STEEL)
    for left in range(150, 480, 20):
        pen.line((left, 185, left, 315), fill="#27583f", width=3)
    for left in (130, 245, 360):
        corners = [(left, 172), (left + 30, 120), (left + 130, 120), (left + 105, 172)]
        pen.polygon(corners, fill=PANEL, outline="white")
        pen.line((left + 15, 146, left + 117, 146), fill="white", width=2)
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()
