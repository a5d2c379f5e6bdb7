"""Certificates of an authority that only the tests know."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Certificate:
    """One for a day, by an authority that was made with it; all are PEM.

    Args:
        chain: itself.
        key: its private key.
        root: whom one has to trust.
        file: that is in it.
    """

    chain: bytes
    key: bytes
    root: bytes
    file: Path

    @property
    def trust(self) -> ssl.SSLContext:
        """Whoever trusts it, and nobody else's."""
        return ssl.create_default_context(cafile=str(self.file))

    @classmethod
    def of(cls, folder: Path, *hosts: str) -> Certificate:
        """A new one for hosts: names or addresses."""
        key, signer = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of the tests")]), datetime.now(UTC)

        def made(subject: x509.Name, own: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
            builder = x509.CertificateBuilder(issuer, subject, own.public_key(), x509.random_serial_number())
            builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
            return builder.add_extension(identifier, critical=False)

        own = x509.SubjectKeyIdentifier.from_public_key(signer.public_key())
        root = made(issuer, signer).add_extension(x509.BasicConstraints(True, None), critical=True)
        root = root.add_extension(own, critical=False)
        names = x509.SubjectAlternativeName([_name(host) for host in hosts])
        leaf = made(x509.Name([]), key).add_extension(names, critical=True).sign(signer, SHA256())
        trusted = root.sign(signer, SHA256()).public_bytes(Encoding.PEM)
        (file := folder / "authority.pem").write_bytes(trusted)
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return cls(leaf.public_bytes(Encoding.PEM), plain, trusted, file)


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
