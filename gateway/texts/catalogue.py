"""A set of sentences by key, complete in every language and sendable as GSM-7."""

import string
from collections.abc import Mapping
from typing import Final

from gateway.sms.gsm import not_gsm7
from gateway.texts.languages import FALLBACK, LANGUAGES, Language


class CatalogueError(ValueError):
    """A catalogue is incomplete, or a sentence cannot be sent; says which."""


class Catalogue:
    """Sentences by language and key; `{name}` marks a value.

    Checked when it is made: every language has every key with the same values, and every
    character is in the GSM-7 alphabet. Raises CatalogueError, so that a bad translation
    stops the start and not a household's session.
    """

    def __init__(self, *, name: str, texts: Mapping[Language, Mapping[str, str]]) -> None:
        self.name: Final = name
        self._texts: Final = {language: dict(texts[language]) for language in LANGUAGES}
        self._check()

    @property
    def keys(self) -> frozenset[str]:
        """Every key, the same in all languages."""
        return frozenset(self._texts[FALLBACK])

    def values_of(self, key: str) -> frozenset[str]:
        """The names of the values that sentence `key` wants."""
        return _values(self._texts[FALLBACK][key])

    def say(self, language: Language, key: str, /, **values: object) -> str:
        """Sentence `key` in `language`, values filled in; KeyError if one is missing."""
        return self._texts[language][key].format_map(values)

    def _check(self) -> None:
        for language, texts in self._texts.items():
            if missing := self.keys ^ texts.keys():
                raise CatalogueError(f"{self.name} {language}: keys differ: {sorted(missing)}")
            for key, text in texts.items():
                where = f"{self.name} {language} {key}"
                if strangers := not_gsm7(text):
                    raise CatalogueError(f"{where}: not in GSM-7: {strangers!r}")
                if _values(text) != self.values_of(key):
                    raise CatalogueError(f"{where}: values differ from {FALLBACK}")


def _values(text: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name)
