from __future__ import annotations

import re
from typing import Any

from rest_framework import serializers

from arguslm.api.fields import Lines, Text, Whole
from arguslm.api.serializers import Input
from models_app.models import MAX_EXPECTED_TOKENS, MAX_PROMPT, PACK_ID, OwnPromptPack
from models_app.packs import all_packs, pack_of, synthetic_prompt
from models_app.prompts import PROMPT_PACKS, PromptPack

MAX_SYNTHETIC_TOKENS = 32_768
MAX_IMPORTED = 1_000


class PackChoice(Text):
    """The id of a prompt pack that exists, built-in or own."""

    default_error_messages = {"unknown": "Must be one of: {known}."}

    def to_internal_value(self, data: Any) -> str:
        pack_id = super().to_internal_value(data)
        if pack_of(pack_id) is None:
            self.fail("unknown", known=", ".join(pack.id for pack in all_packs()))
        return pack_id


class PackId(Text):
    default_error_messages = {
        "invalid_id": "Lower-case letters, digits, - and _ only, 64 at most.",
        "built_in": "This is the id of a built-in pack.",
    }

    def to_internal_value(self, data: Any) -> str:
        pack_id = super().to_internal_value(data)
        if not re.fullmatch(PACK_ID, pack_id):
            self.fail("invalid_id")
        if pack_id in PROMPT_PACKS:
            self.fail("built_in")
        return pack_id


class PromptText(Lines):
    """Kept to the blank, but never blank altogether."""

    def to_internal_value(self, data: Any) -> str:
        prompt = super().to_internal_value(data)
        if not prompt.strip():
            self.fail("blank")
        return prompt


class PromptPackOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()
    prompt = serializers.CharField()
    expected_tokens = serializers.IntegerField(help_text="Usual length of an answer.")
    built_in = serializers.SerializerMethodField()

    def get_built_in(self, pack: PromptPack) -> bool:
        return pack.id in PROMPT_PACKS


class Synthetic(Input):
    input_tokens = Whole(min_value=64, max_value=MAX_SYNTHETIC_TOKENS)
    output_tokens = Whole(min_value=16, max_value=MAX_EXPECTED_TOKENS)


class PackChanges(Input):
    read_only_names = ("id", "built_in")

    name = Text(max_length=255, required=False)
    prompt = PromptText(max_length=MAX_PROMPT, required=False, trim_whitespace=False)
    expected_tokens = Whole(min_value=1, max_value=MAX_EXPECTED_TOKENS, required=False)


class PackInput(Input):
    """A prompt, or the lengths of one that is then made up."""

    read_only_names = ("built_in",)

    id = PackId(max_length=64)
    name = Text(max_length=255, required=False)
    prompt = PromptText(max_length=MAX_PROMPT, required=False, trim_whitespace=False)
    expected_tokens = Whole(min_value=1, max_value=MAX_EXPECTED_TOKENS, required=False)
    synthetic = Synthetic(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("prompt" in attrs) == ("synthetic" in attrs):
            raise serializers.ValidationError({"prompt": ["Give either prompt or synthetic."]})
        if "prompt" in attrs and "expected_tokens" not in attrs:
            raise serializers.ValidationError({"expected_tokens": ["This field is required."]})
        return attrs

    def pack(self) -> PromptPack:
        given = self.validated_data
        pack_id, name = given["id"], given.get("name") or given["id"]
        if "synthetic" not in given:
            return PromptPack(pack_id, name, given["prompt"], given["expected_tokens"])
        lengths = given["synthetic"]
        expected = given.get("expected_tokens", lengths["output_tokens"])
        prompt = synthetic_prompt(pack_id, lengths["input_tokens"], lengths["output_tokens"])
        return PromptPack(pack_id, name, prompt, expected)


class NewPackInput(PackInput):
    def validate_id(self, pack_id: str) -> str:
        if OwnPromptPack.objects.filter(pk=pack_id).exists():
            raise serializers.ValidationError("There is such a pack already.")
        return pack_id


class PacksImported(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    updated = serializers.IntegerField()


def packs_in(data: Any) -> list[PromptPack]:
    """The packs of an import, one per line. Raises ValidationError, by line number from 1."""
    if not isinstance(data, list) or not 1 <= len(data) <= MAX_IMPORTED:
        raise serializers.ValidationError(f"Send 1 to {MAX_IMPORTED} packs, one on each line.")
    readers = [PackInput(data=line) for line in data]
    faults = {f"line {n}": r.errors for n, r in enumerate(readers, 1) if not r.is_valid()}
    if faults:
        raise serializers.ValidationError(faults)
    found = [reader.pack() for reader in readers]
    if len({pack.id for pack in found}) < len(found):
        raise serializers.ValidationError("An id is there more than once.")
    return found
