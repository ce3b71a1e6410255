"""Which device signs for a site."""

from __future__ import annotations

from accounts.models import Site
from gateway.fiscal.etims.account import read_account
from gateway.fiscal.etims.device import EtimsDevice, shared_client
from gateway.fiscal.interface import FiscalDevice


def key(*, site: Site) -> str:
    """Return what sites that share a device, and so its numbers, have in common.

    Raises LookupError for a site whose device is unknown, ValueError for a malformed account.
    """
    if site.fiscal_device == Site.FiscalDevice.ETIMS:
        account = read_account(site.fiscal_account)
        return f"etims:{account.tin}/{account.branch}"
    raise LookupError(f"site {site.slug} names an unknown fiscal device {site.fiscal_device!r}")


def device(*, site: Site) -> FiscalDevice:
    """Return the device of a site. Raises LookupError, ValueError as key() does."""
    if site.fiscal_device == Site.FiscalDevice.ETIMS:
        account = read_account(site.fiscal_account)
        return EtimsDevice(account=account, client=shared_client(account.tin, account.branch))
    raise LookupError(f"site {site.slug} names an unknown fiscal device {site.fiscal_device!r}")
