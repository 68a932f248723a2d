"""Make and use objects of frozen dataclasses by the thousand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, make_dataclass
from typing import Any, Generic, TypeVar, cast, overload

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


class lazy(Generic[T]):
    """A property that an object works out once, as ``functools.cached_property`` is.

    That one takes a lock before Python 3.12, which costs more than most of our values.
    """

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work = work
        self._name = work.__name__
        self.__doc__ = work.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> lazy[T]: ...

    @overload
    def __get__(self, owner: object, kind: type) -> T: ...

    def __get__(self, owner: object | None, kind: type) -> T | lazy[T]:
        if owner is None:
            return self
        # Two threads may both work it out, to the same result.
        value = owner.__dict__[self._name] = self._work(owner)
        return value
