"""eTIMS of the Kenya Revenue Authority, spoken to as an OSCU (its online control unit)."""
