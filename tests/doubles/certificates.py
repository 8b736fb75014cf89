"""Certificates for the hostile upstream, good ones and bad ones, made anew for every run of the tests."""

import hashlib
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY: Final = timedelta(days=1)


class Authority:
    """An authority that signs certificates; whoever trusts `bundle` trusts them.

    Args:
        directory: for the files it writes.
        name: of the authority, and of its file.
        above: the authority that vouches for this one, if it does not do so itself.
    """

    def __init__(self, directory: Path, name: str, above: "Authority | None" = None) -> None:
        self._directory = directory
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        signer = above or self
        self._certificate = _sign(self._name, signer._name, self._key.public_key(), signer._key, authority=True)
        self.bundle = directory / f"{name}.pem"
        self.bundle.write_bytes(_pem(self._certificate))

    def fill(self, directory: Path) -> Path:
        """Make a directory one of trusted certificates, as `openssl rehash` does: files named for their subject."""
        canonical = self._name.public_bytes()[2:]  # X509_NAME_hash(3); the name is short, lower-case and of one part
        number = int.from_bytes(hashlib.sha1(canonical).digest()[:4], "little")
        (directory / f"{number:08x}.0").write_bytes(self.bundle.read_bytes())
        return directory

    def issue(
        self,
        *hosts: str,
        starts: timedelta = -DAY,
        ends: timedelta = DAY,
        common_name: str = "",
        self_signed: bool = False,
        names_its_issuer: bool = True,
    ) -> Path:
        """A file with a key and a certificate for these hosts.

        Args:
            hosts: names and addresses; with none, there is only the common name.
            starts: from when on it is valid, counted from now; `ends` likewise.
            self_signed: by its own key in place of the authority's.
            names_its_issuer: has an Authority Key Identifier, as RFC 5280 §4.2.1.1 demands.
        """
        key, subject = ec.generate_private_key(ec.SECP256R1()), _name(common_name or hosts[0])
        issuer, signer = (subject, key) if self_signed else (self._name, self._key)
        certificate = _sign(
            subject,
            issuer,
            key.public_key(),
            signer,
            hosts=hosts,
            starts=starts,
            ends=ends,
            names_its_issuer=names_its_issuer,
        )
        path = self._directory / f"{certificate.serial_number:x}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(private + _pem(certificate))
        return path


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _sign(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    hosts: tuple[str, ...] = (),
    starts: timedelta = -DAY,
    ends: timedelta = DAY,
    authority: bool = False,
    names_its_issuer: bool = True,
) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
    if names_its_issuer:
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(issuer_key, critical=False)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(host) for host in hosts]), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
