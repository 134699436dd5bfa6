"""Client certificates for Chia's RPC and daemon."""

import ssl
from pathlib import Path

__all__ = ["ClientCertificates"]


class ClientCertificates:
    """The TLS context of one service, made again when Chia renews its certificates."""

    def __init__(self, chia_root: Path, service: str) -> None:
        """Uses config/ssl/SERVICE/private_SERVICE.crt and .key under Chia's root, and Chia's private authority."""
        folder = chia_root / "config" / "ssl"
        self._files = (
            folder / "ca" / "private_ca.crt",
            folder / service / f"private_{service}.crt",
            folder / service / f"private_{service}.key",
        )
        self._stamps: tuple[int, ...] = ()
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext | None:
        """The context; None where Chia has no such service here.

        Raises:
            OSError: when a certificate cannot be read or is damaged (ssl.SSLError is one).
        """
        try:
            stamps = tuple(path.stat().st_mtime_ns for path in self._files)
        except FileNotFoundError:
            return None
        if self._context is None or stamps != self._stamps:
            authority, certificate, key = self._files
            context = ssl.create_default_context(cafile=authority)
            # Chia's certificates carry no host names; its authority lacks an extension that strict checks ask for.
            context.check_hostname = False
            context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
            context.load_cert_chain(certificate, key)
            self._context, self._stamps = context, stamps
        return self._context
