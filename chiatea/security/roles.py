"""What a token lets its holder do."""

from enum import StrEnum
from typing import Final

__all__ = ["Role", "allows"]


class Role(StrEnum):
    """The roles, from the least to the most for people; a collector stands apart.

    | role | may |
    |---|---|
    | collector | read and write its own machine's data |
    | viewer | read |
    | operator | read, and control copies |
    | admin | everything |
    """

    COLLECTOR = "collector"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


_INCLUDES: Final = {
    Role.COLLECTOR: frozenset({Role.COLLECTOR}),
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.OPERATOR: frozenset({Role.VIEWER, Role.OPERATOR}),
    Role.ADMIN: frozenset(Role),
}


def allows(role: Role, needed: Role) -> bool:
    """Whether a token of `role` may do what needs `needed`."""
    return needed in _INCLUDES[role]
