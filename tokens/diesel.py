"""CO2 that solar energy avoids against the diesel generator that a village would run without it.

Burning diesel gives 74.1 g of CO2 per megajoule of its heat (IPCC, 2006 Guidelines for National
Greenhouse Gas Inventories, volume 2, chapter 2, table 2.2: gas/diesel oil, 74,100 kg per TJ, lower
heating value). A kWh is 3.6 MJ, so a kWh of heat gives 266.76 g. We take the generator to make
electricity of a third of the heat; small ones at part load make less, so that the figure is rather
too low than too high. Pure.
"""

from __future__ import annotations

from fractions import Fraction

from accounts.money import MILLIWATT_HOURS_PER_KWH

GRAMS_PER_MEGAJOULE = Fraction(741, 10)
MEGAJOULES_PER_KWH = Fraction(36, 10)
EFFICIENCY = Fraction(1, 3)
GRAMS_PER_KWH = int(GRAMS_PER_MEGAJOULE * MEGAJOULES_PER_KWH / EFFICIENCY)
"""800, rounded down."""


def avoided_grams(*, milliwatt_hours: int) -> int:
    """Return the grams of CO2 that so much solar energy avoids, rounded down."""
    return milliwatt_hours * GRAMS_PER_KWH // MILLIWATT_HOURS_PER_KWH
