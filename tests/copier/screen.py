"""As much of a terminal as progress lines need: lines, the cursor up, a line cleared."""

import re

_PARTS = re.compile(r"\x1b\[(\d*)([AK])|([^\x1b])")


class Screen:
    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._lines: list[str] = [""]
        self._row = self._column = 0

    def write(self, text: str) -> None:
        for number, command, letter in _PARTS.findall(text):
            if command == "A":
                self._row = max(0, self._row - int(number))
            elif command == "K":
                self._lines[self._row] = ""
            elif letter == "\r":
                self._column = 0
            elif letter == "\n":
                self._row, self._column = self._row + 1, 0
                if self._row == len(self._lines):
                    self._lines.append("")
            else:
                assert self._column < self._columns, "a line is wider than the terminal"
                line = self._lines[self._row].ljust(self._column)
                self._lines[self._row] = line[: self._column] + letter + line[self._column + 1 :]
                self._column += 1

    def lines(self) -> list[str]:
        """What stands there, without empty lines at the end."""
        lines = [line.rstrip() for line in self._lines]
        while lines and not lines[-1]:
            lines.pop()
        return lines
