"""A Ray cluster: one that is there, or one on this machine for as long as a run takes.

A cluster of our own listens on this machine alone, asks for a token that nobody else knows, starts no dashboard, tells nobody
that it runs, and writes into a folder of its own, which is removed at the end.
"""

import logging
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from shutil import rmtree
from tempfile import gettempdir, mkdtemp
from typing import Any, NamedTuple

from seewhy.errors import BadParameter, MissingExtra
from seewhy.printable import printable, quoted

LOCAL = "local"  # in the place of an address: a cluster on this machine
AUTO = "auto"  # in the place of an address: the cluster that this machine belongs to
LONGEST = 40  # characters of the folder, for what Ray names below it has to fit into the name of a socket
STORE = 80 * 2**20  # bytes of the store for objects: what goes through it are names and counts
ANSWER = 10.0  # seconds within which a cluster has to answer
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # workers without a GPU are to see none, as Ray 3 does it
}
OWN = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # whatever it is called: without a cluster of machines all listens on 127.0.0.1
    "RAY_AUTH_MODE": "token",
}


class MachineShape(NamedTuple):
    """What one machine of a cluster has."""

    cpus: int
    gpus: int


class ClusterShape(NamedTuple):
    """The machines of a cluster."""

    machines: tuple[MachineShape, ...]

    @property
    def cpus(self) -> int:
        return sum(machine.cpus for machine in self.machines)

    @property
    def gpus(self) -> int:
        return sum(machine.gpus for machine in self.machines)

    def __str__(self) -> str:
        counts = ((len(self.machines), "machine"), (self.cpus, "CPU"), (self.gpus, "GPU"))
        return ", ".join(f"{count} {what}{'s' * (count != 1)}" for count, what in counts)


@contextmanager
def cluster(address: str = LOCAL) -> Iterator[Any]:
    """Ray, connected to a cluster: the one that this process is connected to already, else that of the address.

    address: "local", for one on this machine that ends with the block; "auto" or HOST:PORT, for one that it belongs to.
    Raises MissingExtra without Ray, BadParameter where no cluster answers there.
    """
    with ExitStack() as stack:
        stack.callback(_reread)
        stack.enter_context(
            _environment(ENVIRONMENT | ({**OWN, "RAY_AUTH_TOKEN": secrets.token_hex(32)} if address == LOCAL else {}))
        )
        ray = _ray()
        if ray.is_initialized():
            yield ray
        elif address == LOCAL:
            with _own(ray):
                yield ray
        else:
            address = _found(ray) if address == AUTO else address
            _reach(address)
            try:
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            except Exception as error:  # noqa: BLE001 - whatever Ray says of an address
                raise _unreachable(address, printable(error, 300) or type(error).__name__) from None
            try:
                _hush(ray)
                yield ray
            finally:
                ray.shutdown()


def shape_of(ray: Any) -> ClusterShape:
    """The machines of the cluster that Ray is connected to, as they are now."""
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return ClusterShape(tuple(MachineShape(int(has.get("CPU", 0)), int(has.get("GPU", 0))) for has in alive))


def _ray() -> Any:
    _reread()
    try:
        import ray  # here, for it is an extra, takes long to import, and reads the environment
    except ModuleNotFoundError:
        raise MissingExtra("Ray", "ray") from None
    return ray


@contextmanager
def _own(ray: Any) -> Iterator[None]:
    """A cluster of this machine's cores and GPUs."""
    above = gettempdir()
    folder = mkdtemp(prefix="seewhy-ray-", dir=above if len(above) < LONGEST - 20 else "/tmp")
    try:
        ray.init(
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=STORE,
            _temp_dir=folder,
        )
        _hush(ray)
        yield
    finally:
        ray.shutdown()
        rmtree(folder, ignore_errors=True)


def _reread() -> None:
    """Let Ray, where it was imported before, read the environment again, which says how its programs know each other."""
    raylet: Any = sys.modules.get("ray._raylet")
    with suppress(AttributeError):  # its own names, which another version may not have
        raylet.Config.initialize("")
        raylet.AuthenticationTokenLoader.instance().reset_cache()


def _hush(ray: Any) -> None:
    """Keep Ray from printing on standard output, where results belong, what becomes of its workers; "log_to_driver" does not.

    It is what Ray itself does when it disconnects, done earlier.
    """
    with suppress(AttributeError):  # its own names, which another version may not have
        worker = ray._private.worker.global_worker
        worker.threads_stopped.set()
        worker.gcs_error_subscriber.close()


def _found(ray: Any) -> str:
    """The address that Ray itself finds for "auto", which may be that of a cluster that ended: Ray would try it for minutes."""
    try:
        return ray._private.services.canonicalize_bootstrap_address(AUTO) or AUTO
    except AttributeError:  # its own names, which another version may not have
        return AUTO
    except ConnectionError as error:
        raise _unreachable(AUTO, printable(error, 200)) from None


def _reach(address: str) -> None:
    """Raises BadParameter where nobody listens at HOST:PORT, for which Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if address == AUTO:
        return
    if not host or not port.isdecimal() or "/" in host:
        raise BadParameter(
            f"{quoted(address)} is no address of a Ray cluster: on a machine of the cluster give HOST:PORT, or auto; or local, "
            "for one on this machine alone. Ray's client (ray://) cannot do it."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, printable(error, 200)) from None


def _unreachable(address: str, why: str) -> BadParameter:
    return BadParameter(
        f"No Ray cluster answers at {quoted(address)}: {why}. `ray start --head` starts one, and says its address; without an "
        "address a run uses this machine alone."
    )


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Variables that Ray and its programs read, where nobody set them otherwise; afterwards all is as it was."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            with suppress(KeyError):
                del os.environ[name]
