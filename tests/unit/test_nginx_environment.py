"""services/nginx/nginx-environment.sh: what nginx is told of the environment."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "services/nginx/nginx-environment.sh"
BEGINNING, _, _ = SCRIPT.read_text().partition("export NGINX_CONFIGURATION")
GIVEN = {
    "ADMIN_NETWORKS": "127.0.0.0/8",
    "ALLOWED_HOSTS": "localhost",
    "BIND_ADDRESS": "127.0.0.1",
    "MAX_BODY_BYTES": "1048576",
    "MAX_HEADER_BYTES": "16384",
    "PAGE_SECONDS": "60",
    "PING_SECONDS": "20",
    "PUBLIC_URL": "http://localhost:8080",
    "STALL_SECONDS": "60",
    "WEBSOCKETS": "daphne",
}
# As the kernel writes them: the default routes by 172.18.0.1 and by fd00:77::1.
ROUTES = "Iface Destination Gateway Flags\neth0 00000000 010012AC 0003\neth0 000012AC 00000000 0001\n"
IPV6_ROUTES = f"{'0' * 32} 00 {'0' * 32} 00 fd000077{'0' * 23}1 00000400 00000001 00000000 00000003 eth0\n"
Written = Callable[..., list[str]]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """The lines of one of the script's variables, in a container whose network has IPv6."""
    (tmp_path / "route").write_text(ROUTES)
    (tmp_path / "ipv6_route").write_text(IPV6_ROUTES)
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.11\n")
    script = BEGINNING.replace("/proc/net/", f"{tmp_path}/").replace("/etc/resolv.conf", f"{tmp_path}/resolv.conf")

    def run(variable: str, **given: str) -> list[str]:
        done = subprocess.run(
            ["sh", "-c", f'{script}\nprintf "%s\\n" "${variable}"'],
            env={"PATH": "/usr/bin:/bin"} | GIVEN | given,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    return run


@pytest.mark.parametrize("gateway", ["fd00:77::1", "FD00:77:0:0::1", "fd00:77::1/128", "172.18.0.1/32"])
def test_the_operators_word_on_a_gateway_is_the_last_however_it_is_spelled(written: Written, gateway: str) -> None:
    """Of two entries for one network nginx takes the second."""
    networks = written("NGINX_ADMIN_NETWORKS", BIND_ADDRESS="[::]", ADMIN_NETWORKS=f"fc00::/7,172.16.0.0/12,{gateway}")
    assert "fd00:0077:0000:0000:0000:0000:0000:0001 0;" in networks
    refused = [number for number, network in enumerate(networks) if network.endswith(" 0;")]
    assert networks.index(f"{gateway} 1;") > max(refused)


def test_a_gateway_that_is_not_listed_is_refused_though_its_network_is(written: Written) -> None:
    networks = written("NGINX_ADMIN_NETWORKS", BIND_ADDRESS="[::]", ADMIN_NETWORKS="fc00::/7,172.16.0.0/12")
    assert [network for network in networks if network.endswith(" 0;")] == [
        "172.18.0.1 0;",
        "fd00:0077:0000:0000:0000:0000:0000:0001 0;",
    ]


def test_no_host_is_one_of_nginx_own_words(written: Written) -> None:
    hosts = written("NGINX_OWN_HOSTS", ALLOWED_HOSTS="default,*,[::1],.example.com,example.com,Include")
    assert sorted(hosts) == ["\\.example.com 1;", "\\[::1] 1;", "\\default 1;", "\\include 1;", "~. 1;"]
