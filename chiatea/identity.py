"""The id of this machine: made once, kept for ever."""

import os
import re
import secrets
from pathlib import Path
from typing import Final

from chiatea.errors import ConfigurationError

__all__ = ["machine_id_of"]

_FORM: Final = re.compile(r"[0-9a-f]{12}", re.ASCII)


def machine_id_of(state_folder: Path) -> str:
    """This machine's id, 12 hexadecimal digits; made and stored when there is none.

    It is short, as it stands in every row of the database; among a thousand machines two of 2^48 ids meet with a
    chance of one in 500 million.

    Raises:
        ConfigurationError: when it can neither be read nor stored.
    """
    path = state_folder / "machine_id"
    try:
        state_folder.mkdir(parents=True, exist_ok=True)
        try:
            return _read(path)
        except FileNotFoundError:
            pass
        # Linked from a file that is whole: of two processes that start at once, both read the first one's.
        temporary = path.with_name(f"machine_id.{os.getpid()}")
        temporary.write_text(secrets.token_hex(6) + "\n", encoding="ascii")
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
        return _read(path)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: this machine's id cannot be kept there: {error.strerror}", "set machine.state_folder"
        ) from None


def _read(path: Path) -> str:
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if not _FORM.fullmatch(text):
        raise ConfigurationError(
            f"{path}: holds no machine id", "put the 12 digits back, or delete it to be a new machine"
        )
    return text
