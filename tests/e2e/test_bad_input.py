"""Bad input: one clear line on stderr that names it, and exit code 2."""

import socket
from pathlib import Path

import pytest

from .conftest import Home


def one_line(home: Home, *arguments: str, code: int = 2) -> str:
    done = home.run(*arguments, check=False)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("chia-tea: ")
    return lines[0]


@pytest.mark.parametrize(
    "command", [("config", "validate"), ("serve",), ("collect",), ("copy",), ("status",), ("up", "--headless")]
)
def test_yaml_that_does_not_parse(home: Home, command: tuple[str, ...]) -> None:
    home.config.write_text("machine: {name: barn\nmonitoring: [")
    line = one_line(home, *command)
    assert "config.yml:3:1" in line or "config.yml:2:" in line
    assert "is not YAML" in line


def test_an_unknown_key(home: Home) -> None:
    home.write_config("copy: {source_folder: []}\n")
    assert "copy.source_folder: there is no such key: did you mean source_folders?" in one_line(home, "serve")


def test_all_faults_are_told_at_once(home: Home) -> None:
    home.config.write_text("monitoring: {server: {port: 0}}\nmachine: {nam: x}\nlogging: {loglevel: LOUD}\n")
    done = home.run("config", "validate", check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 3


@pytest.mark.parametrize("command", [("serve",), ("up", "--headless")])
def test_a_port_in_use(home: Home, command: tuple[str, ...]) -> None:
    home.run("certs", "create")
    with socket.socket() as other:
        other.bind(("127.0.0.1", home.port))
        other.listen()
        line = one_line(home, *command)
    assert f"cannot listen on 127.0.0.1:{home.port}: the port is in use" in line


def test_a_database_path_that_may_not_be_written(home: Home) -> None:
    home.config.write_text("monitoring: {server: {db_filepath: /proc/nowhere/farm.db}}\n")
    home.run("certs", "create")
    assert "/proc/nowhere/farm.db" in one_line(home, "serve")


def test_a_certificate_that_does_not_fit_its_key(home: Home, tmp_path: Path) -> None:
    home.run("certs", "create")
    certificate = home.config.parent / "server.cert"
    kept = certificate.read_bytes()
    home.run("certs", "create", "--force")
    certificate.write_bytes(kept)
    line = one_line(home, "serve")
    assert "server.cert" in line
    assert "server.key" in line


@pytest.mark.parametrize("command", [("config", "validate"), ("collect", "--once"), ("up", "--headless")])
def test_a_source_folder_that_is_a_file(home: Home, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "plots").write_text("")
    home.write_config(f"copy: {{source_folders: ['{tmp_path}/plots']}}\n")
    line = one_line(home, *command)
    assert f"copy.source_folders.0: {tmp_path}/plots is not a folder" in line


def test_a_configuration_that_is_not_there(home: Home) -> None:
    assert "/none.yml: there is no such file" in one_line(home, "serve", "--config", "/none.yml")


def test_a_server_without_certificates(home: Home) -> None:
    assert "certs create" in one_line(home, "serve")


def test_no_server(home: Home) -> None:
    home.run("certs", "create")
    assert f"no server answers at localhost:{home.port}" in one_line(home, "status", code=1)


def test_a_key_that_others_can_read(home: Home) -> None:
    home.run("certs", "create")
    (home.config.parent / "server.key").chmod(0o644)
    assert "chmod 600" in one_line(home, "serve")


def test_an_option_that_is_not_there(home: Home) -> None:
    assert "--colour" in one_line(home, "serve", "--colour")


def test_a_dashboard_without_a_terminal(home: Home) -> None:
    assert "needs a terminal" in one_line(home, "tui", code=1)


def test_a_file_where_the_state_folder_should_be(home: Home, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    home.config.write_text(f"machine: {{state_folder: '{tmp_path}/file/state'}}\n")
    assert "machine.state_folder" in one_line(home, "collect", "--once")


def test_certificates_are_not_replaced_by_accident(home: Home) -> None:
    home.run("certs", "create")
    key = (home.config.parent / "server.key").read_bytes()
    assert "server.key" in one_line(home, "certs", "create")
    assert (home.config.parent / "server.key").read_bytes() == key
