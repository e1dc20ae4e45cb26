import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.lib.webhooks import CheckedUrl, Gate, GateRefusal

PUBLIC = "93.184.215.14"


def found(*addresses: str) -> Gate:
    """A gate whose every name has these addresses."""
    return Gate(resolver=lambda _host, _port: addresses)


def test_a_public_https_url_passes_with_all_its_addresses() -> None:
    gate = found(PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    assert gate.check("https://Hooks.Example/in?token=1#part") == CheckedUrl(
        scheme="https",
        host="hooks.example",
        port=443,
        target="/in?token=1",
        addresses=(PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"),
    )


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "localhost",
        "127.0.0.1.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:7f00:0001]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2002:a9fe:a9fe::]",
        "169.254.169.254",
        "[fd00:ec2::254]",
    ],
)
def test_forms_of_loopback_and_metadata_are_refused_by_the_real_resolver(host: str) -> None:
    with pytest.raises(GateRefusal):
        Gate().check(f"https://{host}/")


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "127.8.8.8",
        "0.0.0.0",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::808:808",
        "2002:a00:1::1",
        "2001:db8::1",
        "2001:0:7f00:1::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_one_address_that_is_not_public_is_enough_to_refuse(address: str) -> None:
    for addresses in ((address,), (PUBLIC, address), (address, PUBLIC)):
        with pytest.raises(GateRefusal, match="which is not on the public internet"):
            found(*addresses).check("https://hooks.example/")


@pytest.mark.parametrize("address", ["64:ff9b::5db8:d70e", "::ffff:93.184.215.14"])
def test_a_public_address_in_another_form_passes(address: str) -> None:
    assert found(address).check("https://hooks.example/").addresses == (address,)


@given(st.ip_addresses(network="10.0.0.0/8"))
def test_no_wrapping_hides_a_private_address(inner: object) -> None:
    packed = int(inner).to_bytes(4)  # type: ignore[call-overload]
    groups = f"{packed[0]:02x}{packed[1]:02x}:{packed[2]:02x}{packed[3]:02x}"
    for wrapped in (f"::ffff:{groups}", f"64:ff9b::{groups}", f"2002:{groups}::1", f"::{groups}"):
        with pytest.raises(GateRefusal):
            found(wrapped).check("https://hooks.example/")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://hooks.example/", "must begin with https"),
        ("ftp://hooks.example/", "must begin with https"),
        ("file:///etc/passwd", "must begin with https"),
        ("//hooks.example/", "must begin with https"),
        ("https://user@hooks.example/", "user name or a password"),
        ("https://user:pw@hooks.example/", "user name or a password"),
        ("https://@hooks.example/", "user name or a password"),
        ("https://hooks.example:8443/", "names port 8443; allowed: 443"),
        ("https://hooks.example:22/", "names port 22"),
        ("https://hooks.example:99999/", "can not be read"),
        ("https://hooks.example:x/", "can not be read"),
        ("https://[::1/", "can not be read"),
        ("https:///path", "no usable host"),
        ("https://a%2eb/", "no usable host"),
        ("https://[fe80::1%25eth0]/", "no usable host"),
        ("https://hooks.example\\@10.0.0.1/", "backslashes"),
        ("https://hooks.example/\r\nx: y", "control"),
        ("https://hooks.example/a b", "spaces"),
        ("https://hööks.example/", "non-ASCII"),
        ("", "control"),
    ],
)
def test_other_urls_are_refused(url: str, reason: str) -> None:
    with pytest.raises(GateRefusal, match=reason):
        found(PUBLIC).check(url)


def test_more_ports_are_opened_by_a_list() -> None:
    gate = Gate(ports=(443, 8443), resolver=lambda _host, _port: [PUBLIC])
    assert gate.check("https://hooks.example:8443/").host_header == "hooks.example:8443"


def test_a_name_that_is_not_found_is_refused() -> None:
    def nothing(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(GateRefusal, match="was not found"):
        Gate(resolver=nothing).check("https://hooks.example/")
    with pytest.raises(GateRefusal, match="has no address"):
        found().check("https://hooks.example/")
    with pytest.raises(GateRefusal, match="was not found"):
        Gate().check(f"https://{'a' * 64}.example/")


def test_loopback_is_let_through_only_when_it_is_asked_for() -> None:
    gate = Gate(allow_loopback=True)
    assert gate.check("http://127.0.0.1:8000/x").addresses == ("127.0.0.1",)
    assert gate.check("https://[::1]:8000/x").host_header == "[::1]:8000"
    with pytest.raises(GateRefusal):
        gate.check("http://10.0.0.1/")
    for addresses in (["127.0.0.1", PUBLIC], [PUBLIC]):
        mixed = Gate(allow_loopback=True, resolver=lambda _host, _port, found=addresses: found)
        with pytest.raises(GateRefusal):
            mixed.check("http://hooks.example/")
