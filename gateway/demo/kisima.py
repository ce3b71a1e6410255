"""Kisima in Kenya: shillings over M-Pesa."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings

from accounts.models import Rail, Site
from gateway.demo.villages import DemoVillage

KISIMA = DemoVillage(
    slug="kisima",
    code_prefix="KIS",
    phone_prefix="+2547110000",
    serial_prefix="SM",
    names=(
        "Amina Wanjiru",
        "Juma Mutua",
        "Claire Nzambi",
        "Peter Kilonzo",
        "Grace Mwende",
        "Hassan Abdi",
        "Mary Nduku",
        "Joseph Musyoka",
        "Fatuma Ali",
        "Daniel Kioko",
    ),
    language="sw",
    languages={1: "en", 2: "sw", 3: "fr"},
    rail={
        "provider": Rail.Provider.DARAJA,
        "code": "mpesa",
        "merchant_account": settings.DARAJA_SHORT_CODE,
        "currency": "KES",
        "min_top_up_minor": 1_000,
        "max_top_up_minor": 15_000_000,
    },
    site={
        "name": "Kisima",
        "country": "KE",
        "time_zone": "Africa/Nairobi",
        "latitude": Decimal("-1.75"),
        "longitude": Decimal("37.6"),
        "fiscal_device": Site.FiscalDevice.ETIMS,
        "fiscal_account": "P000000001A/00/KRACU0000000001",
    },
    local_per_dai=Decimal("129.25"),
    reference_ticks=2_500,
    floor_ticks=1_200,
    cap_ticks=4_500,
    cap_minor_per_kwh=6_000,
    split=(
        ("tax", 1_600),
        ("levies", 150),
        ("reserve", 1_000),
        ("grant", 2_000),
        ("contractor", 2_500),
        ("operator", 2_750),
    ),
    donations_dai=(5_000, 1_250, 333),
    opening_minor=dict.fromkeys(range(1, 10), 150_000) | dict.fromkeys((29, 30), 400_000),
    others_minor=(4_000, 8_000, 12_000, 20_000, 30_000),
    taxes=(("VAT", "B", 1_600),),
)
