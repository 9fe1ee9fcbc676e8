"""What vision-language models write about images, token by token: the list of what the target Token can explain."""

from dataclasses import dataclass, field
from typing import Any

from seewhy.arguments import known_names
from seewhy.errors import NotApplicable
from seewhy.explaining.findings import view_of
from seewhy.images.inputs import Images
from seewhy.models.model import Model, require
from seewhy.targets.aim import Aim, ImageView, Pinned
from seewhy.targets.token import OTHERS, Token, logits_of
from seewhy.targets.written import Writing, WrittenText


@known_names()
def written(model: Model, images: Images, seed: int | None = None, longest: int = 64) -> list[WrittenText]:
    """What a vision-language model writes about each image, behind what it was asked in wrap(inputs=).

    seed, longest: as of Token.  Each of the tokens, or of the words of the text, is a target: `Token(3)`, `Token("dog")`.
    Raises NotApplicable for a model that writes no text.
    """
    require(model, "scores")
    how = Token(0, seed, longest).writing
    texts: list[WrittenText] = []
    for batch in model.batches(images):
        for i in range(len(batch.x)):
            alone, part = model.beside(len(texts), 1), batch.part(i, i + 1)
            whole = WholeText(how)
            alone.aimed([whole], part.x, view_of(part, alone, 0))
            texts += whole.texts
    return texts


@dataclass(frozen=True)
class WholeText(Aim):
    """An aim at no single token: as it is pinned it keeps the text."""

    how: Writing
    texts: list[WrittenText] = field(default_factory=list)

    @property
    def writing(self) -> Writing:
        return self.how

    def pin(self, output: Any, view: ImageView) -> Pinned:
        if view.written is None:
            raise NotApplicable(f"{view.model.name} writes no text about an image. {OTHERS}")
        self.texts.append(view.written._replace(inputs=None))
        return Pinned(lambda given: logits_of(given)[:, 0, 0], "logits", "the whole text")
