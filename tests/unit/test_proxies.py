"""Which proxy an origin has; `requests` is the judge of what its users know."""

import os
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from requests.utils import get_auth_from_url, get_environ_proxies, select_proxy

from function.errors import ConfigError
from function.proxies import Proxy, find_proxy

API: Final = "https://gaussdb.region.example"
PROXY: Final = "http://proxy.example:3128"
FOUND: Final = Proxy("proxy.example", 3128, None, "HTTPS_PROXY")


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTP_PROXY": PROXY}, None),
        ({"HTTPS_PROXY": PROXY}, FOUND),
        ({"https_proxy": PROXY}, Proxy("proxy.example", 3128, None, "https_proxy")),
        ({"ALL_PROXY": PROXY}, Proxy("proxy.example", 3128, None, "ALL_PROXY")),
        ({"all_proxy": PROXY}, Proxy("proxy.example", 3128, None, "all_proxy")),
        ({"HTTPS_PROXY": PROXY, "ALL_PROXY": "http://other"}, FOUND),
        ({"HTTPS_PROXY": PROXY, "all_proxy": "http://other"}, FOUND),
        ({"HTTPS_PROXY": "http://other", "https_proxy": PROXY}, Proxy("proxy.example", 3128, None, "https_proxy")),
        ({"HTTPS_PROXY": PROXY, "https_proxy": ""}, None),
        ({"HTTPS_PROXY": "", "ALL_PROXY": PROXY}, Proxy("proxy.example", 3128, None, "ALL_PROXY")),
    ],
)
def test_the_scheme_s_own_variable_counts_before_that_for_all_and_lower_case_before_upper(
    environment: Mapping[str, str], found: Proxy | None
) -> None:
    assert find_proxy(API, environment) == found
    assert (found is not None) == (select_by_requests(API, environment) is not None)


def test_another_scheme_has_another_variable() -> None:
    assert find_proxy("http://broker.example/", {"HTTP_PROXY": PROXY, "HTTPS_PROXY": "http://other"}) == Proxy(
        "proxy.example", 3128, None, "HTTP_PROXY"
    )


NOT_BY_PROXY: Final = (
    ("https://gaussdb.region.example", "region.example"),
    ("https://gaussdb.region.example", ".region.example"),
    ("https://gaussdb.region.example:8443", "gaussdb.region.example:8443"),
    ("https://gaussdb.region.example", "other, gaussdb.region.example"),
    ("https://gaussdb.region.example", "*"),
    ("https://10.1.2.3", "10.1.2.3"),
    ("https://10.1.2.3:8443/path", "10.0.0.0/8"),
)
BY_PROXY: Final = (
    ("https://gaussdb.region.example", ""),
    ("https://gaussdb.region.example", "egion.example"),
    ("https://gaussdb.region.example:8443", "gaussdb.region.example:443"),
    ("https://10.1.2.3", "10.2.0.0/16"),
    ("https://10.1.2.3", "10.1.2.33"),
)


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize(("origin", "no_proxy"), [*NOT_BY_PROXY, *BY_PROXY])
def test_no_proxy_is_read_as_requests_reads_it(origin: str, no_proxy: str, name: str) -> None:
    environment = {"HTTPS_PROXY": PROXY, name: no_proxy}

    assert (find_proxy(origin, environment) is None) == ((origin, no_proxy) in NOT_BY_PROXY)
    assert (select_by_requests(origin, environment) is None) == ((origin, no_proxy) in NOT_BY_PROXY)


def test_the_lower_case_no_proxy_counts_first() -> None:
    environment = {"HTTPS_PROXY": PROXY, "no_proxy": "elsewhere.example", "NO_PROXY": "*"}

    assert find_proxy(API, environment) == FOUND


@pytest.mark.parametrize("origin", ["https://127.0.0.1:8443", "https://localhost", "https://[::1]"])
def test_a_loopback_address_has_no_proxy_whatever_is_set(origin: str) -> None:
    assert find_proxy(origin, {"HTTPS_PROXY": "socks5h://proxy.example"}) is None


def test_a_proxy_that_is_not_used_may_be_of_any_kind() -> None:
    assert find_proxy(API, {"HTTPS_PROXY": PROXY, "ALL_PROXY": "socks5h://proxy.example"}) == FOUND
    assert find_proxy(API, {"ALL_PROXY": "socks5h://proxy.example", "NO_PROXY": "region.example"}) is None


@pytest.mark.parametrize(
    ("url", "host", "port", "pair"),
    [
        ("http://proxy.example:3128", "proxy.example", 3128, None),
        ("HTTP://proxy.example:3128/", "proxy.example", 3128, None),
        ("http://proxy.example", "proxy.example", 80, None),
        ("proxy.example:3128", "proxy.example", 3128, None),
        ("Xproxy_1X", "Xproxy_1X", 80, None),
        ("http://10.0.0.1:1", "10.0.0.1", 1, None),
        ("http://[fd00::1]:65535", "fd00::1", 65535, None),
        ("http://user:password@proxy.example:3128", "proxy.example", 3128, "user:password"),
        ("http://user@proxy.example", "proxy.example", 80, "user:"),
        ("http://user:@proxy.example", "proxy.example", 80, "user:"),
        ("http://:password@proxy.example", "proxy.example", 80, None),
        ("http://@proxy.example", "proxy.example", 80, None),
        ("http://us%65r:p%40ss%3Aw%2Frd%23@proxy.example:3128", "proxy.example", 3128, "user:p@ss:w/rd#"),
        ("http://domain@user:p@ss:w|rd!$^[]@proxy.example", "proxy.example", 80, "domain@user:p@ss:w|rd!$^[]"),
        ("http://user:p%C3%BC@proxy.example", "proxy.example", 80, "user:p\xfc"),
        ("http://user:p\xff@proxy.example", "proxy.example", 80, "user:p\xff"),
    ],
)
def test_a_proxy_s_url_is_read(url: str, host: str, port: int, pair: str | None) -> None:
    proxy = find_proxy(API, {"HTTPS_PROXY": url})

    assert proxy
    assert (proxy.host, proxy.port) == (host, port)
    sent = proxy.headers().get("Proxy-Authorization", "Basic ").removeprefix("Basic ")
    assert b64decode(sent, validate=True).decode("latin-1") == (pair or "")
    assert (proxy.headers() == {}) == (pair is None)


def test_a_password_beyond_latin_1_is_sent_in_utf_8() -> None:
    proxy = find_proxy(API, {"HTTPS_PROXY": "http://user:%E5%AF%86@proxy.example"})

    assert proxy
    assert b64decode(proxy.headers()["Proxy-Authorization"].removeprefix("Basic ")) == "user:\u5bc6".encode()


def test_a_proxy_does_not_show_its_password() -> None:
    assert "Basic" not in repr(find_proxy(API, {"HTTPS_PROXY": "http://user:5ecret@proxy.example"}))


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    "url",
    [
        "socks5h://5ecret@proxy.example:1080",
        "socks5://proxy.example",
        "socks4://proxy.example",
        "https://user:5ecret@proxy.example",
        "HTTPS://proxy.example",
        "http://user:5ec#ret@proxy.example:3128",
        "http://user:5ec/ret@proxy.example:3128",
        "http://user:5ec?ret@proxy.example:3128",
        "http://user:5ec\\ret@proxy.example:3128",
        "http://user:5ec ret@proxy.example:3128",
        "user:5ecret@proxy.example:3128",
        "5ecret@proxy.example",
        "http://user:5ecret@proxy.example:3128\n",
        "http://proxy.example:3128\r",
        "http://proxy.example:0",
        "http://proxy.example:65536",
        "http://proxy.example:5ecret",
        "http://proxy.example:",
        "http://proxy.example/5ecret",
        "http://proxy.example?5ecret",
        "http://",
        "http:proxy.example",
        "//proxy.example",
        "http://[proxy.example]",
        "http://pr\xfcxy.example",
        " http://proxy.example",
        "ftp://proxy.example",
    ],
)
def test_a_proxy_that_can_never_work_is_refused_by_the_name_of_its_variable(variable: str, url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        find_proxy(API, {variable: url})

    assert str(raised.value) == (
        f"{variable} must be like http://proxy.example:3128 or http://user:password@proxy.example:3128, special "
        "characters of the password percent-encoded; proxies that speak SOCKS or TLS cannot be used"
    )


@given(st.text("abc09-._~!$&'()*+,;=:%@| ^\xe4", max_size=8), st.text("ab@:%|\xe4", max_size=8))
@example("user", "p@ss")
def test_a_password_is_the_one_that_requests_would_send(user: str, password: str) -> None:
    url = f"http://{user}:{password}@proxy.example:3128"
    try:
        proxy = find_proxy(API, {"HTTPS_PROXY": url})
    except ConfigError:
        assert re.search(r"\s", user)
        return

    assert proxy
    name, word = get_auth_from_url(url)
    if name and max(name + word) <= "\xff":
        sent = proxy.headers()["Proxy-Authorization"].removeprefix("Basic ")
        assert b64decode(sent).decode("latin-1") == f"{name}:{word}"
    assert (proxy.host, proxy.port) == ("proxy.example", 3128)


def select_by_requests(url: str, environment: Mapping[str, str]) -> str | None:
    with environ(environment):
        return select_proxy(url, get_environ_proxies(url)) or None


@contextmanager
def environ(variables: Mapping[str, str]) -> Iterator[None]:
    """The judge reads the environment of the process; tests/conftest.py has taken the proxies out of it."""
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
