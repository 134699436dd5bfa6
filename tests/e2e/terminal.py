"""A real terminal: a command in tmux, on a socket of its own, typed at and looked at as a person would."""

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .conftest import Home

__all__ = ["Terminal", "terminal"]


class Terminal:
    """`chia-tea` in a window of tmux."""

    def __init__(self, home: Home, folder: str, size: tuple[int, int], *arguments: str) -> None:
        # The path of a socket has some 100 characters at most: that of a test's own folder has more.
        self._socket = f"{folder}/tmux"
        self._home = home
        command = shlex.join([sys.executable, "-m", "chiatea", *arguments])
        width, height = map(str, size)
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", width, "-y", height, command)

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *arguments],
            env={**self._home.environment, "LC_ALL": "C.UTF-8", "TEXTUAL_ANIMATIONS": "none"},
            capture_output=True,
            text=True,
            timeout=15,
            check=check,
        )
        return done.stdout

    def screen(self) -> str:
        """What is on it; "" once the command has ended."""
        return self._tmux("capture-pane", "-p", check=False)

    def press(self, *keys: str) -> None:
        """Types keys, as tmux names them."""
        self._tmux("send-keys", *keys)

    def until(self, is_seen: Callable[[str], object]) -> str:
        """Waits for what is on it."""
        try:
            self._home.until(lambda: is_seen(self.screen()))
        except AssertionError:
            raise AssertionError(f"it is not seen:\n{self.screen()}") from None
        return self.screen()

    def end(self) -> None:
        self._tmux("kill-server", check=False)


@contextmanager
def terminal(home: Home, *arguments: str, size: tuple[int, int] = (120, 40)) -> Iterator[Terminal]:
    """A command in a terminal, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="chia-tea-") as folder:
        made = Terminal(home, folder, size, *arguments)
        try:
            yield made
        finally:
            made.end()
