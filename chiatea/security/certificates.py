"""The server's key and certificate: making them, checking them, and the name to expect in them.

The certificate signs itself and clients pin it: they trust this one and nothing else, so there is no authority to
run and none to be fooled by. (`read_private_file` is here too, as keys are read with it.)
"""

import datetime as dt
import hashlib
import ipaddress
import re
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chiatea.errors import CertificateError
from chiatea.security.private_files import PRIVATE, PUBLIC, read_private_file, read_public_file, write_file

__all__ = [
    "SERVER_NAME",
    "certificate_for",
    "check_pair",
    "create_certificate",
    "fingerprint",
    "new_key",
    "read_private_file",
    "read_public_file",
    "server_name_of",
]

SERVER_NAME: Final = "chia-tea"
"""A name that every certificate made here holds."""

_ALWAYS: Final = ("localhost", "127.0.0.1", "::1")
_DNS_NAME: Final = re.compile(r"(?=.{1,253}\Z)(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_MAX_COMMON_NAME: Final = 64
_DAY_SECONDS: Final = 86400
_NEW_PAIR: Final = "move the key and the certificate away and run `chia-tea certs create`"


def create_certificate(
    key_filepath: Path,
    cert_filepath: Path,
    common_names: Iterable[str],
    *,
    now: float,
    valid_days: int = 3650,
    overwrite: bool = False,
) -> None:
    """Writes a new key (0600) and a certificate for it (0644) that signs itself.

    Args:
        key_filepath: where the key goes.
        cert_filepath: where the certificate goes.
        common_names: host names and IP addresses of the server; those of this machine are added.
        now: UTC seconds since the epoch.
        valid_days: how long the certificate is good for.
        overwrite: whether files that are there are replaced.

    Raises:
        CertificateError: when a file is there already, cannot be written, or a name is none.
    """
    names = tuple(common_names)
    for path in (key_filepath, cert_filepath):
        if not overwrite and path.exists():
            raise CertificateError(
                f"{path}: is there already", "move it away first; every client needs the new certificate then"
            )
    key = new_key()
    certificate = certificate_for(key, names, now=now, valid_days=valid_days)
    write_file(key_filepath, key, mode=PRIVATE, overwrite=overwrite)
    write_file(cert_filepath, certificate, mode=PUBLIC, overwrite=overwrite)


def new_key() -> bytes:
    """A new key on the curve P-256, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def certificate_for(key_bytes: bytes, common_names: Iterable[str], *, now: float, valid_days: int = 3650) -> bytes:
    """A certificate as PEM that the key signs for itself, good from one day before `now` (UTC seconds).

    Raises:
        CertificateError: when the key cannot be used or a name is none.
    """
    names = tuple(common_names)
    key = _loaded_key(key_bytes)
    alternative_names = _alternative_names(names)
    common_name = names[0] if names and len(names[0]) <= _MAX_COMMON_NAME else SERVER_NAME
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    begin = dt.datetime.fromtimestamp(int(now) - _DAY_SECONDS, dt.UTC)
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=valid_days + 1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(alternative_names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(key_id, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _alternative_names(names: tuple[str, ...]) -> list[x509.GeneralName]:
    host = socket.gethostname()
    of_this_machine = (host,) if _DNS_NAME.fullmatch(host) else ()
    unique = dict.fromkeys(_general_name(name) for name in (*names, *of_this_machine, *_ALWAYS, SERVER_NAME))
    return list(unique)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        if _DNS_NAME.fullmatch(name) is None:
            raise CertificateError(
                f"{name!r} is no host name and no IP address", "write it as farm.example.org or 192.168.1.10"
            ) from None
        return x509.DNSName(name)


def check_pair(cert_bytes: bytes, key_bytes: bytes, *, now: float | None = None) -> None:
    """Looks whether a server can use a certificate and a key together.

    Args:
        cert_bytes: the certificate as PEM; the first one, where it is a chain.
        key_bytes: the key as PEM.
        now: UTC seconds since the epoch; None: this machine's clock.

    Raises:
        CertificateError: when either is not what it should be or damaged, the key is another one's, or the
            certificate's time has not come or is over.
    """
    certificate = _loaded_certificate(cert_bytes)
    if _public_bytes(certificate.public_key()) != _public_bytes(_loaded_key(key_bytes).public_key()):
        raise CertificateError(
            "the certificate does not belong to the key", f"put back the one that does, or {_NEW_PAIR}"
        )
    if certificate.issuer == certificate.subject:
        try:
            certificate.verify_directly_issued_by(certificate)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            raise CertificateError("the certificate is damaged: its signature does not fit it", _NEW_PAIR) from None
    at = dt.datetime.fromtimestamp(time.time() if now is None else now, dt.UTC)
    if at > certificate.not_valid_after_utc:
        day = certificate.not_valid_after_utc.date()
        raise CertificateError(f"the certificate expired on {day}", _NEW_PAIR)
    if at < certificate.not_valid_before_utc:
        day = certificate.not_valid_before_utc.date()
        raise CertificateError(f"the certificate is good from {day} only", "is this machine's clock right?")


def server_name_of(cert_bytes: bytes) -> str | None:
    """The name to expect of a server whose own certificate is pinned, by whatever address it is reached.

    Only the holder of the key can show that certificate, so its own name is as good as the address. None for the
    certificate of an authority, which signs many servers' and says nothing of their names, and for one without names.

    Raises:
        CertificateError: when it is no certificate.
    """
    certificate = _loaded_certificate(cert_bytes)
    extensions = certificate.extensions
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return None
    except x509.ExtensionNotFound:
        pass
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    return next((name for name in names.get_values_for_type(x509.DNSName) if "*" not in name), None)


def fingerprint(cert_bytes: bytes) -> str:
    """SHA-256, in hex, of a certificate's public key: the same for every certificate of one key.

    Raises:
        CertificateError: when it is no certificate.
    """
    return hashlib.sha256(_public_bytes(_loaded_certificate(cert_bytes).public_key())).hexdigest()


def _loaded_certificate(cert_bytes: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(cert_bytes)
        # Both are parsed only when they are asked for: what cannot be parsed is found here.
        certificate.public_key()
        certificate.extensions  # noqa: B018
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise CertificateError(
            "the certificate is no PEM certificate",
            "it begins with -----BEGIN CERTIFICATE-----; copy it from the server's machine again",
        ) from None
    return certificate


def _loaded_key(key_bytes: bytes) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    try:
        key = load_pem_private_key(key_bytes, password=None)
    except TypeError:
        raise CertificateError("the key is encrypted", "a service cannot ask for its password: decrypt it") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError("the key is no PEM key", f"put the right one back, or {_NEW_PAIR}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise CertificateError("the key is neither EC nor RSA", _NEW_PAIR)
    return key


def _public_bytes(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
