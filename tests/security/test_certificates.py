import ipaddress
import os
import socket
import ssl
import stat
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from chiatea.errors import CertificateError
from chiatea.security.certificates import (
    certificate_for,
    check_pair,
    create_certificate,
    fingerprint,
    new_key,
    server_name_of,
)

NOW = 1_800_000_000.0
DAY = 86400


@pytest.fixture(scope="module")
def key() -> bytes:
    return new_key()


@pytest.fixture(scope="module")
def certificate(key: bytes) -> bytes:
    return certificate_for(key, ["farm.example.org", "192.168.7.7"], now=NOW)


def _names_in(certificate: bytes) -> x509.SubjectAlternativeName:
    loaded = x509.load_pem_x509_certificate(certificate)
    return loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _authority(key: bytes) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    loaded = load_pem_private_key(key, None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    pair = x509.load_pem_x509_certificate(certificate_for(key, [], now=NOW))
    return (
        x509.CertificateBuilder(name, name, pair.public_key(), 1, pair.not_valid_before_utc, pair.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("authority")]), critical=False)
        .sign(loaded, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )


def test_a_certificate_holds_every_name_and_those_of_its_machine(certificate: bytes) -> None:
    names = _names_in(certificate)
    hosts = names.get_values_for_type(x509.DNSName)
    assert hosts[0] == "farm.example.org"
    assert {"localhost", "chia-tea", socket.gethostname()} <= set(hosts)
    addresses = set(names.get_values_for_type(x509.IPAddress))
    assert addresses == {ipaddress.ip_address(a) for a in ("192.168.7.7", "127.0.0.1", "::1")}


def test_a_certificate_without_names_still_holds_chia_tea(key: bytes) -> None:
    assert "chia-tea" in _names_in(certificate_for(key, [], now=NOW)).get_values_for_type(x509.DNSName)


def test_a_name_given_twice_is_there_once(key: bytes) -> None:
    hosts = _names_in(certificate_for(key, ["a", "a", "localhost"], now=NOW)).get_values_for_type(x509.DNSName)
    assert sorted(hosts) == sorted(set(hosts))


def test_a_host_name_that_no_certificate_can_hold_is_left_out(key: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "höf farm")
    certificate_for(key, [], now=NOW)


@pytest.mark.parametrize("name", ["", "höf", "a b", "a/b", "-a", "x" * 254, "a\n", "*", "1.2.3.4/24"])
def test_what_is_no_name_is_refused_by_name(key: bytes, name: str) -> None:
    with pytest.raises(CertificateError, match="is no host name and no IP address"):
        certificate_for(key, [name], now=NOW)


def test_a_long_name_is_held_though_it_is_too_long_for_a_common_name(key: bytes) -> None:
    name = "x" * 63 + ".example.org"
    assert server_name_of(certificate_for(key, [name], now=NOW)) == name


def test_key_and_certificate_have_their_modes_whatever_the_umask(tmp_path: Path) -> None:
    for umask in (0o000, 0o022, 0o077):
        folder = tmp_path / f"{umask:o}"
        before = os.umask(umask)
        try:
            create_certificate(folder / "server.key", folder / "server.cert", [], now=NOW)
        finally:
            os.umask(before)
        assert _mode(folder / "server.key") == 0o600
        assert _mode(folder / "server.cert") == 0o644
        assert sorted(path.name for path in folder.iterdir()) == ["server.cert", "server.key"]


@pytest.mark.parametrize("there", ["server.key", "server.cert"])
def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(CertificateError, match=f"{there}: is there already: move it away"):
        create_certificate(tmp_path / "server.key", tmp_path / "server.cert", [], now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_overwriting_makes_a_new_pair_that_fits(tmp_path: Path) -> None:
    key_filepath, cert_filepath = tmp_path / "server.key", tmp_path / "server.cert"
    create_certificate(key_filepath, cert_filepath, [], now=NOW)
    before = cert_filepath.read_bytes()
    key_filepath.chmod(0o644)
    create_certificate(key_filepath, cert_filepath, [], now=NOW, overwrite=True)
    check_pair(cert_filepath.read_bytes(), key_filepath.read_bytes(), now=NOW)
    assert fingerprint(before) != fingerprint(cert_filepath.read_bytes())
    assert _mode(key_filepath) == 0o600


def test_a_pair_fits(certificate: bytes, key: bytes) -> None:
    check_pair(certificate, key, now=NOW)


def test_a_pair_made_now_is_good_by_this_machines_clock(tmp_path: Path) -> None:
    create_certificate(tmp_path / "k", tmp_path / "c", [], now=time.time())
    check_pair((tmp_path / "c").read_bytes(), (tmp_path / "k").read_bytes())


def test_another_key_does_not_fit(certificate: bytes) -> None:
    with pytest.raises(CertificateError, match="does not belong to the key"):
        check_pair(certificate, new_key(), now=NOW)


@pytest.mark.parametrize("days", [-2, 3651])
def test_a_certificate_is_refused_outside_its_time(certificate: bytes, key: bytes, days: int) -> None:
    with pytest.raises(CertificateError, match=r"expired on 2037-01-1|is good from 2027-01-1\d only"):
        check_pair(certificate, key, now=NOW + days * DAY)


@pytest.mark.parametrize("garbage", [b"", b"no", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused(garbage: bytes, key: bytes) -> None:
    with pytest.raises(CertificateError, match="is no PEM certificate"):
        check_pair(garbage, key, now=NOW)
    for use in (server_name_of, fingerprint):
        with pytest.raises(CertificateError, match="is no PEM certificate"):
            use(garbage)


@given(data=st.data())
def test_a_certificate_that_was_tampered_with_is_refused(data: st.DataObject, certificate: bytes, key: bytes) -> None:
    der = bytearray(ssl.PEM_cert_to_DER_cert(certificate.decode()))
    # From its public key to its end: names, extensions and signature.
    public_key = x509.load_pem_x509_certificate(certificate).public_key()
    begin = der.index(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    der[data.draw(st.integers(begin, len(der) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CertificateError):
        check_pair(ssl.DER_cert_to_PEM_cert(bytes(der)).encode(), key, now=NOW)


def test_what_is_no_key_is_refused(certificate: bytes, key: bytes) -> None:
    for garbage in (b"", b"no", certificate, key[:-60]):
        with pytest.raises(CertificateError, match="is no PEM key"):
            check_pair(certificate, garbage, now=NOW)


def test_an_encrypted_key_is_refused_as_such(certificate: bytes, key: bytes) -> None:
    locked = load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    with pytest.raises(CertificateError, match="the key is encrypted"):
        check_pair(certificate, locked, now=NOW)


def test_a_key_that_cannot_sign_this_way_is_refused() -> None:
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(CertificateError, match="neither EC nor RSA"):
        certificate_for(other, [], now=NOW)


def test_a_persons_own_rsa_key_gets_a_certificate() -> None:
    own = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    check_pair(certificate_for(own, [], now=NOW), own, now=NOW)


def test_the_server_is_expected_under_its_certificates_own_name(certificate: bytes, key: bytes) -> None:
    assert server_name_of(certificate) == "farm.example.org"
    assert server_name_of(certificate_for(key, ["*.farm.lan", "10.0.0.1"], now=NOW)) not in {"*.farm.lan", None}


def test_the_certificate_of_an_authority_names_no_server(key: bytes) -> None:
    assert server_name_of(_authority(key)) is None


def test_the_fingerprint_is_the_keys(key: bytes, certificate: bytes) -> None:
    again = certificate_for(key, ["other"], now=NOW + DAY)
    assert fingerprint(again) == fingerprint(certificate)
    assert len(fingerprint(certificate)) == 64
    assert fingerprint(certificate_for(new_key(), [], now=NOW)) != fingerprint(certificate)
