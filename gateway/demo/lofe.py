"""Lofé in Senegal: CFA francs, which have no cents, over pawaPay."""

from __future__ import annotations

from decimal import Decimal

from accounts.models import Rail
from gateway.demo.villages import DemoVillage

LOFE = DemoVillage(
    slug="lofe",
    code_prefix="LOF",
    phone_prefix="+2217700000",
    serial_prefix="SL",
    names=(
        "Awa Diop",
        "Moussa Ndiaye",
        "Fatou Sow",
        "Ibrahima Fall",
        "Aminata Sarr",
        "Cheikh Guèye",
        "Mariama Ba",
        "Ousmane Faye",
        "Khady Cissé",
        "Abdoulaye Diouf",
    ),
    language="fr",
    rail={
        "provider": Rail.Provider.PAWAPAY,
        "code": "pawapay-sen",
        "merchant_account": "SEN/ORANGE_SEN",
        "currency": "XOF",
        "min_top_up_minor": 100,
        "max_top_up_minor": 1_000_000,
    },
    site={
        "name": "Lofé",
        "country": "SN",
        "time_zone": "Africa/Dakar",
        "latitude": Decimal("14.7"),
        "longitude": Decimal("-15.5"),
    },
    local_per_dai=Decimal("604"),
    reference_ticks=2_500,
    floor_ticks=1_200,
    cap_ticks=4_100,
    # 250 francs, of which the cap in DAI stays below at the first site rate.
    cap_minor_per_kwh=250,
    split=(
        ("tax", 1_525),
        ("levies", 100),
        ("reserve", 1_000),
        ("grant", 1_500),
        ("contractor", 2_800),
        ("operator", 3_075),
    ),
    donations_dai=(4_000, 900, 250),
    opening_minor=dict.fromkeys(range(1, 10), 7_000) | dict.fromkeys((29, 30), 19_000),
    others_minor=(200, 400, 600, 1_000, 1_500),
)
