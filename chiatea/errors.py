"""Every error that chia-tea raises for a reason a person can mend.

    ChiaTeaError                 exit code 1
    ├── ConfigurationError       exit code 2: config.yml, an option, or a file they name
    │   └── CertificateError     a certificate, key or token that cannot be used
    ├── ConnectionFailedError    the server cannot be reached
    │   └── RefusedError         it was reached, and refused us
    ├── DatabaseError            the database cannot be used
    └── ProtocolError            the other side sent what it may not

A message says what and where; a hint says what to do. At the command line both make one line.
"""

__all__ = [
    "CertificateError",
    "ChiaTeaError",
    "ConfigurationError",
    "ConnectionFailedError",
    "DatabaseError",
    "ProtocolError",
    "RefusedError",
]


class ChiaTeaError(Exception):
    """The base: a message, a hint that may be empty, and the exit code of a command that ends with it."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def lines(self) -> list[str]:
        """One line for each fault: almost always one."""
        lines = [" ".join(line.split()) for line in self.message.splitlines()]
        if self.hint:
            lines[-1] = f"{lines[-1]}: {self.hint}"
        return lines

    def __str__(self) -> str:
        """Message and hint as one line."""
        text = f"{self.message}: {self.hint}" if self.hint else self.message
        return " ".join(text.split())


class ConfigurationError(ChiaTeaError):
    """The configuration, or something it names, is wrong."""

    exit_code = 2


class CertificateError(ConfigurationError):
    """A certificate, key or token cannot be used."""


class ConnectionFailedError(ChiaTeaError):
    """The server cannot be reached."""


class RefusedError(ConnectionFailedError):
    """The server was reached and refused us."""


class DatabaseError(ChiaTeaError):
    """The database cannot be opened, read or written."""


class ProtocolError(ChiaTeaError):
    """The other side sent something that the protocol forbids."""
