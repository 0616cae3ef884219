"""What asks on loopback or inside the stack asks no proxy, whatever Docker's client puts into each container."""

import pytest

from tests.stack.clone import SERVICES, Clone

NOWHERE = "http://192.0.2.1:3128"
PROXIES = [f"{name}={NOWHERE}" for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY")]
OPTIONS = [option for proxy in PROXIES for option in ("--env", proxy)]


@pytest.mark.parametrize("service", SERVICES)
def test_every_health_check_passes(stack: Clone, service: str):
    (check, *_) = (container["Config"]["Healthcheck"]["Test"][1:] for container in stack.containers(service))
    stack.compose("exec", "-T", *OPTIONS, service, *check)


def test_nginx_knows_what_it_has_loaded(stack: Clone):
    assert "is loaded already" in stack.compose("exec", "-T", *OPTIONS, "nginx", "nginx-reload.sh").stdout
