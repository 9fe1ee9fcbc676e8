"""Runs on Ray lose nothing and double nothing, whatever dies; a cluster of our own leaves nothing behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from seewhy.atomic import replacing
from seewhy.dataset import ray_run
from seewhy.dataset.ray_cluster import ClusterShape, MachineShape, cluster
from seewhy.dataset.ray_run import RayRun, WorkerShape, workers_for
from seewhy.dataset.store import PartWork, part_path
from seewhy.errors import BadNetwork, BadParameter
from seewhy.photo_sets.items import Item
from seewhy.progress import stoppable

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),  # which is not imported before it is needed
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # it does not wait for the programs that it starts
]
ONE, TWO = WorkerShape(1, 1, 0), WorkerShape(2, 1, 0)


def load():
    """Stores in place of rows the numbers of the photos and their errors.  The path of a photo says what it does."""

    def storing(works):
        for work in works:
            rows = {}
            try:
                for item in work.items:
                    what, _, where = item.path.partition(" ")
                    if not work.error:
                        act(what, Path(where))
                    rows[item.number] = work.error
                    yield 1
            finally:
                if rows:
                    work.path.parent.mkdir(exist_ok=True, parents=True)
                    with replacing(work.path) as beside:
                        beside.write_text(json.dumps(rows))

    return storing


def act(what, where):
    """What a photo does to the worker that is at it."""
    if what == "kill" or (what == "kill-once" and not where.exists()):
        where.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "misuse":
        raise BadParameter("it cannot be asked like this")
    if what == "slow":
        time.sleep(0.05)


def works_of(folder, paths, size=10):
    """The parts of a run over photos with these paths that are not there yet."""
    items = [Item(i, path, ()) for i, path in enumerate(paths)]
    parts = [PartWork(part_path(folder, k), items[k * size : (k + 1) * size]) for k in range(-(-len(items) // size))]
    return [work for work in parts if not work.path.exists()]


def stored(folder):
    """The rows that are there, by number; fails where one is there twice."""
    found = [row for path in (folder / "rows").glob("part-*") for row in json.loads(path.read_text()).items()]
    assert len(dict(found)) == len(found)
    return {int(number): error for number, error in found}


@pytest.fixture(scope="module")
def here():
    """A cluster of our own, what it leaves open, and where."""
    home = Path.home() / ".ray"
    known = home.exists()
    with cluster() as running:
        from ray import cloudpickle  # not before, for Ray reads the environment when it is imported

        cloudpickle.register_pickle_by_value(sys.modules[__name__])  # which workers cannot import
        yield running
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert home.exists() == known  # Ray by itself keeps a token there


@pytest.fixture
def run(here):
    """Does the works, and gives the numbers that came and what was said."""

    def run(works, workers=ONE, loading=load):
        said = []
        counts = [*RayRun(here, loading, workers, said.append)(works, sum(len(work.items) for work in works))]
        return counts, said

    return run


def test_all_photos_are_done_once(run, tmp_path):
    works = works_of(tmp_path, ["plain"] * 95)
    counts, said = run(works, TWO)
    assert sum(counts) == 95
    assert stored(tmp_path) == dict.fromkeys(range(95), "")
    assert said == []


def test_a_worker_that_dies_costs_nothing(run, tmp_path, capfd):
    counts, said = run(works_of(tmp_path, ["plain"] * 25 + [f"kill-once {tmp_path / 'died'}"] + ["plain"] * 24))
    assert sum(counts) == 50
    assert stored(tmp_path) == dict.fromkeys(range(50), "")
    assert said == ["a worker died, and another one takes its place: what it did not store is done again"]
    assert capfd.readouterr() == ("", "")  # also of what Ray has to say of it


def test_a_photo_on_which_workers_die_is_a_row_with_an_error(run, tmp_path):
    counts, said = run(works_of(tmp_path, ["plain"] * 3 + [f"kill {tmp_path / 'died'}"] + ["plain"] * 3, size=2))
    assert sum(counts) == 7
    rows = stored(tmp_path)
    assert [number for number, error in rows.items() if error] == [3]
    assert sorted(rows) == [*range(7)]
    assert "process ended without a word" in rows[3]
    assert len(said) == 3  # twice of two photos, once of the one


def test_an_error_of_the_question_ends_the_run_and_what_is_done_is_kept(run, tmp_path):
    works = works_of(tmp_path, ["plain"] * 15 + ["misuse"] + ["plain"] * 14)
    with pytest.raises(BadParameter, match=r"^it cannot be asked like this$"):
        run(works)
    assert sorted(stored(tmp_path)) == [*range(15)]


def test_an_unknown_error_is_told():
    class Failed(Exception):
        cause = KeyError("a bug")

    def get(_):
        raise Failed

    run = RayRun(SimpleNamespace(get=get, exceptions=SimpleNamespace(RayTaskError=Failed)), load, ONE, print)
    assert run._got("told", lambda error: None) is None
    assert isinstance(run._failure, BadNetwork)
    assert str(run._failure) == "A worker failed: 'a bug'"


def test_what_cannot_be_loaded_is_told(run, tmp_path):
    def broken():
        raise BadParameter("no such model")

    with pytest.raises(BadParameter, match=r"^no such model$"):
        run(works_of(tmp_path, ["plain"]), loading=broken)


def test_workers_that_die_again_and_again_end_the_run(run, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_run, "IN_A_ROW", 1)

    def dying():
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(BadNetwork, match=r"A worker died before it was ready\. Is there too little memory"):
        run(works_of(tmp_path, ["plain"]), loading=dying)


def test_ctrl_c_ends_with_what_is_done_and_the_rest_is_done_later(run, here, tmp_path):
    paths = ["slow"] * 40
    with stoppable() as asked:
        for count in RayRun(here, load, ONE, print)(works_of(tmp_path, paths, 40), 40):
            assert count < 40
            asked.set()
    first = stored(tmp_path)
    assert 0 < len(first) < 40
    assert sorted(first) == [*range(len(first))]


DRIVER = """
import sys
sys.path[:0] = [{folder!r}]
import ray_stub
from ray import cloudpickle
cloudpickle.register_pickle_by_value(ray_stub)
from pathlib import Path
with ray_stub.cluster() as ray:
    works = ray_stub.works_of(Path({out!r}), ["slow"] * 60, 5)
    for count in ray_stub.RayRun(ray, ray_stub.load, ray_stub.TWO, print)(works, 60): pass
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked for in /proc")
def test_a_driver_that_is_killed_loses_and_doubles_nothing(run, tmp_path):
    (tmp_path / "ray_stub.py").write_text(Path(__file__).read_text("utf-8"), "utf-8")
    left = tempfile.mkdtemp(prefix="sw-", dir="/tmp")  # what its cluster leaves; a longer name would be avoided
    script = DRIVER.format(folder=str(tmp_path), out=str(tmp_path / "out"))
    driver = subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"TMPDIR": left}, stderr=subprocess.PIPE)
    rows, deadline = tmp_path / "out" / "rows", time.monotonic() + 120
    while len([*rows.glob("part-*")] if rows.exists() else []) < 3 and driver.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    driver.kill()
    _, said = driver.communicate()
    assert os.listdir(left)
    shutil.rmtree(left, ignore_errors=True)  # of programs that still end
    assert said == b""
    done = stored(tmp_path / "out")
    assert 15 <= len(done) < 60
    works = works_of(tmp_path / "out", ["plain"] * 60, 5)
    assert sum(len(work.items) for work in works) <= 60 - len(done)
    run(works)
    assert stored(tmp_path / "out") == dict.fromkeys(range(60), "")


def test_a_cluster_of_our_own_listens_on_this_machine_alone(here):
    psutil = pytest.importorskip("psutil")
    addresses, commands = set(), []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it ended meanwhile
            commands.append(" ".join(process.cmdline()))
            found = process.net_connections(kind="inet")
            addresses |= {connection.laddr.ip for connection in found if connection.status == psutil.CONN_LISTEN}
    assert any("raylet" in command for command in commands)
    assert addresses
    assert addresses <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    dashboards = [command for command in commands if "dashboard/dashboard.py" in command]  # which it starts without its page
    assert all("--disable-frontend" in command for command in dashboards)


@pytest.mark.parametrize(
    ("machines", "wanted", "workers"),
    [
        ([(8, 0)], None, (8, 1, 0)),
        ([(8, 0)], 2, (2, 4, 0)),
        ([(8, 0)], 3, (3, 2, 0)),
        ([(8, 0)] * 3, 2, (2, 8, 0)),  # not 12: no machine has as many
        ([(8, 0), (4, 0)], 3, (3, 4, 0)),
        ([(2, 0)], 9, (2, 1, 0)),
        ([(0, 0)], None, (1, 1, 0)),
        ([(16, 1), (32, 4), (64, 0)], None, (5, 8, 1)),
        ([(16, 2)], 1, (1, 8, 1)),
    ],
)
def test_workers_fit_their_machines(machines, wanted, workers):
    shape = ClusterShape(tuple(MachineShape(*machine) for machine in machines))
    assert workers_for(shape, wanted) == workers


def test_leases_grow_with_the_pace_and_shrink_towards_the_end(here, tmp_path):
    run = RayRun(here, load, TWO, print)
    ahead = ray_run._Ahead(works_of(tmp_path, ["plain"] * 1000), 1000)
    assert [len(lease) for lease in (run._next(ahead), run._next(ahead))] == [1, 1]  # the pace is not known yet
    run._pace = 10.0
    assert len(run._next(ahead)) == 20  # LEASE seconds of 10 photos
    run._pace = 1e6
    assert len(run._next(ahead)) == 20  # a quarter of the 780 that are left, in whole parts
    lengths = []
    while lease := run._next(ahead):
        lengths.append(len(lease))
    assert sum(lengths) == 58
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] == 1
    assert ahead.left == 0
