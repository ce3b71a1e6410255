"""Every USSD screen, checked when this package is imported."""

from gateway.ussd.registry import Registry
from gateway.ussd.screens import account, cash, menus, pin, top_up, vote

SCREENS = Registry(
    screens=(
        *menus.SCREENS,
        *account.SCREENS,
        *top_up.SCREENS,
        *pin.SCREENS,
        *cash.SCREENS,
        *vote.SCREENS,
    ),
    # Where a session can begin, and where the engine itself can send it.
    entrances=("unregistered", "accounts", "menu", "too_many_tries", "too_long"),
)
