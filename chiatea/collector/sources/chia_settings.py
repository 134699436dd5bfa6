"""What Chia's own config.yaml says of where its services listen."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

__all__ = ["SERVICES", "ChiaSettings", "read_settings", "settings_of"]

SERVICES: Final = {"farmer": 8559, "harvester": 8560, "full_node": 8555, "wallet": 9256}
"""The services that are asked by RPC, with Chia's default ports (chia-blockchain 2.7.5, initial-config.yaml)."""
DEFAULT_DAEMON_PORT: Final = 55400
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class ChiaSettings:
    """Where Chia's services listen on this machine."""

    hostname: str = "localhost"
    daemon_port: int = DEFAULT_DAEMON_PORT
    rpc_ports: dict[str, int] = field(default_factory=lambda: dict(SERVICES))
    network_name: str = ""


def settings_of(document: Any) -> ChiaSettings:
    """The settings in a parsed config.yaml; a default where it says nothing usable."""
    if not isinstance(document, dict):
        return ChiaSettings()
    ports = {}
    for service, default in SERVICES.items():
        section = document.get(service)
        ports[service] = _port(section.get("rpc_port") if isinstance(section, dict) else None, default)
    hostname = document.get("self_hostname")
    network = document.get("selected_network")
    return ChiaSettings(
        hostname if isinstance(hostname, str) and hostname else "localhost",
        _port(document.get("daemon_port"), DEFAULT_DAEMON_PORT),
        ports,
        network if isinstance(network, str) else "",
    )


def _port(value: Any, default: int) -> int:
    return value if isinstance(value, int) and 0 < value < 65536 else default


def read_settings(chia_root: Path) -> ChiaSettings:
    """The settings of a Chia root; the defaults where its file is not there or cannot be understood."""
    try:
        with (chia_root / "config" / "config.yaml").open("rb") as file:
            return settings_of(yaml.load(file, _LOADER))  # noqa: S506 - the safe loader, in C where it is there
    except (OSError, yaml.YAMLError, RecursionError):
        return ChiaSettings()
