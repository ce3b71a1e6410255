"""The sentences of the USSD screens, one module per language."""

from gateway.texts.catalogue import Catalogue
from gateway.texts.ussd import en, fr, sw

USSD = Catalogue(name="ussd", texts={"en": en.TEXTS, "fr": fr.TEXTS, "sw": sw.TEXTS})
