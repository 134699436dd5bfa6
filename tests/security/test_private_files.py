import os
import stat
from pathlib import Path

import pytest

from chiatea.errors import CertificateError
from chiatea.security.private_files import read_private_file, read_public_file, read_token, write_file

TOKEN = "ct_" + "a-_B7" * 8 + "abc"


@pytest.fixture
def private(tmp_path: Path) -> Path:
    path = tmp_path / "server.key"
    write_file(path, b"secret\n", mode=0o600)
    return path


def test_a_private_file_is_read(private: Path) -> None:
    assert read_private_file(private) == b"secret\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644, 0o666, 0o777])
def test_a_file_open_to_others_is_refused_with_the_command_that_closes_it(private: Path, mode: int) -> None:
    private.chmod(mode)
    with pytest.raises(CertificateError) as caught:
        read_private_file(private)
    assert f"{private}: others than its owner" in str(caught.value)
    assert str(caught.value).endswith(f"chmod 600 {private}")
    assert "\n" not in str(caught.value)
    assert read_public_file(private) == b"secret\n"


def test_the_command_that_closes_a_file_can_be_pasted_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "my key; rm -rf x"
    path.write_text("secret")
    path.chmod(0o644)
    with pytest.raises(CertificateError, match=r"chmod 600 '.*my key; rm -rf x'$"):
        read_private_file(path)


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_file_for_its_owner_alone_is_taken(private: Path, mode: int) -> None:
    private.chmod(mode)
    read_private_file(private)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "no.key", tmp_path / "no" / "no.key"):
        with pytest.raises(CertificateError, match=f"{path}: there is no such file: `chia-tea certs create`"):
            read_private_file(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="is a folder, not a file"):
        read_private_file(tmp_path)


def test_a_file_below_a_file_cannot_be_read(private: Path) -> None:
    with pytest.raises(CertificateError, match="cannot be read: Not a directory"):
        read_private_file(private / "below")


@pytest.mark.parametrize("content", [b"", b"\n", b"  \n\n"])
def test_an_empty_file_is_refused(private: Path, content: bytes) -> None:
    private.write_bytes(content)
    with pytest.raises(CertificateError, match="is empty"):
        read_private_file(private)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(CertificateError, match="is no ordinary file"):
        read_private_file(tmp_path / "pipe")


def test_a_file_that_may_not_be_read_is_refused(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(CertificateError, match="cannot be read: Permission denied: run as the user who owns it"):
        read_private_file(private)


def test_a_token_file_may_end_in_a_new_line(tmp_path: Path) -> None:
    for index, ending in enumerate(("", "\n", "\r\n", " \n\n")):
        path = tmp_path / f"{index}.token"
        write_file(path, f"{TOKEN}{ending}".encode(), mode=0o600)
        assert read_token(path) == TOKEN


@pytest.mark.parametrize("text", ["hello", TOKEN[:-1], TOKEN + "a", f"{TOKEN}\n{TOKEN}", "ct_é" + TOKEN[4:]])
def test_what_is_no_token_never_goes_on_the_wire(tmp_path: Path, text: str) -> None:
    write_file(tmp_path / "x.token", text.encode(), mode=0o600)
    with pytest.raises(CertificateError, match="holds no token") as caught:
        read_token(tmp_path / "x.token")
    assert text not in str(caught.value)


def test_a_written_file_has_its_mode_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    real = os.fsync

    def spy(descriptor: int) -> None:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            modes.append(stat.S_IMODE(status.st_mode))
            assert not (tmp_path / "key").exists()
        real(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    before = os.umask(0)
    try:
        write_file(tmp_path / "key", b"x", mode=0o600)
    finally:
        os.umask(before)
    assert modes == [0o600]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CertificateError, match="cannot be written: No space left on device"):
        write_file(private, b"new", mode=0o600, overwrite=True)
    assert private.read_bytes() == b"secret\n"
    assert list(private.parent.iterdir()) == [private]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_is_there_stays_also_where_there_are_no_hard_links(
    private: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    if not has_links:

        def no_links(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(Path, "hardlink_to", no_links)
    with pytest.raises(CertificateError, match="is there already"):
        write_file(private, b"new", mode=0o600)
    write_file(private.with_name("other"), b"new", mode=0o600)
    assert private.read_bytes() == b"secret\n"
    assert sorted(path.name for path in private.parent.iterdir()) == ["other", "server.key"]


def test_a_folder_that_is_made_is_its_owners(tmp_path: Path) -> None:
    write_file(tmp_path / "config" / "key", b"x", mode=0o600)
    assert stat.S_IMODE((tmp_path / "config").stat().st_mode) == 0o700
