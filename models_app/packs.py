"""All prompt packs of this installation: the built-in ones and those made here."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence

from django.db import transaction

from models_app.models import OwnPromptPack
from models_app.prompts import PROMPT_PACKS, PromptPack
from providers.tokens import estimate_tokens

# Words of three letters that are one token each, with the blank before them, in the vocabularies of
# today. So the text has the length that was asked for by a real tokenizer as well as by our
# estimate of four characters to a token; longer words would give 40 % less.
_WORDS = re.findall(
    r"\w+",
    "sun hat cup dog cat map pen box key car bus bed sky sea oil ice tea egg arm leg ear eye toy "
    "jar nut row air bag bar bay big boy day dot end fan fog fun gas hot ink jam job joy law man "
    "mix mud net old pan pie pot red rib run set son tax ten tie tin top two van war way win",
)
_TASK = (
    "Below is a list of words without meaning. Ignore it and write a plain description of an "
    "ordinary day in a small town, about {words} words long. Do not stop early.\n\n"
)


def all_packs() -> list[PromptPack]:
    own = OwnPromptPack.objects.order_by("created_at", "id")
    return [*PROMPT_PACKS.values(), *(row.pack for row in own)]


def pack_of(pack_id: str) -> PromptPack | None:
    if pack_id in PROMPT_PACKS:
        return PROMPT_PACKS[pack_id]
    row = OwnPromptPack.objects.filter(pk=pack_id).first()
    return row.pack if row is not None else None


def prompt_hash(prompt: str) -> str:
    """SHA-256 of the prompt's UTF-8 bytes, in hexadecimal."""
    return hashlib.sha256(prompt.encode()).hexdigest()


def synthetic_prompt(seed: str, input_tokens: int, output_tokens: int) -> str:
    """A prompt of about `input_tokens` by our estimate; the same arguments give the same text."""
    task = _TASK.format(words=max(10, round(output_tokens * 0.75)))
    draw = random.Random(f"{seed} {input_tokens}")  # noqa: S311 - a text, not a secret
    left = 4 * (input_tokens - estimate_tokens(task))
    words: list[str] = []
    while left > 0:
        words.append(draw.choice(_WORDS))
        left -= len(words[-1]) + 1
    return task + " ".join(words)


def import_packs(packs: Sequence[PromptPack]) -> tuple[int, int]:
    """Makes or replaces each of them, all or none; how many are new, how many were there."""
    with transaction.atomic():
        made = [_put(pack) for pack in packs]
    return sum(made), len(made) - sum(made)


def _put(pack: PromptPack) -> bool:
    values = {"name": pack.name, "prompt": pack.prompt, "expected_tokens": pack.expected_tokens}
    return OwnPromptPack.objects.update_or_create(pk=pack.id, defaults=values)[1]
