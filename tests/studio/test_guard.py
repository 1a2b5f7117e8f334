"""Who may ask the studio: only its own page, with the token, under a name of this machine."""

import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.studio.guard import Guard, host_name, is_loopback
from jaxstyle.studio.server import serve


def test_the_page_is_served_with_its_policy(served):
    status, headers, body = served.ask("GET", "/")
    assert status == 200
    assert b"jaxstyle" in body
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert headers["referrer-policy"] == "no-referrer"  # the token is in the address
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "set-cookie" not in headers


@pytest.mark.parametrize(
    "token", ["", "a-token-of-the-test", "a-token-of-the-tests2", "A-token-of-the-tests", "%00", "%C3%A9"]
)
@pytest.mark.parametrize("path", ["/", "/session", "/events", "/style.css", "/pictures/landscape"])
def test_nothing_is_told_without_the_token(served, token, path):
    status, headers, body = served.ask("GET", path, token=token)
    assert status == 403
    assert b"printed" in body
    assert "content-security-policy" in headers


def test_the_token_alone_leads_to_the_page(served):
    status, headers, _ = served.ask("GET", "")
    assert (status, headers["location"]) == (307, "/a-token-of-the-tests/")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "10.0.0.1", "localhost."]
)
def test_rebound_names_are_refused(served, host):
    assert served.ask("GET", "/session", Host=host)[0] in (400, 421)


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "[::1]:{}", "LOCALHOST:{}"])
def test_names_of_this_machine_are_accepted(served, host):
    assert served.ask("GET", "/session", Host=host.format(served.port))[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:{}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_other_pages_are_refused(served, headers):
    headers = {name: value.format(served.port) for name, value in headers.items()}
    before = len(served.studio.runs.runs)
    assert served.ask("POST", "/runs", b"{}", **headers)[0] == 403
    assert len(served.studio.runs.runs) == before


def test_its_own_page_is_not(served):
    headers = {"Origin": f"http://127.0.0.1:{served.port}", "Sec_Fetch_Site": "same-origin"}
    assert served.ask("POST", "/recipe", b'{"tool": "visualize"}', **headers)[0] == 200


def test_beyond_loopback_names_are_those_that_cannot_be_rebound():
    guard = Guard(None, "token", "0.0.0.0")
    assert guard.knows("192.168.1.5")
    assert not guard.knows("evil.example")
    assert Guard(None, "token", "studio.example").knows("studio.example")


@pytest.mark.parametrize("header, name", [("a:80", "a"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("a", "a"), ("", "")])
def test_host_name(header, name):
    assert host_name(header) == name


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "localhost.evil.example", ""])
def test_other_machines_need_a_token(host):
    assert not is_loopback(host)
    with pytest.raises(JaxstyleError, match="--token"):
        serve(host, browser=False)


@pytest.mark.parametrize("token", ["", "short", "x" * 129, "with a space in it....", "slash/slash/slash/slash"])
def test_a_token_is_long_and_fits_into_an_address(token):
    with pytest.raises(JaxstyleError, match="--token must have 16 to 128"):
        serve(token=token, browser=False)


def test_a_port_that_is_taken_is_a_sentence(served):
    with pytest.raises(JaxstyleError, match=f"cannot listen on 127.0.0.1, port {served.port}"):
        serve(port=served.port, browser=False)
    with pytest.raises(JaxstyleError, match="--port is 70000"):
        serve(port=70_000, browser=False)
