"""Words of a language, from `locales/`: one JSON file each, so that a new one is only data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from babel import Locale

from invoice_renderer._exceptions import LocaleError

_LOCALES = files(__package__) / "locales"


@dataclass(frozen=True, slots=True)
class Words:
    """The phrases of one language; a phrase with a count has one form for each plural."""

    locale: Locale
    phrases: Mapping[str, str | Mapping[str, str]]

    def __call__(self, key: str, /, **values: str) -> str:
        """Give the phrase with its ``{placeholders}`` filled in.

        Raises:
            LocaleError: the phrase has forms by count.
        """
        phrase = self.phrases[key]
        if not isinstance(phrase, str):
            raise LocaleError(f"locales/{self.locale}.json: {key!r} depends on a count.")
        return phrase.format(**values)

    def counted(self, key: str, count: int, /, **values: str) -> str:
        """Give the form of the phrase that goes with a count.

        Raises:
            LocaleError: the phrase has no such forms.
        """
        forms = self.phrases[key]
        if isinstance(forms, str):
            raise LocaleError(f"locales/{self.locale}.json: {key!r} needs a form for each plural.")
        return forms[self.locale.plural_form(count)].format(**values)


def available_locales() -> tuple[str, ...]:
    """Name the languages that documents can be made in."""
    return tuple(
        sorted(entry.name.removesuffix(".json") for entry in _LOCALES.iterdir() if entry.name.endswith(".json"))
    )


@cache
def words_of(locale: str) -> Words:
    """Read the words of a language.

    Raises:
        LocaleError: there are none.
    """
    if locale not in available_locales():
        raise LocaleError(
            f"there are no words for the locale {locale!r}: expected one of {', '.join(available_locales())}."
        )
    phrases = json.loads((_LOCALES / f"{locale}.json").read_text(encoding="utf-8"))
    return Words(locale=Locale.parse(locale), phrases=phrases)
