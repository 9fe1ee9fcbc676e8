"""JSON as the strictest reader takes it."""

import json


def strict(line: str) -> dict:
    """What a reader takes that knows no NaN, and no halves of surrogate pairs."""

    def refused(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    assert len(line.splitlines()) == 1
    found = json.loads(line.encode("utf-8"), parse_constant=refused)
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found
