"""Epochs that a renewable-energy certificate (D-REC, I-REC) claimed: they claim no CO2 any more.

The same energy must not be sold as a certificate and told as avoided CO2, so it is said once and
never taken back here. The tokens stay: they never were an attribute of the energy.
"""

from __future__ import annotations

from tokens.models import Epoch

LONGEST = 120


class NotClaimable(ValueError):
    """Another certificate claimed the epoch, it is not active, or the name is none."""


def claim(*, epoch: Epoch, certificate: str) -> Epoch:
    """Note which certificate claimed an active epoch, once. Raises NotClaimable."""
    name = " ".join(certificate.split())
    if not 0 < len(name) <= LONGEST:
        raise NotClaimable(f"Name the certificate in 1 to {LONGEST} characters.")
    claimed = Epoch.objects.filter(
        pk=epoch.pk, state=Epoch.State.ACTIVE, certificate__in=("", name)
    ).update(certificate=name)
    stored = Epoch.objects.get(pk=epoch.pk)
    if claimed:
        return stored
    if stored.certificate:
        raise NotClaimable(f"{stored.certificate} claimed this epoch already.")
    raise NotClaimable(f"The epoch is {stored.get_state_display()}: only an active one counts.")
