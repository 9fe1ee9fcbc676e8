"""Labels and texts that a grammar of targets could mistake for something else."""

from hypothesis import strategies as st

HOSTILE = (
    "cat", "dog", "1", "0", "2", "10-wheeler", "10", "007", "-1", "1e3", "１", "top", "top 1", "top:3", "Top", "any", "any:cat",
    "region:cat", "region:1", "unit:features.10:42", "unit: blue", "box:cat:0", "box:1:0", "point:1,2", "point:1,2:cat",
    "similar:a.jpg", "text:a dog", "text:yes | no", "cat-vs-dog", "0-vs-1", "0-vs-1:0.6", "1:0.6", "3 look-alikes",
    "look-alikes",
    "-vs-", "a-vs-", "-vs-b", "cat+dog", "0+1", "C++", "a|b", "a, b", "a,b", "yes | no", '"', '""', '"cat"', '"cat', 'cat"',
    "\\", "\\n",
    'say "hi"', '"a"-vs-"b"', '"a"+b', "a\\", '\\"', "new\nline", "tab\tbed", " lead", "trail ", "  ", "", "x:1", "x:1,2,3,4",
    "x::", ":",
    "CAT", "cat ", "Cat", "caf\u00e9", "cafe\u0301", "\u212b", "\u2028", "\x00", "\x1b[31m", "truth", "n02123045", "'", "a'b",
    "$HOME", "`ls`",
    "array (2,) sha256:0123456789abcdef", "cat in the mask array (2, 2) sha256:0123456789abcdef", "../../etc/passwd", "CON",
    "x" * 300,
)  # fmt: skip
PARTS = st.sampled_from(
    [*'"\\+:|,-_ \n\t.#{}%', "-vs-", "vs", "top", "any:", "text:", "box:", "region:", "0", "1", "12", "cat", "é", "ß", "犬"]
)


def texts(least: int = 0, most: int = 40) -> st.SearchStrategy[str]:
    """Texts of any letters, of signs that mean something, and those of HOSTILE."""
    made = st.lists(PARTS, min_size=least, max_size=8).map("".join)
    return st.one_of(st.sampled_from(HOSTILE), st.text(max_size=most), made).filter(lambda text: len(text) >= least)


def labels(least: int = 2) -> st.SearchStrategy[list[str]]:
    """The labels of a model, some of them twice."""
    return st.lists(texts(), min_size=least, max_size=14)
