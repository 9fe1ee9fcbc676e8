"""Where a run on Ray runs: addresses are checked before Ray tries them for minutes, the environment is as it was.

What a cluster of our own does to the machine is tested with the runs on it, in test_ray_run.py: starting one takes seconds.
"""

import os
import socket
import sys
from types import SimpleNamespace

import pytest

from seewhy.dataset.ray_cluster import ClusterShape, MachineShape, cluster, shape_of
from seewhy.errors import BadParameter, MissingExtra


@pytest.fixture
def ray(monkeypatch):
    """Ray as far as it is asked before a cluster is reached."""
    calls, seen = [], {}

    def init(**options):
        calls.append(options)
        seen.update(os.environ)

    module = SimpleNamespace(
        is_initialized=lambda: False, init=init, shutdown=lambda: calls.append("shutdown"), seen=seen, calls=calls
    )
    monkeypatch.setitem(sys.modules, "ray", module)
    return module


@pytest.mark.parametrize("address", ["nowhere", "host:port", ":6379", "ray://host:10001", ""])
def test_what_is_no_address_is_told(ray, address):
    with (
        pytest.raises(BadParameter, match=r"is no address of a Ray cluster: on a machine of the cluster give"),
        cluster(address),
    ):
        pass
    assert ray.calls == []


def test_where_nobody_listens_nobody_waits(ray):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = taken.getsockname()[1]
        refused = pytest.raises(BadParameter, match=rf"No Ray cluster answers at '127.0.0.1:{port}': .*refused")
        with refused, cluster(f"127.0.0.1:{port}"):
            pass
    assert ray.calls == []


def test_a_cluster_that_ended_is_not_waited_for(ray):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = f"127.0.0.1:{taken.getsockname()[1]}"
        ray._private = SimpleNamespace(services=SimpleNamespace(canonicalize_bootstrap_address=lambda address: found))
        with pytest.raises(BadParameter, match=rf"No Ray cluster answers at '{found}': .*refused"), cluster("auto"):
            pass
    del ray._private
    with cluster("auto"):
        assert ray.calls[0]["address"] == "auto"


def test_a_cluster_that_is_there_is_joined_and_left(ray):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with cluster(address) as joined:
            assert joined is ray
            assert ray.calls[0]["address"] == address
    assert ray.calls[1:] == ["shutdown"]
    assert "RAY_AUTH_TOKEN" not in ray.seen  # whose token is the cluster's own


def test_a_process_that_is_connected_already_stays_so(ray):
    ray.is_initialized = lambda: True
    with cluster() as there:
        assert there is ray
    assert ray.calls == []


def test_nothing_is_reported_and_the_environment_is_as_it_was(ray, monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # a person's own choice
    before = dict(os.environ)
    with cluster():
        folder = ray.calls[0]["_temp_dir"]
        assert os.path.isdir(folder)
    assert ray.seen["RAY_USAGE_STATS_ENABLED"] == "0"
    assert len(ray.seen["RAY_AUTH_TOKEN"]) == 64
    assert ray.seen["RAY_AUTH_MODE"] == "disabled"
    assert ray.calls[0]["include_dashboard"] is False
    assert dict(os.environ) == before
    assert not os.path.exists(folder)


def test_a_long_name_of_the_temporary_folder_is_avoided(ray, monkeypatch, tmp_path):
    long = tmp_path / ("x" * 80)
    long.mkdir()
    monkeypatch.setattr("seewhy.dataset.ray_cluster.gettempdir", lambda: str(long))
    with cluster():
        assert len(ray.calls[0]["_temp_dir"]) <= 40


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"Ray is not installed\. Install it with: .*\[ray\]"), cluster():
        pass


def test_the_shape_of_a_cluster_is_of_the_machines_that_live():
    nodes = [
        {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 1.0, "memory": 1e9}},
        {"Alive": True, "Resources": {"CPU": 4.0}},
        {"Alive": False, "Resources": {"CPU": 64.0}},
    ]
    shape = shape_of(SimpleNamespace(nodes=lambda: nodes))
    assert shape == ClusterShape((MachineShape(8, 1), MachineShape(4, 0)))
    assert str(shape) == "2 machines, 12 CPUs, 1 GPU"
