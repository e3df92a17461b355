# SPDX-License-Identifier: AGPL-3.0-or-later
"""TLS for small sites: a certificate and its key from two files, renewed while the edge runs.

The parent reads and checks the pair; workers are sent its content and need not be able to read the files. A renewed
pair serves new handshakes; connections that stand are not touched. A pair that is no good changes nothing.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Final

from cryptography import x509

_PROTOCOLS: Final = ["http/1.1"]


class CertificateError(Exception):
    """A certificate or its key cannot be used."""


class Certificate:
    """The pair that runs, from the parent's view. `rejection` says what is wrong with the files, "" for nothing."""

    def __init__(self, cert: Path, key: Path) -> None:
        """Raises CertificateError."""
        self.files = (cert, key)
        self.pem = self._read()
        self.rejection = ""

    def renew(self) -> bool:
        """Read the files again. True where they hold another good pair, which is `pem` from then on."""
        try:
            pem = self._read()
        except CertificateError as error:
            self.rejection = str(error)
            return False
        self.rejection = ""
        renewed = pem != self.pem
        self.pem = pem
        return renewed

    @property
    def expires_at(self) -> float:
        """When it ends, in seconds of Unix time."""
        return x509.load_pem_x509_certificate(self.pem).not_valid_after_utc.timestamp()

    def _read(self) -> bytes:
        cert, key = self.files
        try:
            pem = cert.read_bytes() + b"\n" + key.read_bytes()
        except OSError as error:
            raise CertificateError(f"{error.filename} cannot be read: {error.strerror}") from None
        try:
            use(server_context(), pem)
            x509.load_pem_x509_certificate(pem)
        except (ssl.SSLError, ValueError) as error:
            raise CertificateError(f"{cert} and {key} are no certificate with its key: {error}") from None
        return pem


def server_context() -> ssl.SSLContext:
    """TLS 1.2 or later, HTTP/1.1 only; without a certificate yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(_PROTOCOLS)
    return context


def use(context: ssl.SSLContext, pem: bytes) -> None:
    """Serve new handshakes with the certificate, chain and key in `pem`. Raises ssl.SSLError."""
    file = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(file, pem)
        # OpenSSL reads files alone; a key with a passphrase must not ask for it on some terminal.
        context.load_cert_chain(f"/proc/self/fd/{file}", password=b"")
    finally:
        os.close(file)
