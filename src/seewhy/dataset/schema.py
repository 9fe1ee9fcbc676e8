"""The columns of a run's store, one row for each photo, method and target; docs/run.md repeats this table."""

from typing import TYPE_CHECKING, Any, NamedTuple

from seewhy.errors import MissingExtra

if TYPE_CHECKING:
    import pyarrow

VERSION = "seewhy-run/1"  # rises where a reader of the columns has to know; further columns alone do not raise it
CLASS = "index int32, label string, probability float32"
SHARES = ("on_object", "object_area", "border", "corner_nw", "corner_ne", "corner_sw", "corner_se", "concentration",
          "centre_y", "centre_x")  # fmt: skip
PHOTO = ("brightness", "contrast", "sharpness", "saturation")


class Column(NamedTuple):
    """A column: its Arrow type, in words that `type_of` reads, and what it means."""

    name: str
    kind: str
    meaning: str


COLUMNS = (
    Column("item", "int64", "the place of the photo in the listing of the data, from 0 on"),
    Column("path", "string", "where the photo lies, as the listing names it"),
    Column("sha256", "string", "of the file's bytes; null where it could not be read"),
    Column("width", "int32", "of the upright photo, in pixels"),
    Column("height", "int32", "of the upright photo, in pixels"),
    Column("format", "string", "of the file, as Pillow names it: JPEG, PNG"),
    Column("file_bytes", "int64", "the size of the file"),
    Column("truth", "list<int32>", "the true classes, by index; empty where none is known"),
    Column("truth_labels", "list<string>", "their labels, as the model names them"),
    Column(
        "predicted",
        "int32",
        "the likeliest class; null where there is none: of a regression, of scores that are no numbers",
    ),
    Column("predicted_label", "string", "its label"),
    Column("predicted_probability", "float32", "its probability, 0 to 1"),
    Column("top", f"list<struct<{CLASS}>>", "the five likeliest classes, likeliest first"),
    Column("right", "bool", "is the likeliest class a true one? null where no truth is known, or nothing is predicted"),
    Column("true_rank", "int32", "the place of the best true class among all, by score, from 1 on"),
    Column("true_probability", "float32", "the probability of the best true class"),
    Column("method", "string", "by which the map was made"),
    Column("target", "string", "`top`: the likeliest class; `true`: the best true class, where it is not the likeliest"),
    Column("index", "int32", "of the class explained; null where the map looks at no class"),
    Column("label", "string", "of the class explained"),
    Column("score", "float32", "the explained score"),
    Column("probability", "float32", "of the class explained"),
    Column("map", "binary", "the map divided by `map_scale`: float16, little-endian, row by row"),
    Column("map_shape", "list<int32>", "rows and columns of the map"),
    Column("map_scale", "float32", "the largest absolute value of the map, in the method's own units"),
    Column("map_box", "list<float64>", "the part of the photo that the network saw: left, top, right, bottom, in pixels"),
    Column("map_cells", "string", "JSON: where in this part the cells of the map lie; `docs/run.md` says how"),
    Column("map_coarse", "bool", "is the map the mean over blocks of one of more than 4096 values?"),
    Column("evidence", f"struct<{', '.join(f'{name} float32' for name in SHARES)}>", "where the positive evidence lies"),
    Column("photo", f"struct<{', '.join(f'{name} float32' for name in PHOTO)}, jpeg_quality int32>", "how the photo looks"),
    Column("embedding", "binary", "the layer's activation, its mean over the photo: float16, one number a channel"),
    Column("embedding_size", "int32", "how many numbers the embedding has"),
    Column("seen", "binary", "the same, each place weighted by the positive part of the map: what it looked at"),
    Column("warnings", "list<string>", "why the map is empty or suspect"),
    Column("source", "string", "JSON: the facts of the map's Source that are this map's own"),
    Column("made_by", "string", "JSON: the facts of the Source that maps of one model and method share"),
    Column("error", "string", "why there is no map; null where all went well"),
)
NAMES = tuple(column.name for column in COLUMNS)


def arrow() -> Any:
    """PyArrow.  Raises MissingExtra where it is not installed."""
    try:
        import pyarrow  # here, for it is an extra and takes long to import
    except ModuleNotFoundError:
        raise MissingExtra("PyArrow, which stores runs,", "dataset") from None
    return pyarrow


def schema() -> "pyarrow.Schema":
    """The columns as Arrow has them; the version stands in the metadata of every part."""
    pa = arrow()
    fields = [pa.field(column.name, type_of(column.kind)) for column in COLUMNS]
    return pa.schema(fields, metadata={"seewhy": VERSION})


def type_of(kind: str) -> Any:
    """The Arrow type that the words name: int32, list<...>, struct<name type, ...>."""
    pa = arrow()
    outer, _, inner = kind.removesuffix(">").partition("<")
    if outer == "list":
        return pa.list_(type_of(inner))
    if outer == "struct":
        return pa.struct([(name, type_of(of)) for name, of in (part.split(" ") for part in inner.split(", "))])
    return getattr(pa, f"{outer}_" if outer == "bool" else outer)()
