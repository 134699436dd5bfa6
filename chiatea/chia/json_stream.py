"""A large JSON object read as it comes: the items of its lists one by one, all else as a whole. Pure.

An incremental parser of JSON would do the same, but the one there is (ijson) refuses names of files that are no UTF-8,
which Chia writes as lone surrogates, and reads all of the text once for each list that is asked for.
"""

import codecs
import json
import re
from collections.abc import Generator, Iterator
from typing import Any, Final

__all__ = ["JsonStream"]

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_AFTER_VALUE: Final = frozenset(" \t\r\n,:]}")
_MOST_LETTERS: Final = 1024 * 1024
"""No item is longer: what does not end within this is no answer of Chia's."""

_Told = tuple[str, Any]


class JsonStream:
    """One JSON object that comes in pieces."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._json = json.JSONDecoder()
        self._text = ""
        self._at = 0
        self._reading = self._read()
        next(self._reading)
        self.is_complete = False

    def feed(self, piece: bytes) -> Iterator[_Told]:
        """Keys and values, as far as they are complete: a list's items each with the list's key.

        Raises:
            ValueError: it is no JSON object.
            RecursionError: it is nested too deep.
        """
        self._text = self._text[self._at :] + self._decoder.decode(piece)
        self._at = 0
        told = next(self._reading)
        while told is not None:
            yield told
            told = next(self._reading)
        if len(self._text) - self._at > _MOST_LETTERS:
            raise ValueError("an item is too long")

    def _read(self) -> Generator[_Told | None, None, None]:
        """Gives None whenever it needs more text."""
        yield None
        yield from self._expect("{")
        if (yield from self._letter()) == "}":
            self._at += 1
        else:
            yield from self._members()
        self.is_complete = True
        while True:
            self._at = _end_of_space(self._text, self._at)
            if self._at < len(self._text):
                raise ValueError("there is more than one object")
            yield None

    def _members(self) -> Generator[_Told | None, None, None]:
        while True:
            key = yield from self._value()
            if not isinstance(key, str):
                raise ValueError("a key is no text")  # noqa: TRY004 - it is the text that is wrong
            yield from self._expect(":")
            if (yield from self._letter()) == "[":
                yield from self._items(key)
            else:
                value = yield from self._value()
                yield key, value
            if (yield from self._separator("}")):
                return

    def _items(self, key: str) -> Generator[_Told | None, None, None]:
        self._at += 1
        if (yield from self._letter()) == "]":
            self._at += 1
            return
        while True:
            item = yield from self._value()
            yield key, item
            if (yield from self._separator("]")):
                return

    def _separator(self, end: str) -> Generator[_Told | None, None, bool]:
        letter = yield from self._letter()
        if letter not in {",", end}:
            raise ValueError(f"{letter!r} is not expected there")
        self._at += 1
        return letter == end

    def _expect(self, wanted: str) -> Generator[_Told | None, None, None]:
        if (yield from self._letter()) != wanted:
            raise ValueError(f"there is no {wanted!r} where one is expected")
        self._at += 1

    def _letter(self) -> Generator[_Told | None, None, str]:
        """The next letter that is no space, which stays."""
        while True:
            self._at = _end_of_space(self._text, self._at)
            if self._at < len(self._text):
                return self._text[self._at]
            yield None

    def _value(self) -> Generator[_Told | None, None, Any]:
        yield from self._letter()
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                pass
            else:
                # A number may go on in the next piece: "1" or "1." may become "1.5".
                if end < len(self._text) and self._text[end] in _AFTER_VALUE:
                    self._at = end
                    return value
            yield None


def _end_of_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match is not None else at
