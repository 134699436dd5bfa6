"""The server's key and certificate.

A client is given the certificate itself and trusts nothing else, so no authority is needed, and the name in the
certificate need not be the address that a client happens to use.
"""

import hashlib
import ipaddress
import socket
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chiatea.errors import CertificateError
from chiatea.security.private_files import write_file

__all__ = ["check_pair", "create_certificate", "fingerprint", "server_name_of"]

OWN_NAME: Final = "chia-tea"
VALID_DAYS: Final = 3650


def create_certificate(
    key_filepath: Path,
    cert_filepath: Path,
    common_names: Iterable[str],
    *,
    now: datetime,
    valid_days: int = VALID_DAYS,
    overwrite: bool = False,
) -> None:
    """Makes a key (EC P-256, mode 0600) and a certificate that it signs itself.

    Args:
        key_filepath: where the key goes.
        cert_filepath: where the certificate goes.
        common_names: host names and IP addresses of the server, beside this machine's own.
        now: the first moment in which the certificate is valid, less a day for clocks that are behind.
        valid_days: days until it ends.
        overwrite: whether files that are there are replaced.

    Raises:
        CertificateError: when a name cannot stand in a certificate, or a file is there or cannot be written.
    """
    for filepath in (key_filepath, cert_filepath):
        if filepath.exists() and not overwrite:
            raise CertificateError(
                f"{filepath}: is there already",
                "with another key every client needs the new server.cert; --force replaces it",
            )
    names = list(dict.fromkeys([*common_names, OWN_NAME, "localhost", "127.0.0.1", "::1", socket.gethostname()]))
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=valid_days))
        .add_extension(x509.SubjectAlternativeName(list(_alternative_names(names))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_file(key_filepath, private, mode=0o600)
    write_file(cert_filepath, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def _alternative_names(names: Iterable[str]) -> Iterator[x509.GeneralName]:
    for name in names:
        try:
            yield x509.IPAddress(ipaddress.ip_address(name))
            continue
        except ValueError:
            pass
        if not name or not name.isascii() or any(c.isspace() or c in "/:@\\" for c in name) or len(name) > 253:
            raise CertificateError(
                f"{name!r} cannot be in a certificate", "--common-name takes a host name or an IP address"
            )
        yield x509.DNSName(name)


def _parsed(certificate: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(certificate)
    except ValueError:
        raise CertificateError("this is no certificate in PEM form", "copy server.cert from the server again") from None


def check_pair(certificate: bytes, key: bytes, *, now: datetime | None = None) -> None:
    """Makes sure that a certificate and a key (PEM) can serve.

    Raises:
        CertificateError: when one of them is none, they do not belong together, or the certificate has ended.
    """
    parsed = _parsed(certificate)
    try:
        private = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError):
        raise CertificateError("the key is no private key in PEM form without a password", "make a new pair") from None
    spki = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*spki) != parsed.public_key().public_bytes(*spki):
        raise CertificateError(
            "the certificate does not fit the key", "put back the pair, or `chia-tea certs create --force`"
        )
    if parsed.not_valid_after_utc < (now or datetime.now(UTC)):
        raise CertificateError(
            f"the certificate ended on {parsed.not_valid_after_utc:%Y-%m-%d}", "`chia-tea certs create --force`"
        )


def server_name_of(certificate: bytes) -> str | None:
    """The name to expect of a server that is known by its own certificate; None for an authority's certificate.

    Raises:
        CertificateError: when this is no certificate.
    """
    parsed = _parsed(certificate)
    try:
        if parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return None
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    dns_names = names.get_values_for_type(x509.DNSName)
    return OWN_NAME if OWN_NAME in dns_names else next(iter(dns_names), None)


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of the certificate's public key, in hex: what stays when the certificate is renewed for its key.

    Raises:
        CertificateError: when this is no certificate.
    """
    public_key = _parsed(certificate).public_key()
    spki = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()
