import pytest

from chiatea.security.roles import Role, allows

TABLE = {
    Role.COLLECTOR: {Role.COLLECTOR},
    Role.VIEWER: {Role.VIEWER},
    Role.OPERATOR: {Role.OPERATOR, Role.VIEWER},
    Role.ADMIN: {Role.COLLECTOR, Role.VIEWER, Role.OPERATOR, Role.ADMIN},
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("needed", Role)
def test_a_role_allows_what_the_table_says(role: Role, needed: Role) -> None:
    assert allows(role, needed) == (needed in TABLE[role])


def test_a_role_is_written_as_its_name() -> None:
    assert [f"{role}" for role in Role] == ["collector", "viewer", "operator", "admin"]
