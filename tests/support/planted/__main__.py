"""What comes of every planted network, as a table:  python -m support.planted [words of names]"""

import sys
from collections import Counter
from time import perf_counter

from .judge import Verdict, answered, questions
from .measured import say
from .table import TABLE


def main(words: list[str]) -> None:
    counts: Counter[str] = Counter()
    begin = perf_counter()
    for name, row in TABLE.items():
        if not all(word in name for word in words):
            continue
        for method, layer, may in questions(row):
            try:
                verdict = answered(row, method, layer)
            except Exception as error:  # noqa: BLE001 - the table goes on
                verdict = Verdict("FAILED", f"{type(error).__name__}: {error}")
            fine = verdict.kind in may
            counts[f"{'as required' if fine else 'NOT AS REQUIRED'}: {verdict.kind}"] += 1
            asked = f"{method}{f' at {layer}' if layer else ''}"
            say(f"{'   ' if fine else '***'} {verdict.kind:8}{name:50} {asked:26} {verdict.words[:230]}")
    say(f"\n{dict(counts)} in {perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
