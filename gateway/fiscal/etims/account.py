"""A site's account at eTIMS, and the keys of its devices."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ACCOUNT = re.compile(
    r"(?P<tin>[A-Z][0-9]{9}[A-Z])/(?P<branch>[0-9]{2})(?:/(?P<unit>[A-Za-z0-9-]{1,40}))?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class EtimsAccount:
    """Tax number (PIN), branch, and the control unit's id as it is printed on receipts."""

    tin: str
    branch: str
    unit: str


def read_account(text: str) -> EtimsAccount:
    """Read "P000000001A/00/KRACU0000000001"; without a control unit the PIN stands for it."""
    match = _ACCOUNT.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"{text!r} is no eTIMS account: write PIN/branch/control unit, "
            "e.g. P000000001A/00/KRACU0000000001"
        )
    return EtimsAccount(
        tin=match["tin"], branch=match["branch"], unit=match["unit"] or match["tin"]
    )


def key_of(*, keys: str, tin: str, branch: str) -> str:
    """Return the communication key of a device: one key for all, or "PIN/branch=key, ...".

    Raises LookupError where there is none.
    """
    named = {}
    for part in (part.strip() for part in keys.split(",") if part.strip()):
        name, separator, value = part.partition("=")
        if not separator:
            return part
        named[name.strip()] = value.strip()
    try:
        return named[f"{tin}/{branch}"]
    except KeyError:
        raise LookupError(f"ETIMS_API_KEY has no key of {tin}/{branch}") from None
