"""Make objects of frozen dataclasses by the thousand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, make_dataclass
from typing import Any, TypeVar, cast

T = TypeVar("T")


def maker(cls: type[T]) -> Callable[..., T]:
    """Return a function that makes objects of a frozen dataclass with slots, at a third of the usual cost.

    A frozen dataclass calls ``object.__setattr__`` for each field. The function assigns the fields of an
    object of a twin class, which has the same slots and is not frozen, and then makes it one of the class.

    :param cls: The class. Its ``__init__`` does nothing but set the fields.
    :return: The function. It takes all fields in their order; none has a default.
    """

    def become(made: Any) -> None:
        made.__class__ = cls

    names = [each.name for each in fields(cast(Any, cls))]
    twin = make_dataclass(cls.__name__, names, slots=True, namespace={"__post_init__": become})
    return cast("Callable[..., T]", twin)
