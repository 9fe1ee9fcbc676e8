"""Where the files of a Hugging Face model lie on this machine: in a folder, in the cache, or fetched into it."""

import re
from pathlib import Path
from typing import Any

from seewhy.errors import BadWeights, NoSuchName

from .folder import own_file, read_settings
from .sources import Request, fetched, need, reach, unreachable


def folder_of(request: Request) -> Path:
    """Where the files lie on this machine, fetched there if they must be."""
    name, path = request.name, Path(request.name).expanduser()
    if path.is_dir() or name.startswith((".", "/", "~")) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        if not path.is_dir():
            raise NoSuchName("model", request.spec, [], "It is neither a folder here nor a repository's name: hf/ORG/NAME.")
        if not (path / "config.json").is_file():
            inside = ", ".join(sorted(one.name for one in path.iterdir())[:6]) or "nothing"
            raise BadWeights(f"{path} holds no config.json, as transformers' save_pretrained writes it (it holds {inside}).")
        return path
    hub = need("huggingface_hub", extra="hf")
    cached = _cached(hub, request)
    known = cached and hub.try_to_load_from_cache(name, "preprocessor_config.json") is not None
    if cached and known:
        return cached
    try:
        return _fetch(hub, request)
    except BadWeights:
        if cached:
            return cached
        raise


def _cached(hub: Any, request: Request) -> Path | None:
    """The folder of what was fetched before, with all its weights where they are request for."""
    found = hub.try_to_load_from_cache(request.name, "config.json")
    folder = Path(found).parent if isinstance(found, str) else None
    return folder if folder and (request.weights is not None or weight_files(folder, request.trust)) else None


def _fetch(hub: Any, request: Request) -> Path:
    reach(hub.constants.ENDPOINT, request.spec)

    def some(*patterns: str) -> Path:
        return Path(fetched(lambda: hub.snapshot_download(request.name, allow_patterns=[*patterns], etag_timeout=5), request))

    folder = some("*.json", "*.py", "*.txt", "*.model")
    if not (folder / "config.json").is_file():
        raise BadWeights(f"{request.spec} holds no config.json: it is no repository of transformers, nor of timm.")
    if (
        request.weights is None
        and not weight_files(some("model*.safetensors"), request.trust)
        and not weight_files(some("pytorch_model*.bin"), request.trust)
    ):
        raise unreachable(request.spec, "the repository holds neither safetensors nor pytorch_model.bin")
    return folder


def weight_files(folder: Path, trust: bool = False) -> list[Path]:
    """The file of weights, or all its shards; none where one is missing."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if one := own_file(folder, name, trust):
            return [one]
        if index := own_file(folder, f"{name}.index.json", trust):
            named = read_settings(index).get("weight_map")
            shards = sorted({*map(str, named.values())}) if isinstance(named, dict) else []
            found = [own_file(folder, shard, trust) for shard in shards]
            if found and None not in found:
                return [path for path in found if path]
    return []
