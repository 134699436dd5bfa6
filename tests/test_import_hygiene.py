"""What a process loads it pays for, in time and in memory: proved by processes of their own."""

import importlib.util
import subprocess
import sys

import pytest

DRAWING = ("textual", "rich")
HEAVY = ("grpc", "pydantic", "aiohttp", "cryptography", "watchfiles", *DRAWING)


def _loaded_by(module: str) -> set[str]:
    script = (
        "import importlib, pkgutil, sys\n"
        f"package = importlib.import_module({module!r})\n"
        "for found in pkgutil.walk_packages(getattr(package, '__path__', []), package.__name__ + '.'):\n"
        "    importlib.import_module(found.name)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def _skip_unless_there(module: str) -> None:
    package = module.rpartition(".")[0]
    if importlib.util.find_spec(package) is None or importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not there yet")


@pytest.mark.parametrize(
    "module",
    [
        "chiatea.protobuf", "chiatea.state", "chiatea.config", "chiatea.security", "chiatea.wire", "chiatea.server",
        "chiatea.collector", "chiatea.copier", "chiatea.cli.main",
    ],
)  # fmt: skip
def test_nothing_headless_loads_what_draws(module: str) -> None:
    _skip_unless_there(module)
    assert not _loaded_by(module) & set(DRAWING)


def test_the_command_line_starts_without_what_only_some_commands_need() -> None:
    _skip_unless_there("chiatea.cli.main")
    assert not _loaded_by("chiatea.cli.main") & set(HEAVY)


def test_state_loads_neither_configuration_nor_wire() -> None:
    assert not _loaded_by("chiatea.state") & {"pydantic", "grpc", "yaml", "sqlite3", "asyncio"}


def test_roles_and_tokens_load_no_cryptography() -> None:
    assert "cryptography" not in _loaded_by("chiatea.security.tokens")
