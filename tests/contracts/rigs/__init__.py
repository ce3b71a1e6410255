"""Every provider that keeps the contract. A new one is added here."""

from __future__ import annotations

from tests.contracts.rigs.daraja import DarajaRig
from tests.contracts.rigs.momo import MomoRig
from tests.contracts.rigs.pawapay import PawapayRig
from tests.contracts.rigs.rig import Rig
from tests.contracts.rigs.stripe import StripeRig

RIGS: dict[str, type[Rig]] = {
    "daraja": DarajaRig,
    "momo": MomoRig,
    "pawapay": PawapayRig,
    "stripe": StripeRig,
}

__all__ = ["RIGS", "Rig"]
