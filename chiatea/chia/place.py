"""Where Chia's services are, out of its own config.yaml. Defaults are those of Chia 2.7.5."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from chiatea.chia.untrusted import integer, items, mapping, printable, text

__all__ = ["SERVICES", "ChiaPlace", "ChiaPlaceReader", "Credentials", "place_of"]

SERVICES: Final = {"farmer": 8559, "harvester": 8560, "full_node": 8555, "wallet": 9256}
"""Services that have an RPC, and its default port."""
_DAEMON_PORT: Final = 55400


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files that a client of a service shows and checks with."""

    certificate: Path
    key: Path
    authority: Path

    def versions(self) -> tuple[tuple[int, ...], ...]:
        """Changes when any of the files does.

        Raises:
            OSError: one of them is not there or may not be looked at.
        """
        stats = (os.stat(path) for path in (self.certificate, self.key, self.authority))  # noqa: PTH116 - asked often
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats)

    def context(self) -> ssl.SSLContext:
        """Mutual TLS as Chia does it: no host name is checked, as its certificates all carry the same one.

        Raises:
            OSError: a file cannot be read, or is no certificate or key (ssl.SSLError).
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.authority)
        context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True, slots=True)
class ChiaPlace:
    """One Chia root: its host, ports and certificates."""

    root: Path
    host: str
    daemon_port: int
    rpc_ports: Mapping[str, int]
    credentials: Mapping[str, Credentials]
    """By service, `daemon` among them."""
    plot_folders: tuple[str, ...]
    network_name: str | None

    def address(self, service: str) -> str:
        """Host and port of a service."""
        port = self.daemon_port if service == "daemon" else self.rpc_ports[service]
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{port}"


def place_of(config: object, root: Path) -> ChiaPlace:
    """Reads a parsed config.yaml; what is missing or strange is as Chia has it by default."""
    told = mapping(config)
    authority = _path(root, mapping(told.get("private_ssl_ca")).get("crt"), "config/ssl/ca/private_ca.crt")

    def credentials(name: str, section: Mapping[str, Any]) -> Credentials:
        folder = f"config/ssl/{name}/private_{name}"
        return Credentials(
            certificate=_path(root, section.get("private_crt"), f"{folder}.crt"),
            key=_path(root, section.get("private_key"), f"{folder}.key"),
            authority=authority,
        )

    sections = {name: mapping(told.get(name)) for name in SERVICES}
    by_service = {name: credentials(name, mapping(section.get("ssl"))) for name, section in sections.items()}
    by_service["daemon"] = credentials("daemon", mapping(told.get("daemon_ssl")))
    return ChiaPlace(
        root=root,
        host=text(told.get("self_hostname")) or "localhost",
        daemon_port=_port(told.get("daemon_port"), _DAEMON_PORT),
        rpc_ports={name: _port(sections[name].get("rpc_port"), port) for name, port in SERVICES.items()},
        credentials=by_service,
        plot_folders=tuple(filter(None, map(text, items(sections["harvester"].get("plot_directories"))))),
        network_name=text(told.get("selected_network")),
    )


def _port(value: object, default: int) -> int:
    port = integer(value)
    return port if port is not None and 0 < port < 65536 else default


def _path(root: Path, value: object, default: str) -> Path:
    return root / (text(value) or default)


class ChiaPlaceReader:
    """Reads config.yaml again whenever it changed."""

    def __init__(self, root: Path) -> None:
        """Reads nothing yet."""
        self._root = root
        self._path = root / "config" / "config.yaml"
        self._modified_time: int | None = None
        self._place: ChiaPlace | None = None
        self.error: str | None = None
        """Why config.yaml could not be read the last time; the place stays as it was before."""

    def place(self) -> ChiaPlace | None:
        """The place; None where this machine has no Chia."""
        path = self._path
        try:
            modified_time = path.stat().st_mtime_ns
            if modified_time != self._modified_time:
                # Chia replaces the file when it saves it, but older releases wrote it in place.
                loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
                config = yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506 - safe loaders both
                self._place = place_of(config, self._root)
                self._modified_time = modified_time
            self.error = None
        except (FileNotFoundError, NotADirectoryError):
            self._place = self._modified_time = self.error = None
        except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not YAML"
            self.error = printable(f"{path}: {reason}")
        return self._place


def one_line(error: BaseException) -> str:
    """An error as one line for a person."""
    if isinstance(error, TimeoutError):
        return "it gave no answer in time"
    if isinstance(error, OSError) and error.strerror:
        name = f"{os.fspath(error.filename)}: " if isinstance(error.filename, str | os.PathLike) else ""
        return printable(" ".join(f"{name}{error.strerror}".split()))
    words = " ".join(str(error).split()) or type(error).__name__
    return printable(words[:300])
