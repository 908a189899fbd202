"""Ports of a local stack: never given twice, none that a system gives to outgoing connections, and open to a server."""

import socket
import subprocess
import sys

from deploy.local.places import free_ports

_ASK = "import sys; from deploy.local.places import free_ports; print(*free_ports(300)); sys.stdin.read()"


def test_ports_are_different_and_below_those_of_outgoing_connections() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(1024 < port < 32_768 for port in ports)


def test_a_port_is_given_once_in_one_process() -> None:
    ports = [free_ports(1)[0] for _ in range(600)]
    assert len(set(ports)) == 600


def test_two_living_processes_are_never_given_the_same_port() -> None:
    other = subprocess.Popen([sys.executable, "-c", _ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    theirs = {int(port) for port in other.stdout.readline().split()}
    ours = set(free_ports(600))
    other.communicate()
    assert len(theirs) == 300
    assert not theirs & ours


def test_a_server_listens_on_a_port_it_was_given_and_again_after_its_end() -> None:
    (port,) = free_ports(1)
    for _ in range(2):
        with (
            socket.create_server(("127.0.0.1", port)) as server,
            socket.create_connection(("127.0.0.1", port)) as client,
        ):
            taken, _address = server.accept()
            with taken:
                client.sendall(b"here")
                assert taken.recv(4) == b"here"
