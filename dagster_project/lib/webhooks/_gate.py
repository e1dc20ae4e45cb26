"""The gate: which addresses a webhook may be sent to, whoever wrote its URL."""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from dagster_project.lib.errors import InputError

Resolver = Callable[[str, int], Sequence[str]]

_HTTPS_PORT = 443
_PLAIN_URL = re.compile(r"[!-\[\]-~]+")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
_NAT64 = IPv6Network("64:ff9b::/96")
# All that has ever been given out for public use; the older forms of IPv4 in IPv6 lie outside.
_IPV6_PUBLIC = IPv6Network("2000::/3")


class GateRefusal(InputError):
    """A URL must not be called; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedUrl:
    """A URL that was let through, with the only addresses that may be connected to."""

    scheme: str
    host: str
    port: int
    target: str
    addresses: tuple[str, ...]

    @property
    def host_header(self) -> str:
        """The name for the Host header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        is_default = (self.scheme, self.port) in {("https", _HTTPS_PORT), ("http", 80)}
        return name if is_default else f"{name}:{self.port}"


def resolve(host: str, port: int) -> list[str]:
    """Return every address of a host as the system resolves it; OSError when there is none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What may be called: https to one of `ports`, at public addresses only.

    `allow_loopback` is for tests and trials on one machine: it lets loopback addresses through, on
    any port, by https or http. It opens nothing else.
    """

    ports: tuple[int, ...] = (_HTTPS_PORT,)
    allow_loopback: bool = False
    resolver: Resolver = resolve

    def check(self, url: str) -> CheckedUrl:
        """Resolve the host once and return what may be connected to; GateRefusal otherwise."""
        scheme, host, port, target = split_url(url)
        try:
            addresses = tuple(self.resolver(host, port))
        except (OSError, UnicodeError) as error:
            raise GateRefusal(f"The host {host} of a webhook was not found: {error}.") from error
        if not addresses:
            raise GateRefusal(f"The host {host} of a webhook has no address.")
        is_loopback = self.allow_loopback and all(map(_is_loopback, addresses))
        if not is_loopback:
            # One private address among public ones is enough to refuse: which one a connection
            # would take is not ours to choose.
            if closed := [address for address in addresses if not _is_public(address)]:
                raise GateRefusal(
                    f"The host {host} of a webhook has the address {closed[0]}, which is not on "
                    "the public internet. Webhooks are sent to public addresses only."
                )
            if scheme != "https":
                raise GateRefusal(f"The webhook URL of {host} must begin with https://.")
            if port not in self.ports:
                raise GateRefusal(
                    f"The webhook URL of {host} names port {port}; allowed: {', '.join(map(str, self.ports))}."
                )
        return CheckedUrl(scheme=scheme, host=host, port=port, target=target, addresses=addresses)


def split_url(url: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and target of a URL that could pass; GateRefusal otherwise."""
    if not _PLAIN_URL.fullmatch(url):
        raise GateRefusal(
            "A webhook URL holds spaces, backslashes, control or non-ASCII characters; write "
            "it percent-encoded, and the host in its xn-- form."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise GateRefusal(f"A webhook URL can not be read: {error}.") from error
    if parts.scheme not in {"https", "http"}:
        raise GateRefusal(f"A webhook URL must begin with https://, not {parts.scheme!r}.")
    if "@" in parts.netloc:
        raise GateRefusal("A webhook URL must not hold a user name or a password.")
    host = (parts.hostname or "").rstrip(".")
    if not _HOST.fullmatch(host):
        raise GateRefusal(f"A webhook URL names no usable host: {host!r}.")
    if port is None:
        port = _HTTPS_PORT if parts.scheme == "https" else 80
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, host, port, target


def _unwrapped(address: str) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for, or the address itself."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        if ip in _NAT64:
            return IPv4Address(ip.packed[-4:])
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip


def _is_loopback(address: str) -> bool:
    return _unwrapped(address).is_loopback


def _is_public(address: str) -> bool:
    ip = _unwrapped(address)
    if isinstance(ip, IPv6Address) and ip not in _IPV6_PUBLIC:
        return False
    return ip.is_global and not ip.is_multicast
