import contextlib
import hmac
import json
import multiprocessing
import os
import stat
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiatea.errors import CertificateError
from chiatea.security.lock import locked
from chiatea.security.private_files import TOKEN_PATTERN
from chiatea.security.roles import Role
from chiatea.security.tokens import TokenStore, new_token

NOW = 1_800_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def store(path: Path) -> TokenStore:
    return TokenStore(path)


def _create_many(path: Path, count: int) -> None:
    for _ in range(count):
        TokenStore(path).create(Role.VIEWER, now=NOW)


def _die_with_the_lock(path: Path) -> None:
    with locked(path):
        os._exit(7)


def test_a_token_says_nothing_of_its_role_and_is_never_the_same() -> None:
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(TOKEN_PATTERN.fullmatch(token) for token in tokens)


@pytest.mark.parametrize("role", Role)
def test_a_created_token_is_known_by_its_role(store: TokenStore, role: Role) -> None:
    token = store.create(role, now=NOW, name="my laptop", machine_id="m1", expires=NOW + 10)
    entry = store.role_of(token, NOW)
    assert entry is not None
    assert (entry.role, entry.name, entry.machine_id, entry.created, entry.expires) == (
        role, "my laptop", "m1", NOW, NOW + 10,
    )  # fmt: skip
    assert TokenStore(store._path).role_of(token, NOW) == entry


def test_the_file_holds_no_token_and_is_its_owners(store: TokenStore, path: Path) -> None:
    token = store.create(Role.ADMIN, now=NOW)
    assert token[3:] not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_any_other_token_is_unknown(store: TokenStore) -> None:
    token = store.create(Role.ADMIN, now=NOW)
    entry = store.entries()[0]
    for other in ("", "ct_", token[:-1], token + "a", token.swapcase(), token + "\n", entry.hash, "é", "\udce9"):
        assert store.role_of(other, NOW) is None


@given(st.text())
def test_no_text_at_all_is_taken_for_a_token(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "shared-tokens.json"
    store = TokenStore(path)
    if not path.exists():
        store.create(Role.ADMIN, now=NOW)
    assert store.role_of(text, NOW) is None


def test_an_expired_token_is_refused_from_its_second_on(store: TokenStore) -> None:
    token = store.create(Role.VIEWER, now=NOW, expires=NOW + 60)
    assert store.role_of(token, NOW + 59.9) is not None
    assert store.role_of(token, NOW + 60) is None


def test_a_revoked_token_is_refused_by_a_store_that_is_open(store: TokenStore, path: Path) -> None:
    token, other = store.create(Role.VIEWER, now=NOW), store.create(Role.VIEWER, now=NOW)
    entry = store.role_of(token, NOW)
    assert entry is not None
    revoked = TokenStore(path).revoke(entry.id, now=NOW + 5)
    assert revoked.revoked == NOW + 5
    assert store.role_of(token, NOW + 5) is None
    assert store.role_of(other, NOW + 5) is not None
    assert TokenStore(path).revoke(entry.id, now=NOW + 9) == revoked


def test_an_unchanged_file_is_read_once(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    token = store.create(Role.VIEWER, now=NOW)
    assert store.role_of(token, NOW) is not None

    def fail(_: Path) -> bytes:
        raise AssertionError("read again")

    monkeypatch.setattr("chiatea.security.tokens.read_private_file", fail)
    assert store.role_of(token, NOW) is not None


def test_every_entry_is_compared_whichever_is_the_right_one(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = [store.create(Role.VIEWER, now=NOW) for _ in range(3)]
    compared: list[bool] = []
    real = hmac.compare_digest

    def spy(a: str, b: str) -> bool:
        compared.append(True)
        return real(a, b)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    for token in (*tokens, new_token()):
        compared.clear()
        store.role_of(token, NOW)
        assert len(compared) == 3


def test_revoking_what_is_not_there_names_what_is(store: TokenStore) -> None:
    store.create(Role.VIEWER, now=NOW)
    with pytest.raises(CertificateError, match=f"no token nope: known are {store.entries()[0].id}"):
        store.revoke("nope", now=NOW)


def test_a_token_is_added_once_and_must_be_one(store: TokenStore) -> None:
    token = new_token()
    store.add(token, Role.VIEWER, now=NOW)
    with pytest.raises(CertificateError, match="is known already"):
        store.add(token, Role.ADMIN, now=NOW)
    with pytest.raises(CertificateError, match="that is no token"):
        store.add("password", Role.ADMIN, now=NOW)


def test_a_store_without_its_file_accepts_nobody_and_says_what_to_do(store: TokenStore, path: Path) -> None:
    token = store.create(Role.ADMIN, now=NOW)
    assert store.role_of(token, NOW) is not None
    path.unlink()
    with pytest.raises(CertificateError, match="there is no such file: `chia-tea certs create`"):
        store.role_of(token, NOW)


def test_a_store_open_to_others_accepts_nobody(store: TokenStore, path: Path) -> None:
    token = store.create(Role.ADMIN, now=NOW)
    path.chmod(0o644)
    with pytest.raises(CertificateError, match="chmod 600"):
        store.role_of(token, NOW)


GOOD = {"id": "a", "role": "viewer", "hash": "0" * 64, "created": 1.0}


@pytest.mark.parametrize(
    "document",
    [
        "", "{", "[]", "null", "1", "{}", '{"version": 1}', '{"version": 1, "tokens": 3}', "[" * 100_000, "\x00",
        *(
            json.dumps({"version": 1, "tokens": [{**GOOD, **change}]})
            for change in (
                {"role": "god"}, {"role": 1}, {"role": None}, {"hash": ""}, {"hash": "0" * 63}, {"hash": None},
                {"id": ""}, {"id": 3}, {"created": "x"}, {"expires": "never"}, {"expires": True}, {"revoked": False},
                {"revoked": "no"}, {"expires": 10**400}, {"name": 3}, {"machine_id": ["a"]},
            )
        ),
        json.dumps({"version": 2, "tokens": [GOOD]}),
    ],
)  # fmt: skip
def test_a_damaged_store_is_refused_and_not_overwritten(store: TokenStore, path: Path, document: str) -> None:
    token = store.create(Role.ADMIN, now=NOW)
    path.write_text(document)
    before = path.read_bytes()
    for use in (store.entries, lambda: store.role_of(token, NOW), lambda: store.create(Role.ADMIN, now=NOW)):
        with pytest.raises(CertificateError) as caught:
            use()
        assert str(path) in str(caught.value)
        assert caught.value.hint
    assert path.read_bytes() == before


@given(st.text(alphabet=string.printable))
def test_any_text_as_a_store_is_tokens_or_a_certificate_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-tokens.json"
    path.touch(0o600)
    path.write_text(text)
    with contextlib.suppress(CertificateError):
        TokenStore(path).entries()


def test_two_processes_that_write_at_once_lose_no_token(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_create_many, args=(path, 15)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len({entry.id for entry in TokenStore(path).entries()}) == 30


def test_a_lock_that_is_held_too_long_is_an_error_that_names_it(path: Path) -> None:
    with locked(path), pytest.raises(CertificateError, match=r"\.tokens\.json\.lock: another chia-tea"):  # noqa: SIM117
        with locked(path, limit_seconds=0):
            pass
    with locked(path, limit_seconds=0):
        pass


def test_a_lock_dies_with_its_process(path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_die_with_the_lock, args=(path,))
    process.start()
    process.join(30)
    assert process.exitcode == 7
    with locked(path, limit_seconds=0):
        pass
