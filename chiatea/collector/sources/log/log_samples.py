"""Lines that were not understood: one sample of each form, so that a changed log shows as what it is."""

import re
from collections import OrderedDict
from typing import Final

from chiatea.collector.sources.log.log_form import without_colours

__all__ = ["SAMPLE_LETTERS", "Samples", "form_of", "plain"]

SAMPLE_LETTERS: Final = 200
_KEPT: Final = 5
_FORM_LETTERS: Final = 120
_VALUES: Final = re.compile(r"\b(?:0x)?[0-9a-fA-F]{8,}\b|(?:/[^\s/,'\"]+){2,}|\d+(?:[.:,-]\d+)*")


def plain(text: str, n_letters: int = SAMPLE_LETTERS) -> str:
    """The beginning of a line, without colours and control characters."""
    text = without_colours(text[: 2 * n_letters])[:n_letters]
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def form_of(text: str) -> str:
    """A line with its numbers, hashes and paths put aside: lines that say the same have the same."""
    return _VALUES.sub("#", plain(text, 2 * _FORM_LETTERS))[:_FORM_LETTERS]


class Samples:
    """The newest line of each of the newest few forms."""

    def __init__(self) -> None:
        """None yet."""
        self._by_form: OrderedDict[str, str] = OrderedDict()

    def add(self, text: str) -> None:
        """Keeps a line, in place of the last one of its form."""
        form = form_of(text)
        self._by_form[form] = plain(text)
        self._by_form.move_to_end(form)
        while len(self._by_form) > _KEPT:
            self._by_form.popitem(last=False)

    def all(self) -> list[str]:
        """The newest last."""
        return list(self._by_form.values())
