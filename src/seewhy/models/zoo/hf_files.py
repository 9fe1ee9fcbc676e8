"""Where the files of a Hugging Face model lie on this machine: in a folder, in the cache, or fetched into it."""

import re
from pathlib import Path
from typing import Any

from seewhy.errors import BadWeights, NoSuchName

from .folder import file_in, read_settings
from .sources import Request, fetch, need, reach, unreachable


def folder_of(request: Request) -> Path:
    """The folder on this machine that holds the files, which are downloaded into the cache where they must be."""
    name, path = request.name, Path(request.name).expanduser()
    if path.is_dir() or name.startswith((".", "/", "~")) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        if not path.is_dir():
            raise NoSuchName("model", request.spec, [], "It is neither a folder here nor a repository's name: hf/ORG/NAME.")
        if not (path / "config.json").is_file():
            inside = ", ".join(sorted(entry.name for entry in path.iterdir())[:6]) or "nothing"
            raise BadWeights(f"{path} holds no config.json, as transformers' save_pretrained writes it (it holds {inside}).")
        return path
    hub = need("huggingface_hub", extra="hf")
    cached = _cached(hub, request)
    known = cached and hub.try_to_load_from_cache(name, "preprocessor_config.json") is not None
    if cached and known:
        return cached
    try:
        return _download(hub, request)
    except BadWeights:
        if cached:
            return cached
        raise


def _cached(hub: Any, request: Request) -> Path | None:
    """The folder in the cache, None where there is none, or where weights that are needed are missing from it."""
    config = hub.try_to_load_from_cache(request.name, "config.json")
    folder = Path(config).parent if isinstance(config, str) else None
    return folder if folder and (request.weights is not None or weight_files(folder, request.trust)) else None


def _download(hub: Any, request: Request) -> Path:
    """The folder in the cache after settings, and weights where they are needed, were downloaded into it."""
    reach(hub.constants.ENDPOINT, request.spec)

    def files(*patterns: str) -> Path:
        return Path(fetch(lambda: hub.snapshot_download(request.name, allow_patterns=[*patterns], etag_timeout=5), request))

    folder = files("*.json", "*.py", "*.txt", "*.model")
    if not (folder / "config.json").is_file():
        raise BadWeights(f"{request.spec} holds no config.json: it is no repository of transformers, nor of timm.")
    if (
        request.weights is None
        and not weight_files(files("model*.safetensors"), request.trust)
        and not weight_files(files("pytorch_model*.bin"), request.trust)
    ):
        raise unreachable(request.spec, "the repository holds neither safetensors nor pytorch_model.bin")
    return folder


def weight_files(folder: Path, trust: bool = False) -> list[Path]:
    """The file of weights, or all its shards; none where one is missing."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if whole := file_in(folder, name, trust):
            return [whole]
        if index := file_in(folder, f"{name}.index.json", trust):
            places = read_settings(index).get("weight_map")
            shards = sorted({*map(str, places.values())}) if isinstance(places, dict) else []
            paths = [file_in(folder, shard, trust) for shard in shards]
            if paths and None not in paths:
                return [path for path in paths if path]
    return []
