"""Services of these tests are on this machine, and nobody may try to reach another."""

import socket

import pytest


@pytest.fixture(autouse=True)
def unplugged(monkeypatch):
    connect = socket.socket.connect

    def on_this_machine(self, address):
        assert address[0] == "127.0.0.1", f"reached for {address}"
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", on_this_machine)
