"""The sentences of the SMS messages, one module per language."""

from gateway.texts.catalogue import Catalogue
from gateway.texts.sms import en, fr, sw

SMS = Catalogue(name="sms", texts={"en": en.TEXTS, "fr": fr.TEXTS, "sw": sw.TEXTS})
