"""Airflow's step between ``partial`` and ``expand``, which checks the arguments that ``expand`` gets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from airflow.sdk.definitions.mappedoperator import OperatorPartial

if TYPE_CHECKING:
    from airflow.sdk.definitions.mappedoperator import MappedOperator


class Checking(Protocol):
    """The class of an operator that checks the arguments of mapped copies."""

    def check_copies(
        self,
        given: Mapping[str, Any],
        copies: Sequence[Mapping[str, Any]],
        unknown: bool = False,
        fixed: Collection[str] = (),
    ) -> None:
        """Check the arguments of each copy."""

    def check_mapped(self, given: Mapping[str, Any], mapped: Mapping[str, Any]) -> None:
        """Check lists of values, of which each is combined with each other one."""


class CheckedPartial(OperatorPartial):
    """What ``partial`` of an operator with early checks returns."""

    operator_class: Any

    @property
    def _checking(self) -> Checking:
        return self.operator_class  # type: ignore[no-any-return]  # only such a class makes this step

    @property
    def _given(self) -> dict[str, Any]:
        """What all copies share: also the ``default_args`` of DAG and group, which Airflow adds."""
        dag, group = self.kwargs.get("dag"), self.kwargs.get("task_group")
        defaults = [getattr(each, "default_args", None) or {} for each in (dag, group)] if dag else []
        return {name: value for each in (*defaults, self.kwargs) for name, value in each.items()}

    @classmethod
    def of(cls, made: OperatorPartial) -> CheckedPartial:
        """Return Airflow's own step with checks.

        :param made: What Airflow made.
        """
        made._expand_called = True  # else it warns that nobody expanded it
        return cls(operator_class=made.operator_class, kwargs=made.kwargs, params=made.params)

    def expand(self, **mapped_kwargs: Any) -> MappedOperator:
        """Check the arguments, then do as Airflow's own method.

        :param mapped_kwargs: The values of each argument.
        """
        self._expand_called = True  # the error says enough, without Airflow's warning that nobody called this
        self._checking.check_mapped(self._given, mapped_kwargs)
        return super().expand(**mapped_kwargs)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """Check the arguments, then do as Airflow's own method.

        :param kwargs: The arguments of each copy.
        :param strict: Whether they may not replace those of ``partial``.
        """
        self._expand_called = True
        listed = kwargs if isinstance(kwargs, list | tuple) else ()
        known = [each for each in listed if isinstance(each, Mapping)]
        self._checking.check_copies(
            self._given,
            known,
            unknown=not listed or len(known) < len(listed),
            fixed=self.kwargs if strict else (),
        )
        return super().expand_kwargs(kwargs, strict=strict)
