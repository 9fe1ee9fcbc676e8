"""Files of models that would do something as they are read: each makes the file `mark` where any of its code runs."""

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import torch
from torch import nn
from torch.export import export

END = b"PK\x05\x06"


class Trap:
    """Runs code when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.mark), "w")


def swapped(path: Path, content: bytes) -> None:
    """Another file takes its name, as a stranger with access to the folder would do it."""
    other = path.with_name("other")
    other.write_bytes(content)
    os.replace(other, path)


def pickled(found: Any, **how: Any) -> bytes:
    to = io.BytesIO()
    torch.save(found, to, **how)
    return to.getvalue()


def zipped(records: Mapping[str, bytes | str], packed: bool = False) -> bytes:
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    return to.getvalue()


def unzipped(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def _ends(archive: bytes) -> tuple[bytes, bytearray, int, int]:
    """Records, list, how many there are, and where the list begins."""
    at = archive.rindex(END)
    count, _, start = struct.unpack("<H2L", archive[at + 10 : at + 20])
    return archive[:start], bytearray(archive[start:at]), count, start


def two_lists(by_place: Mapping[str, bytes | str], from_behind: Mapping[str, bytes | str]) -> bytes:
    """One file: readers that go to the place that the end names see one archive, those that count back from the end another."""
    behind, seen_behind, count, _ = _ends(zipped(from_behind))
    room = {**by_place, "x/room": b"\0" * (3 * len(behind) + 4096)}
    room |= {f"x/more{i}": b"" for i in range(count - len(room))}
    front, seen, _, start = _ends(zipped(room))
    short, long = sorted((seen, seen_behind), key=len)
    last = short.rindex(b"PK\x01\x02")
    short[last + 32 : last + 34] = struct.pack("<H", len(long) - len(short))  # a note on its last record makes it as long
    short += b" " * (len(long) - len(short))
    front += seen
    at, shift = 0, len(front) + len(behind) - start
    while at < len(seen_behind):
        sizes = struct.unpack("<3H", seen_behind[at + 28 : at + 34])
        place = struct.unpack("<L", seen_behind[at + 42 : at + 46])[0] + len(front) - shift
        seen_behind[at + 42 : at + 46] = struct.pack("<L", place)
        at += 46 + sum(sizes)
    end = struct.pack("<4s4H2LH", END, 0, 0, count, count, len(seen_behind), start, 0)
    return front + behind + bytes(seen_behind) + end


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.see, self.weigh = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weigh(self.see(x).relu().mean((2, 3)))


def program() -> dict[str, bytes]:
    """The records of an honest file of torch.export."""
    to = io.BytesIO()
    torch.export.save(export(Small().eval(), (torch.ones(1, 3, 8, 8),)), to)
    return unzipped(to.getvalue())


def state() -> dict[str, torch.Tensor]:
    return dict(Small().state_dict())


class WritesWhenRead(nn.Module):
    mark: str

    def __init__(self, mark: str) -> None:
        super().__init__()
        self.mark = mark

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.mark, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.mark, self.training = state[0], state[1]
        torch.save(self.mark, state[0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


class WritesWhenCalled(nn.Module):
    def __init__(self, mark: str) -> None:
        super().__init__()
        self.mark = mark

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)) + torch.from_file(self.mark, True, 3)


def script(network: nn.Module) -> bytes:
    to = io.BytesIO()
    with catch_warnings():
        simplefilter("ignore")  # TorchScript is on its way out
        torch.jit.save(torch.jit.script(network), to)
    return to.getvalue()


def old_program(mark: Path) -> dict[str, bytes | str]:
    """As torch wrote programs before 2.8: without a folder, and with pickles."""
    from torch._export.serde.schema import SCHEMA_VERSION

    model = next(content for name, content in program().items() if name.endswith("models/model.json"))
    trap = pickled(Trap(mark))
    names = ("serialized_state_dict.pt", "serialized_constants.pt", "serialized_example_inputs.pt")
    version = ".".join(map(str, SCHEMA_VERSION))
    return {"version": version, "serialized_exported_program.json": model, **dict.fromkeys(names, trap)}


def spoiled_program(mark: Path, change: Callable[[dict[str, bytes], str, bytes], None], **how: Any) -> bytes:
    found = program()
    change(found, next(iter(found)).partition("/")[0], pickled(Trap(mark), **how))
    return zipped(found)


def _unpickled_weights(found: dict[str, bytes], root: str, trap: bytes) -> None:
    config = f"{root}/data/weights/model_weights_config.json"
    found[config] = found[config].replace(b'"use_pickle": false', b'"use_pickle": true')
    found[f"{root}/data/weights/weight_0"] = trap


def _own_constant(found: dict[str, bytes], root: str, trap: bytes) -> None:
    meta = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    found[f"{root}/data/constants/model_constants_config.json"] = json.dumps({"config": {"c": meta}}).encode()
    found[f"{root}/data/constants/opaque_obj_0"] = trap


def of_old_tar(mark: Path) -> bytes:
    """As torch saved before 2017."""
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in {"storages": Trap(mark), "tensors": 0, "pickle": Trap(mark)}.items():
            held = pickle.dumps(content, 2)
            info = tarfile.TarInfo(name)
            info.size = len(held)
            tar.addfile(info, io.BytesIO(held))
    return to.getvalue()


def by_stack(mark: Path) -> bytes:
    """A pickle that puts together the names of what it calls."""
    found = unzipped(pickled(state()))
    calls = b"\x80\x04\x8c\x02io\x8c\x04open\x93\x8c" + bytes([len(str(mark))]) + str(mark).encode() + b"\x8c\x01w\x86R."
    return zipped({name: calls if name.endswith("data.pkl") else content for name, content in found.items()})


def of_package(mark: Path) -> bytes:
    to = io.BytesIO()
    with torch.package.PackageExporter(to) as package:
        package.save_source_string("own", f"open({str(mark)!r}, 'w')")
        package.save_pickle("model", "model.pkl", {"own": 1})
    return to.getvalue()


def honest_by_place() -> dict[str, bytes | str]:
    return {"x/archive_format": "pt2", "x/archive_version": "0", "x/version": "3"}


def hidden_state(mark: Path) -> bytes:
    """Python's reader sees weights, torch's a trap."""
    trap = {f"x/{name.partition('/')[2]}": content for name, content in unzipped(pickled(Trap(mark))).items()}
    return two_lists(trap, {f"y/{name.partition('/')[2]}": content for name, content in unzipped(pickled(state())).items()})


def gap(archive: bytes) -> bytes:
    """Something between the records and their list, and an end that knows."""
    front, seen, count, start = _ends(archive)
    end = struct.pack("<4s4H2LH", END, 0, 0, count, count, len(seen), start + 9, 0)
    return front + b"something" + bytes(seen) + end


FILES: dict[str, Callable[[Path], bytes]] = {
    "a pickle": lambda mark: pickled({**state(), "trap": Trap(mark)}),
    "an old pickle": lambda mark: pickled({**state(), "trap": Trap(mark)}, _use_new_zipfile_serialization=False),
    "a bare pickle": lambda mark: pickle.dumps(Trap(mark)),
    "an older tar": of_old_tar,
    "a pickle that names by stack": by_stack,
    "two lists, a program behind": lambda mark: two_lists(honest_by_place(), old_program(mark)),
    "two lists, a trap in front": hidden_state,
    "an older program": lambda mark: zipped(old_program(mark)),
    "a program's sample inputs": lambda mark: spoiled_program(
        mark, lambda found, root, trap: found.update({f"{root}/data/sample_inputs/model.pt": trap})
    ),
    "a program's pickled weights": lambda mark: spoiled_program(mark, _unpickled_weights, _use_new_zipfile_serialization=False),
    "a program's own object": lambda mark: spoiled_program(mark, _own_constant),
    "a program's whole weights": lambda mark: spoiled_program(
        mark, lambda found, root, trap: found.update({f"{root}/data/weights/model.pt": trap})
    ),
    "a compiled program": lambda mark: spoiled_program(
        mark, lambda found, root, trap: found.update({f"{root}/data/aotinductor/model/model.so": trap})
    ),
    "TorchScript that writes when read": lambda mark: script(WritesWhenRead(str(mark))),
    "TorchScript that writes when called": lambda mark: script(WritesWhenCalled(str(mark))),
    "a package": of_package,
    "something before": lambda mark: b"#!/bin/sh\ntouch " + str(mark).encode() + b"\n" + pickled(Trap(mark)),
    "something between": lambda mark: gap(zipped(unzipped(pickled({"trap": Trap(mark)})))),
    "something behind": lambda mark: pickled({"trap": Trap(mark)}) + pickle.dumps(Trap(mark)),
}
