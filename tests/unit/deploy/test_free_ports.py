"""Ports of a local stack are different, and none that a system gives to outgoing connections."""

from deploy.local.places import free_ports


def test_ports_are_different_and_below_those_of_outgoing_connections() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(1024 < port < 32_768 for port in ports)
