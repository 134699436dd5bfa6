"""What a token lets its holder do.

    role        writes a machine's data   reads   controls copies   all else
    collector   its own machine's          no         no              no
    viewer              no                yes         no              no
    operator            no                yes        yes              no
    admin              yes                yes        yes             yes

A collector is apart: the token on a harvester far away shows nothing of the farm to whoever takes it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = ["Role", "allows"]


class Role(StrEnum):
    """What a token is for. Its text is what stands in tokens.json and in the names of the token files."""

    COLLECTOR = "collector"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


_INCLUDES: Final[Mapping[Role, frozenset[Role]]] = MappingProxyType(
    {
        Role.COLLECTOR: frozenset({Role.COLLECTOR}),
        Role.VIEWER: frozenset({Role.VIEWER}),
        Role.OPERATOR: frozenset({Role.OPERATOR, Role.VIEWER}),
        Role.ADMIN: frozenset(Role),
    }
)


def allows(role: Role, needed: Role) -> bool:
    """Whether the holder of one role may do what needs another."""
    return needed in _INCLUDES[role]
