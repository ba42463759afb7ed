"""Where the door lets us go: one spelling of an address, ports, names looked up in time, every address judged and tried."""

from __future__ import annotations

import socket
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from connections.spec.provider import Deadlines, Hosts
from connections.transport.http import addresses, deadline
from connections.transport.http import session as http_session
from connections.transport.http.session import AddressNotAllowed, NotSent
from tests.transport.test_session import resolving

LONGEST = ".".join(["a" * 49] * 5) + "abcd"  # 253
QUICK = Deadlines(connect=1, read=1, total=1)
OURS = Hosts(api="", token="")
INSIDE = Hosts(
    api="", token="", from_customer=True, private=("10.0.0.5/32", "fd12:3456::8/125", "127.0.0.0/8", "169.254.0.0/16")
)
PLAIN = Hosts(api="", token="", plain=True)
GIVEN = Hosts(api="", token="", from_customer=True)
BOTH = Hosts(api="", token="", from_customer=True, plain=True)
SANDBOX = Hosts(api="", token="", loopback=True, plain=True)


@pytest.mark.parametrize(
    ("url", "written", "host", "port"),
    [
        ("https://provider.example", "https://provider.example", "provider.example", 443),
        ("HTTPS://Provider.EXAMPLE:443/a?b=c", "https://provider.example/a?b=c", "provider.example", 443),
        ("https://provider.example./a", "https://provider.example/a", "provider.example", 443),
        ("https://provider.example:/", "https://provider.example/", "provider.example", 443),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/ä", "xn--bcher-kva.example", 443),
        ("https://provider。example", "https://provider.example", "provider.example", 443),
        ("https://93.184.216.34/", "https://93.184.216.34/", "93.184.216.34", 443),
        ("https://[2606:2800:220:1:0:0:0:1]/", "https://[2606:2800:220:1::1]/", "2606:2800:220:1::1", 443),
        ("https://a_b.example/a@b/%2e%2e", "https://a_b.example/a@b/%2e%2e", "a_b.example", 443),
        (f"https://{LONGEST}", f"https://{LONGEST}", LONGEST, 443),
    ],
)  # fmt: skip
def test_an_address_is_read_once(url, written, host, port):
    assert addresses.parse_address(url, OURS) == addresses.Address(written, host, port)


@pytest.mark.parametrize(
    "url",
    [
        "http://provider.example", "ftp://provider.example", "file:///etc/passwd", "provider.example", "//provider.example",
        "https://user@provider.example", "https://user:pass@provider.example", "https://@provider.example", "https://",
        "https://provider.example/#x", "https://provider.example#", "https://[::1", f"https://{'a' * 64}.example",
        f"https://{'.'.join(['a' * 60] * 5)}", "https://127.1", "https://2130706433", "https://0x7f000001", "https://0177.0.0.1",
        "https://127.0.0.01", "https://１２７.0.0.1.2", "https://a..b", "https://-a.example", "https://provider.example\\@x",
        "https://provider.example\t", " https://provider.example", "https://prov\nider.example", "https://provider.example/a b",
        "https://[fe80::1%25eth0]", "https://[127.0.0.1]", "https://[::1].provider.example", "https://provider%2eexample",
        f"https://{LONGEST}e",
        "https://provider.example:443:443", "https://provider.example:99999", "https://provider.example:4x3", "https://*.example",
    ],
)  # fmt: skip
def test_odd_addresses_are_refused(url):
    with pytest.raises(AddressNotAllowed):
        addresses.parse_address(url, GIVEN)


@pytest.mark.parametrize(
    ("url", "hosts", "allowed"),
    [
        ("https://provider.example:8443", OURS, False),
        ("https://provider.example:8443", GIVEN, True),
        ("https://provider.example:1024", GIVEN, True),
        ("https://provider.example:65535", GIVEN, True),
        ("https://provider.example:1023", GIVEN, False),
        ("https://provider.example:22", GIVEN, False),
        ("https://provider.example:80", BOTH, False),
        ("https://provider.example:0", SANDBOX, False),
        ("https://provider.example:22", SANDBOX, True),
        ("http://provider.example", GIVEN, False),
        ("http://provider.example", PLAIN, True),
        ("http://provider.example:80", PLAIN, True),
        ("http://provider.example:443", BOTH, False),
        ("http://provider.example:8080", PLAIN, False),
        ("http://provider.example:8080", BOTH, True),
    ],
)
def test_ports_are_the_usual_ones_or_a_customers_own(url, hosts, allowed):
    if allowed:
        assert addresses.parse_address(url, hosts).url
    else:
        with pytest.raises(AddressNotAllowed):
            addresses.parse_address(url, hosts)


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1", "https://[::ffff:7f00:1]", "https://[64:ff9b::a00:1]", "https://10.0.0.5."]
)
def test_inner_addresses_in_their_plain_spelling_are_refused_without_a_look_up(url, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("looked up"))
    with pytest.raises(AddressNotAllowed):
        http_session.send(hosts=OURS, method="GET", url=url, deadlines=QUICK, total=1)


# -- dialling --------------------------------------------------------------------------------------------------------


def dialled(monkeypatch, *outcomes):
    """What is dialled, each answered by the next of these errors, the last for ever."""
    found, left = [], list(outcomes)

    def connect(sock, where):
        found.append((where[0].removeprefix("::ffff:"), sock.gettimeout()))
        raise left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(socket.socket, "connect", connect)
    return found


def ask(**more):
    return http_session.send(
        hosts=OURS, method="GET", url="https://provider.example", deadlines=QUICK, total=1, **more
    )


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_the_address_that_was_checked_is_connected_to(monkeypatch, address):
    """The second look-up would lead inside: it must not happen."""
    resolving(monkeypatch, [address], ["10.0.0.5"])
    found = dialled(monkeypatch, ConnectionRefusedError())
    with pytest.raises(NotSent):
        ask()
    assert [each for each, _ in found] == [address.removeprefix("::ffff:")]


def test_every_address_is_tried_in_turn(monkeypatch):
    resolving(monkeypatch, ["93.184.216.34", "2606:2800:220:1::1", "93.184.216.34", "93.184.216.35"])
    found = dialled(monkeypatch, ConnectionRefusedError(), TimeoutError(), OSError(113, "no route"))
    with pytest.raises(NotSent):
        ask()
    assert [each for each, _ in found] == ["93.184.216.34", "2606:2800:220:1::1", "93.184.216.35"]


def test_an_address_where_nobody_listens_is_passed_over(hostile, monkeypatch):
    """127.0.0.2 at this port: nobody listens there."""
    hosts = Hosts(api=f"https://localhost:{hostile.port}", token="", ca=hostile.ca, loopback=True)
    resolving(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    answer = http_session.send(hosts=hosts, method="POST", url=hosts.api, deadlines=QUICK, total=5, body=b"{}")
    assert answer.status == 200
    assert len(hostile.asked) == 1


def test_all_addresses_together_have_the_time_of_one_call(monkeypatch):
    resolving(monkeypatch, [f"93.184.216.{each}" for each in range(1, 200)])
    now = [0.0]
    monkeypatch.setattr(deadline.time, "monotonic", lambda: now[0])

    def connect(sock, where):
        now[0] += sock.gettimeout()
        raise TimeoutError

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(http_session.NoAnswer, match="timed out"):
        http_session.send(
            hosts=OURS, method="GET", url="https://provider.example", deadlines=Deadlines(connect=3), total=30
        )
    assert now[0] <= 30


# -- private networks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["10.0.0.5", "::ffff:10.0.0.5", "fd12:3456::9", "93.184.216.34"])
def test_a_private_network_may_be_reached_where_an_admin_allows_it(address):
    assert addresses.is_reachable(ip_address(address), INSIDE)


@pytest.mark.parametrize(
    "address", ["168.63.129.16", "10.0.0.6", "127.0.0.1", "169.254.169.254", "fd12:3456::10", "::1", "0.0.0.0"]
)
def test_nothing_else_inside_may_whatever_is_allowed(address):
    assert not addresses.is_reachable(ip_address(address), INSIDE)


def test_a_private_network_is_for_a_customers_own_address_alone():
    assert not addresses.is_reachable(ip_address("10.0.0.5"), replace(INSIDE, from_customer=False))


@pytest.mark.parametrize(
    "forged", [["10.0.0.0/8"], ["0.0.0.0/0"], ["10.0.0.0/23"], ["nonsense"], ["10.9.9.9"] * 8 + ["10.0.0.5"]]
)
def test_what_no_admin_can_have_allowed_counts_for_nothing(forged):
    assert not addresses.is_reachable(ip_address("10.0.0.5"), replace(INSIDE, private=tuple(forged)))


@pytest.mark.parametrize("ours", ["10.0.0.0/16", "93.184.216.0/24"])
def test_our_own_networks_are_never_reached(settings, ours):
    settings.OWN_NETWORKS = (ip_network(ours),)
    inside = str(next(ip_network(ours).hosts()) + 4)
    for host in (f"https://{inside}", f"https://[::ffff:{inside}]"):
        with pytest.raises(AddressNotAllowed):
            http_session.send(hosts=INSIDE, method="GET", url=host, deadlines=QUICK, total=1)


def test_private_networks_are_read_as_they_are_typed():
    assert addresses.private_networks(" 10.1.2.3, 192.168.7.0/24  fd00::/120,") == [
        "10.1.2.3/32",
        "192.168.7.0/24",
        "fd00::/120",
    ]
    assert addresses.private_networks("") == []


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0/8", "192.168.0.0/23", "127.0.0.1", "169.254.169.254", "100.64.0.1", "93.184.216.34", "0.0.0.0/0",
        "fc00::/64", "::1", "fe80::1", "10.0.0.1/24", "books.example", "10.0.0", "10.9.0.7", " ".join(["10.0.0.1"] * 9),
    ],
)  # fmt: skip
def test_what_is_no_small_private_network_is_refused(settings, text):
    settings.OWN_NETWORKS = (ip_network("10.9.0.0/16"),)
    with pytest.raises(ValueError):  # noqa: PT011
        addresses.private_networks(text)


# -- IANA's registries -----------------------------------------------------------------------------------------------

# iana-ipv4-special-registry and iana-ipv6-special-registry, every block, and multicast. Loopback is refused before these.
SPECIAL = (
    "0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32", "192.0.0.171/32", "192.0.2.0/24",
    "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.88.99.2/32", "192.168.0.0/16", "192.175.48.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
    "::1/128", "::/128", "::ffff:0:0/104", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23",
    "2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48",
    "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)  # fmt: skip


def within(network):
    """Its ends and some between."""
    net = ip_network(network)
    step = max(net.num_addresses // 7, 1)
    return {net[-1], *(net[place] for place in range(0, net.num_addresses, step))}


@pytest.mark.parametrize("network", SPECIAL)
def test_nothing_in_ianas_special_registries_is_reached(network):
    for hosts in (OURS, GIVEN):
        assert not [ip for ip in within(network) if addresses.is_reachable(ip, hosts)]


@pytest.mark.parametrize("network", ["::/3", "4000::/2", "8000::/1", "64::/16", "100::/8", "200::/7"])
def test_nothing_that_was_never_given_to_anybody_is_reached(network):
    assert not [ip for ip in within(network) if addresses.is_reachable(ip, OURS)]


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "93.184.216.34", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.88.98.1", "198.17.255.255", "203.0.114.1",
        "2001:200::1", "2001:4860::8888", "2003::1", "2606:2800:220:1::1", "2620:4f:7fff::1", "2a00::1", "3ffe::1",
        "::ffff:93.184.216.34", "64:ff9b::93.184.216.34", "64:ff9b::101:101",
    ],
)  # fmt: skip
def test_the_worlds_addresses_are_reached(address):
    assert addresses.is_reachable(ip_address(address), OURS)


# -- machines that have IPv6 alone -------------------------------------------------------------------------------------


def behind(address):
    """An IPv4 address as a translator takes it (RFC 6052)."""
    return ip_address(int(ip_address("64:ff9b::")) | int(ip_address(address)))


@pytest.mark.parametrize(
    "network", [each for each in (*SPECIAL, "127.0.0.0/8", "168.63.129.16/32") if ":" not in each]
)
def test_nothing_special_is_reached_behind_a_translator(network):
    for hosts in (OURS, GIVEN, INSIDE, SANDBOX):
        assert not [ip for ip in within(network) if addresses.is_reachable(behind(str(ip)), hosts)]


@pytest.mark.parametrize("address", ["10.0.0.5", "127.0.0.1", "192.168.1.1", "169.254.169.254"])
def test_no_network_of_an_admin_and_no_sandbox_stands_behind_a_translator(address):
    hosts = replace(INSIDE, private=(f"{address}/32", f"{behind(address)}/128"), loopback=True)
    assert not addresses.is_reachable(behind(address), hosts)


def test_our_own_networks_are_not_reached_through_a_translator(settings):
    settings.OWN_NETWORKS = (ip_network("93.184.216.0/24"),)
    assert not addresses.is_reachable(behind("93.184.216.34"), OURS)
    assert addresses.is_reachable(behind("93.184.217.34"), OURS)
    settings.OWN_NETWORKS = (ip_network("64:ff9b::/96"),)
    assert not addresses.is_reachable(behind("93.184.217.34"), OURS)


@pytest.mark.parametrize(
    "address", ["2002:5db8:d822::1", "2001:0:5db8:d822::1", "64:ff9b:1::5db8:d822", "::5db8:d822"]
)
def test_other_ways_to_embed_a_public_address_stay_refused(address):
    assert not addresses.is_reachable(ip_address(address), OURS)


def test_a_name_with_a_translated_address_is_dialled_there(monkeypatch):
    resolving(monkeypatch, ["64:ff9b::5db8:d822", "93.184.216.34"])
    found = dialled(monkeypatch, OSError())
    with pytest.raises(NotSent):
        ask()
    assert [where for where, _seconds in found] == ["64:ff9b::5db8:d822", "93.184.216.34"]


def test_one_translated_address_that_leads_inside_is_enough(monkeypatch):
    resolving(monkeypatch, ["64:ff9b::5db8:d822", "64:ff9b::a00:5"])
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("connected"))
    with pytest.raises(AddressNotAllowed):
        ask()
