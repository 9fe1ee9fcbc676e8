"""Only one process at a time writes into a run."""

import subprocess
import sys

import pytest

from seewhy.dataset.held import LOCK, held
from seewhy.errors import BadParameter, NotWritten

TRY = "import sys; from pathlib import Path; from seewhy.dataset.held import held\nwith held(Path(sys.argv[1])): print('in')"


def test_a_second_process_is_refused_while_the_first_holds_the_run(tmp_path):
    with (
        held(tmp_path / "run"),
        pytest.raises(BadParameter, match="Another process is working on the run in"),
        held(tmp_path / "run"),
    ):
        pass
    with held(tmp_path / "run"):
        tried = subprocess.run([sys.executable, "-c", TRY, str(tmp_path / "run")], capture_output=True, text=True)
    assert "Another process" in tried.stderr
    assert (tmp_path / "run" / LOCK).is_file()


def test_it_is_free_again_afterwards_however_that_ended(tmp_path):
    with pytest.raises(RuntimeError), held(tmp_path):
        raise RuntimeError
    with held(tmp_path):
        pass


def test_where_no_folder_can_be_made_it_is_said(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NotWritten, match="file/run"), held(tmp_path / "file" / "run"):
        pass
