"""Counterpart of Africa's Talking: SMS both ways, USSD sessions, and the phones themselves."""
