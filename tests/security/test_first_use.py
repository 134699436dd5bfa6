import multiprocessing
import stat
from pathlib import Path

import pytest

from chiatea.errors import CertificateError
from chiatea.security.certificates import check_pair, create_certificate, fingerprint, server_name_of
from chiatea.security.first_use import SecurityFiles, create_missing
from chiatea.security.private_files import read_token
from chiatea.security.roles import Role
from chiatea.security.tokens import TokenStore, new_token

NOW = 1_800_000_000.0
NAMES = {
    "server.key", "server.cert", "tokens.json", "collector.token", "viewer.token", "operator.token", "admin.token",
}  # fmt: skip


def files_in(folder: Path) -> SecurityFiles:
    return SecurityFiles(folder / "server.key", folder / "server.cert", folder / "tokens.json", folder)


@pytest.fixture
def files(tmp_path: Path) -> SecurityFiles:
    return files_in(tmp_path / "config")


def _contents(files: SecurityFiles) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in files.token_folder.iterdir() if not path.name.endswith(".lock")}


def _assert_whole(files: SecurityFiles) -> None:
    check_pair(files.cert_filepath.read_bytes(), files.key_filepath.read_bytes(), now=NOW)
    store = TokenStore(files.token_hashes_filepath)
    for role in Role:
        entry = store.role_of(read_token(files.token_filepath(role)), NOW)
        assert entry is not None
        assert entry.role is role


def _create(folder: Path, made: "multiprocessing.SimpleQueue[list[str]]") -> None:
    made.put([path.name for path in create_missing(files_in(folder), now=NOW)])


def test_on_first_use_all_is_made_and_fits(files: SecurityFiles) -> None:
    made = create_missing(files, now=NOW, common_names=["farm.lan"])
    assert {path.name for path in made} == NAMES
    _assert_whole(files)
    assert server_name_of(files.cert_filepath.read_bytes()) == "farm.lan"


def test_only_the_certificate_is_open_to_others(files: SecurityFiles) -> None:
    create_missing(files, now=NOW)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files.token_folder.iterdir()}
    assert modes.pop("server.cert") == 0o644
    assert set(modes.values()) == {0o600}


def test_a_second_time_nothing_is_made(files: SecurityFiles) -> None:
    create_missing(files, now=NOW)
    before = _contents(files)
    assert create_missing(files, now=NOW + 1) == ()
    assert _contents(files) == before


@pytest.mark.parametrize("missing", sorted(NAMES - {"server.key"}))
def test_one_missing_file_is_made_and_all_others_stay(files: SecurityFiles, missing: str) -> None:
    create_missing(files, now=NOW)
    before = _contents(files)
    (files.token_folder / missing).unlink()
    made = {path.name for path in create_missing(files, now=NOW)}
    assert made == {missing}
    after = _contents(files)
    changed = {name for name in NAMES if before[name] != after[name]}
    assert changed <= {missing, "tokens.json"}
    _assert_whole(files)


def test_a_certificate_made_anew_is_of_the_same_key(files: SecurityFiles) -> None:
    create_missing(files, now=NOW)
    before = fingerprint(files.cert_filepath.read_bytes())
    files.cert_filepath.unlink()
    create_missing(files, now=NOW)
    assert fingerprint(files.cert_filepath.read_bytes()) == before


def test_a_certificate_without_its_key_is_never_replaced(files: SecurityFiles) -> None:
    create_missing(files, now=NOW)
    files.key_filepath.unlink()
    before = files.cert_filepath.read_bytes()
    with pytest.raises(CertificateError, match=r"its key .*server\.key is not there"):
        create_missing(files, now=NOW)
    assert files.cert_filepath.read_bytes() == before
    assert not files.key_filepath.exists()


def test_a_pair_that_does_not_fit_is_refused(files: SecurityFiles, tmp_path: Path) -> None:
    create_missing(files, now=NOW)
    create_certificate(tmp_path / "k", tmp_path / "c", [], now=NOW)
    files.cert_filepath.write_bytes((tmp_path / "c").read_bytes())
    with pytest.raises(CertificateError, match="does not belong to the key"):
        create_missing(files, now=NOW)


def test_a_key_open_to_others_is_refused(files: SecurityFiles) -> None:
    create_missing(files, now=NOW)
    files.key_filepath.chmod(0o640)
    with pytest.raises(CertificateError, match="chmod 600"):
        create_missing(files, now=NOW)


def test_a_revoked_token_does_not_come_back(files: SecurityFiles) -> None:
    create_missing(files, now=NOW)
    store = TokenStore(files.token_hashes_filepath)
    token = read_token(files.token_filepath(Role.ADMIN))
    entry = store.role_of(token, NOW)
    assert entry is not None
    store.revoke(entry.id, now=NOW)
    assert create_missing(files, now=NOW) == ()
    assert store.role_of(token, NOW) is None


def test_a_token_of_another_server_is_left_alone(files: SecurityFiles) -> None:
    create_missing(files, now=NOW)
    path = files.token_filepath(Role.VIEWER)
    path.write_text(new_token())
    assert create_missing(files, now=NOW) == ()
    assert TokenStore(files.token_hashes_filepath).role_of(read_token(path), NOW) is None


def test_files_may_be_in_folders_of_their_own(tmp_path: Path) -> None:
    files = SecurityFiles(tmp_path / "a" / "k", tmp_path / "b" / "c", tmp_path / "d" / "t.json", tmp_path / "e")
    assert len(create_missing(files, now=NOW)) == len(NAMES)
    _assert_whole(files)


def test_two_processes_at_once_make_one_set(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    made = context.SimpleQueue()
    processes = [context.Process(target=_create, args=(tmp_path, made)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    both = sorted([*made.get(), *made.get()])
    assert both == sorted(NAMES)
    _assert_whole(files_in(tmp_path))
    assert len(TokenStore(tmp_path / "tokens.json").entries()) == len(Role)
