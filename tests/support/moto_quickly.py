"""Makes moto quick in what it does thousands of times, with the same results."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from moto.core.serialize import ResponseSerializer
from moto.sqs import models as sqs

if TYPE_CHECKING:
    from moto.core.model import StructureShape


def answer_quickly() -> None:
    """
    Look for the one type that an attribute of DynamoDB has, instead of all ten, and keep SQS's names.

    Moto tries six spellings for each type that an attribute of an item might have. It converts the names of a
    queue's properties for each new queue, character by character.
    """
    serialize = ResponseSerializer._serialize_type_structure  # noqa: SLF001 - moto has no public name for it.

    def quickly(serializer: Any, serialized: Any, value: Any, shape: StructureShape, key: str) -> None:
        if not key or shape.name != "AttributeValue" or type(value) is not dict:
            serialize(serializer, serialized, value, shape, key)
            return
        wrapper = serializer.MAP_TYPE()
        for name in value:
            member: Any = shape.members[name]
            member.parent = shape
            serializer._serialize_structure_member(wrapper, value, member, name)  # noqa: SLF001 - as above.
        serializer._default_serialize(serialized, wrapper, shape, key)  # noqa: SLF001 - as above.

    ResponseSerializer._serialize_type_structure = quickly  # type: ignore[assignment, method-assign]  # noqa: SLF001 - as above.
    sqs.camelcase_to_underscores = cache(sqs.camelcase_to_underscores)  # type: ignore[attr-defined]  # Imported there.
