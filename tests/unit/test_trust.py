"""Which certificates are trusted, and which settings can never work."""

import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from function.errors import ConfigError
from function.trust import tls_context
from tests.doubles.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


def names(context: ssl.SSLContext) -> set[str]:
    """The subjects of the authorities that are trusted, as far as OpenSSL has loaded them."""
    return {str(certificate["subject"]) for certificate in context.get_ca_certs()}


def subject(name: str) -> str:
    return str(((("commonName", name),),))


def test_a_file_is_trusted_and_nothing_else(authority: Authority) -> None:
    assert names(tls_context(str(authority.bundle))) == {subject("ours")}


def test_without_a_bundle_those_of_requests_are_trusted() -> None:
    assert len(names(tls_context(None))) > 50


def test_more_certificates_are_trusted_besides(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    more = f"# F\u0151tan\xfas\xedtv\xe1ny\n{other.bundle.read_text()}"

    assert names(tls_context(str(authority.bundle), more)) == {subject("ours"), subject("other")}


def test_certificates_and_host_names_are_verified_and_a_common_name_is_no_host_name(authority: Authority) -> None:
    context = tls_context(str(authority.bundle))

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.hostname_checks_common_name is False


@pytest.mark.parametrize(
    "text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_more_certificates_that_are_none_are_refused_by_the_name_of_their_variable(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^K_CA_CERTS holds no certificates that can be read$"):
        tls_context(None, text)


@pytest.mark.parametrize("text", ["", "no certificate"])
def test_a_file_without_certificates_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "bundle.pem").write_text(text)

    with pytest.raises(ConfigError, match=r"^REQUESTS_CA_BUNDLE holds no certificates that can be read$"):
        tls_context(str(tmp_path / "bundle.pem"))


def test_a_file_that_is_not_there_any_more_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^REQUESTS_CA_BUNDLE holds no certificates that can be read$"):
        tls_context(str(tmp_path / "gone.pem"))


def test_a_directory_with_hashed_names_is_taken(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "hashed").mkdir()

    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(tls_context(str(authority.bundle)), Authority(tmp_path, "other"))
    assert shaken(tls_context(str(authority.fill(tmp_path / "hashed"))), authority) == "http/1.1"


def shaken(client: ssl.SSLContext, authority: Authority) -> str | None:
    """The protocol that a client agrees on with a server, whose certificate is of the authority."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(authority.issue("server.example"))
    server.set_alpn_protocols(["h2", "http/1.1"])
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname="server.example"),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for end in (*ends, *ends):
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    return ends[0].selected_alpn_protocol()


@pytest.mark.parametrize("name", [None, "ca.pem", "0123abcd", "0123abcd.pem", "0123ABCD.0", "0123abcd.r0", "123abcd.0"])
def test_a_directory_without_hashed_names_is_refused(authority: Authority, tmp_path: Path, name: str | None) -> None:
    directory = tmp_path / "directory"
    directory.mkdir()
    if name:
        (directory / name).write_bytes(authority.bundle.read_bytes())

    with pytest.raises(
        ConfigError,
        match=r"^REQUESTS_CA_BUNDLE is a directory without certificates under hashed names: "
        r"run `openssl rehash` on it, or name a file$",
    ):
        tls_context(str(directory))
