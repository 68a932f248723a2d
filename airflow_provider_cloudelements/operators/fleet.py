"""Operators that keep instances as a manifest says: one plans, the other applies the plan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_cloudelements.client.tags import named_text
from airflow_provider_cloudelements.client.wire.parallel import MOST_CONCURRENCY
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID, ElementSettings
from airflow_provider_cloudelements.exceptions import (
    CloudElementsApplyError,
    CloudElementsConflictError,
    CloudElementsDriftError,
    CloudElementsUnsafePlanError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.fleet import (
    Manifest,
    Plan,
    Report,
    Safety,
    apply,
    plan,
    read_manifest,
)
from airflow_provider_cloudelements.fleet.report import Pace
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsElementHook
from airflow_provider_cloudelements.links.instances import CloudElementsInstanceLink, console_link
from airflow_provider_cloudelements.links.pages import CloudElementsInstancesPageLink
from airflow_provider_cloudelements.operators._parts.base import (
    CloudElementsBaseOperator,
    require_choice,
    require_seconds,
)
from airflow_provider_cloudelements.operators._parts.early_checks import (
    EarlyChecks,
    count,
    count_or_none,
    switch,
)
from airflow_provider_cloudelements.operators._parts.fleet_assets import FleetAssets
from airflow_provider_cloudelements.operators._parts.plan_files import parts_of, plans_in
from airflow_provider_cloudelements.operators._parts.shown_rows import (
    refuse_literal_secrets,
    visible_manifest,
    visible_plan,
)
from airflow_provider_cloudelements.operators._parts.whole_file import storage_path

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

__all__ = ["CloudElementsApplyInstancesOperator", "CloudElementsPlanInstancesOperator"]

#: Most changes of a part of a plan, unless the caller says otherwise.
CHUNK_SIZE = 250
REPORTS = ("failed", "all")

#: Most results that XCom gets.
_MOST_RESULTS = 1000
#: Most characters of the plan in Markdown: what a person reads before they approve.
_MOST_MARKDOWN = 20_000


def _limit(field: str) -> Callable[[Any], Any]:
    """Return the check of a limit of a plan."""
    return lambda value: getattr(Safety(**{field: value}), field)


class CloudElementsPlanInstancesOperator(EarlyChecks, FleetAssets, CloudElementsBaseOperator):
    """Compare a manifest with the account, and return what would change. Nothing is written.

    The operator reads the list of instances once, and calls nothing else, unless the list leaves out what a
    comparison needs. It logs the plan as a table. The plan holds no secret.

    The return value is a list of parts, so that mapped tasks apply them on any executor:
    ``CloudElementsApplyInstancesOperator.partial(task_id="apply").expand(plan=plan.output)``. A plan without
    a change gives an empty list, and Airflow skips the mapped task. Further XComs: ``checksum`` (of the whole
    plan), ``counts`` (how many changes by kind, ``unchanged``, and ``left`` if any are left alone),
    ``deletes`` (how many instances it deletes or replaces), ``unsafe`` (the names that ``force`` must hold to
    apply it; empty if it breaks no rule of safety) and ``markdown`` (the plan to read, of 20,000 characters
    at most).

    :param manifest: The manifest: the path of a YAML or JSON file or of a folder with such files, an address
        in object storage (``s3://connection@bucket/key``), a manifest as a dictionary, or rows: a list of
        dictionaries, such as the output of an upstream task. Templated.
    :param ownership_tag: Tag of all instances that the manifest manages, for rows. A template that gives
        nothing is refused. Templated.
    :param prune: Whether to delete instances of this namespace that carry the ownership tag and that no row
        names. Default: ``False``.
    :param adopt: Whether rows may take over instances of the same name and element that have no key yet, and
        instances of their key that lack the ownership tag. Default: ``False``.
    :param max_updates: Most existing instances that a safe plan changes in place. Default: no limit.
    :param max_update_percent: The same in per cent of the managed instances. Default: 30.
    :param max_deletes: Most instances that a safe plan deletes or replaces. Default: no limit.
    :param max_delete_percent: The same in per cent of the managed instances. Default: 30.
    :param limits_from: The limits in per cent count only if at least so many instances are managed. Default:
        10.
    :param chunk_size: Most changes of a part. Default: 250.
    :param plan_path: Address of a file in object storage, such as ``s3://connection@bucket/plan.json``, for
        plans that are too large for XCom. The parts then only name the file and their place in it. Default:
        none. Templated.
    :param fail_on_changes: Whether the task fails, after its XComs are pushed, if anything would change or an
        instance that is not as its row says is left alone: a check for drift. Default: ``False``.
    :param emit_assets: Whether to update the asset ``cloudelements_fleet_asset("drift", CONNECTION)`` with
        the counts in the same case. Airflow stores no asset event of a task that ``fail_on_changes`` fails.
        Default: ``False``.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: The parts of the plan.
    :raises CloudElementsManifestError: The manifest has problems, by itself or with the connections. The
        error lists all of them with file, line, instance and field, and nothing was called.
    :raises CloudElementsDriftError: ``fail_on_changes`` is set, and the account is not as the manifest says.
    :raises CloudElementsValidationError: ``prune`` is set without an ownership tag, or an argument is
        malformed.
    :raises CloudElementsServerError: The list of instances could not be read whole.
    """

    template_fields: Collection[str] = ("cloudelements_conn_id", "manifest", "ownership_tag", "plan_path")
    operator_extra_links = (CloudElementsInstanceLink(), CloudElementsInstancesPageLink())
    #: Set by a run, for the link: the page of the first instance that the plan would change.
    console_link = ""
    # A row may hold a secret by mistake: the manifest refuses it, and Airflow stores the fields before that.
    secret_fields: ClassVar[tuple[str, ...]] = ("manifest",)
    checks: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "manifest": refuse_literal_secrets,
        "prune": switch("prune"),
        "adopt": switch("adopt"),
        "max_updates": _limit("max_updates"),
        "max_update_percent": _limit("max_update_percent"),
        "max_deletes": _limit("max_deletes"),
        "max_delete_percent": _limit("max_delete_percent"),
        "limits_from": _limit("least"),
        "chunk_size": count("chunk_size", 1),
        "fail_on_changes": switch("fail_on_changes"),
        "emit_assets": switch("emit_assets"),
    }

    def __init__(
        self,
        *,
        manifest: str | Mapping[str, Any] | Sequence[Mapping[str, Any]] | Any,
        ownership_tag: str | None = None,
        prune: bool = False,
        adopt: bool = False,
        max_updates: int | None = None,
        max_update_percent: float = 30.0,
        max_deletes: int | None = None,
        max_delete_percent: float = 30.0,
        limits_from: int = 10,
        chunk_size: int = CHUNK_SIZE,
        plan_path: str | Any = None,
        fail_on_changes: bool = False,
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        if not kwargs.get("_airflow_from_mapped"):  # then the values come from a run
            self.checks["manifest"](manifest)
        super().__init__(cloudelements_conn_id=cloudelements_conn_id, **kwargs)
        self.manifest = manifest
        self.ownership_tag = ownership_tag
        self._needs_tag = ownership_tag is not None
        self.prune = self.checks["prune"](prune)
        self.adopt = self.checks["adopt"](adopt)
        self.max_updates = self.checks["max_updates"](max_updates)
        self.max_update_percent = self.checks["max_update_percent"](max_update_percent)
        self.max_deletes = self.checks["max_deletes"](max_deletes)
        self.max_delete_percent = self.checks["max_delete_percent"](max_delete_percent)
        self.limits_from = self.checks["limits_from"](limits_from)
        self.chunk_size = self.checks["chunk_size"](chunk_size)
        self.plan_path = plan_path
        self._needs_path = plan_path is not None
        self.fail_on_changes = self.checks["fail_on_changes"](fail_on_changes)

    def perform(self, context: Context) -> list[dict[str, Any]]:
        """Plan, log the plan, and return its parts or fail with them in XCom."""
        target = self._target()
        made = plan(
            self.hook.get_conn(),
            self._read(),
            _element_settings,
            prune=self.prune,
            adopt=self.adopt,
            safety=self._safety(),
        )
        for line in made.table().splitlines():
            self.log.info("%s", line)
        if not made.safe:
            self.log.warning("The plan is not safe. It is applied only with what 'force' names.")
        parts = parts_of(made, self.chunk_size, target)
        self._push(context, made)
        changed = next((each.instance_id for each in made.changes if each.instance_id is not None), None)
        if changed is not None:
            self.console_link = console_link(self.hook.settings.console_url, changed)
        if not made.clean:
            self.record(context, "drift", {"counts": made.all_counts, "deletes": made.deletes})
        if self.fail_on_changes and not made.clean:
            if self.do_xcom_push:  # a task that fails returns nothing
                context["ti"].xcom_push(key="return_value", value=parts)
            raise CloudElementsDriftError(
                f"The account is not as the manifest says: {_told(made)} The log says what differs."
            )
        return parts

    def _target(self) -> ObjectStoragePath | None:
        """Return the file for the plan; ``None`` if there is to be none."""
        if not self._needs_path:
            return None
        path = self.plan_path
        if not hasattr(path, "read_bytes"):
            # A template that gives nothing must not put the plan into XCom, nor into a file called None.
            path = named_text("plan_path", path)
        return storage_path(path, "plan_path")

    def _read(self) -> Manifest:
        given = self.secret("manifest")
        if isinstance(given, str) and given.lstrip()[:1] in ("[", "{"):
            raise CloudElementsValidationError(
                "manifest rendered to a text that holds rows, and not to the rows. Pass the upstream task's "
                "output (manifest=rows.output), or set render_template_as_native_obj=True."
            )
        # A template that gives nothing must not make all instances of the rows' keys managed ones.
        tag = named_text("ownership_tag", self.ownership_tag) if self._needs_tag else None
        return read_manifest(given, ownership_tag=tag)

    def _safety(self) -> Safety:
        return Safety(
            self.max_updates,
            self.max_update_percent,
            self.max_deletes,
            self.max_delete_percent,
            self.limits_from,
        )

    def _push(self, context: Context, made: Plan) -> None:
        if not self.do_xcom_push:
            return
        text = made.markdown()
        if len(text) > _MOST_MARKDOWN:
            text = f"{text[:_MOST_MARKDOWN].rpartition(chr(10))[0]}\n\n... and more: see the log.\n"
        for key, value in {
            "checksum": made.checksum,
            "counts": made.all_counts,
            "deletes": made.deletes,
            "unsafe": list(dict.fromkeys(each.force for each in made.violations)),
            "markdown": text,
        }.items():
            context["ti"].xcom_push(key=key, value=value)

    def _visible(self, field: str, value: Any) -> Any:
        return visible_manifest(value)


class CloudElementsApplyInstancesOperator(EarlyChecks, FleetAssets, CloudElementsBaseOperator):
    """Apply a plan of :class:`CloudElementsPlanInstancesOperator`, or a part of it.

    The task first looks at the account and compares again. What is as planned already counts as done, and a
    change that is no longer the one planned is left and reported as stale. So the task can be killed, cleared
    and run again at any moment: nothing is made twice. One failure does not stop the rest. Every ten seconds
    the log says how far it is.

    The report is the return value and, in Markdown, in the log. If the task has outlets, their asset events
    hold the counts as ``extra``.

    :param plan: What :class:`CloudElementsPlanInstancesOperator` returned, or one element of it, such as in
        ``expand(plan=plan.output)``. Templated.
    :param checksum: Checksum of the plan that was approved: the XCom ``checksum`` of the task that plans.
        Another plan is refused, and so is a checksum whose template gives nothing. Default: the plan that is
        given is taken as approved. Templated.
    :param concurrency: Most changes at once, from 1 to 256. Default: 8.
    :param force: Names of what is allowed although it is not safe: ``updates``, ``deletes``, and the keys of
        grave changes. Default: none. Templated.
    :param max_changes: Most changes of this task; if it has more, it changes nothing. Each mapped task counts
        its own part alone. Default: no limit.
    :param max_deletes: Most deletes and replacements, in the same way. Default: no limit.
    :param fail_fast: Whether the first failure ends the task, after the changes that have begun. Default:
        ``False``.
    :param report: Which results the report lists: ``failed`` (default: all but ``done`` and ``already``) or
        ``all``; at most 1,000. The counts include all.
    :param settle_time: Seconds to look for an instance after a create whose outcome is not known. Default:
        the connection's ``create_timeout``.
    :param emit_assets: Whether to update the asset ``cloudelements_fleet_asset("changed", CONNECTION)`` with
        the counts if the task changed something. Default: ``False``.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``ok``, ``counts`` (changes by status), ``by_kind``, ``results`` (each with ``kind``, ``key``,
        ``status``, ``instance_id`` and ``message``), ``left_out`` (how many results the list leaves out),
        ``checksum``, ``seconds``, ``verified``, ``twins_deleted`` and ``note``.
    :raises CloudElementsApplyError: A change failed, was stale or was not begun. The report is in XCom; a
        retry goes on with the rest.
    :raises CloudElementsUnsafePlanError: The plan breaks a limit that ``force`` does not name, or has more
        changes or deletes than allowed. Nothing was changed.
    :raises CloudElementsConflictError: It is not the plan that was approved, or it is for another account.
        Nothing was changed.
    :raises CloudElementsValidationError: An argument is malformed.
    """

    template_fields: Collection[str] = ("cloudelements_conn_id", "plan", "checksum", "force")
    # Its rows may hold values under keys that the provider does not know.
    secret_fields: ClassVar[tuple[str, ...]] = ("plan",)
    checks: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "concurrency": count("concurrency", 1, MOST_CONCURRENCY),
        "max_changes": count_or_none("max_changes"),
        "max_deletes": count_or_none("max_deletes"),
        "fail_fast": switch("fail_fast"),
        "report": lambda value: require_choice("report", value, REPORTS),
        "settle_time": lambda value: require_seconds("settle_time", value),
        "emit_assets": switch("emit_assets"),
    }

    def __init__(
        self,
        *,
        plan: Mapping[str, Any] | Sequence[Mapping[str, Any]] | str | Any,
        checksum: str | None = None,
        concurrency: int = 8,
        force: Sequence[str] = (),
        max_changes: int | None = None,
        max_deletes: int | None = None,
        fail_fast: bool = False,
        report: str = "failed",
        settle_time: float | None = None,
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(cloudelements_conn_id=cloudelements_conn_id, **kwargs)
        self.plan = plan
        self.checksum = checksum
        self._needs_approval = checksum is not None
        self.concurrency = self.checks["concurrency"](concurrency)
        self.force = force
        self.max_changes = self.checks["max_changes"](max_changes)
        self.max_deletes = self.checks["max_deletes"](max_deletes)
        self.fail_fast = self.checks["fail_fast"](fail_fast)
        self.report = self.checks["report"](report)
        self.settle_time = self.checks["settle_time"](settle_time)

    def perform(self, context: Context) -> dict[str, Any]:
        """Apply, log the report, and return it or fail with it in XCom."""
        plans = list(plans_in(self.secret("plan")))
        whole = self._whole(plans)
        self._require_within(plans)
        report = Report.together(list(self._applied(plans)), whole)
        for line in report.markdown().splitlines():
            self.log.info("%s", line)
        told = self._told(report)
        if not report.ok:
            if self.do_xcom_push:  # a task that fails returns nothing
                context["ti"].xcom_push(key="return_value", value=told)
            first = report.failed[0]
            raise CloudElementsApplyError(
                f"{len(report.failed)} of {len(report.results)} changes were not made. "
                f"The first: {first.kind} {first.key!r}: {first.message or first.status}"
            )
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = {"counts": dict(report.counts)}
        if report.counts.get("done"):
            self.record(context, "changed", {"counts": dict(report.counts)})
        return told

    def _visible(self, field: str, value: Any) -> Any:
        return visible_plan(value)

    def _whole(self, plans: Sequence[Plan]) -> str:
        """Return the checksum of the plan that all parts are of, and check that it was approved."""
        of_parts = {each.whole or each.checksum for each in plans}
        # A template that gives nothing must not approve whatever comes.
        approved = named_text("checksum", self.checksum) if self._needs_approval else None
        if approved is not None and of_parts - {approved}:
            raise CloudElementsConflictError(
                "The plan is not the one that checksum approves. Plan and approve again. Nothing was changed."
            )
        if len(of_parts) > 1:
            raise CloudElementsConflictError("The parts are of more than one plan. Nothing was changed.")
        return next(iter(of_parts), "")

    def _require_within(self, plans: Sequence[Plan]) -> None:
        """Check the limits of all plans together; each apply checks those of its own plan."""
        for name, most, number in (
            ("max_changes", self.max_changes, sum(len(each.changes) for each in plans)),
            ("max_deletes", self.max_deletes, sum(each.deletes for each in plans)),
        ):
            if most is not None and number > most and len(plans) > 1:
                raise CloudElementsUnsafePlanError(
                    f"The parts of the plan have {number} together, more than {name}={most}. Nothing was "
                    "changed."
                )

    def _applied(self, plans: Sequence[Plan]) -> Iterator[Report]:
        """Apply one part after the other; with ``fail_fast`` the first failure is the last one."""
        for each in plans:
            report = self._apply(each)
            yield report
            if self.fail_fast and not report.ok:
                return

    def _apply(self, part: Plan) -> Report:
        return apply(
            self.hook.get_conn(),
            part,
            part.checksum,
            _element_settings,
            concurrency=self.concurrency,
            force=() if self.force is None else self.force,
            max_changes=self.max_changes,
            max_deletes=self.max_deletes,
            fail_fast=self.fail_fast,
            settle_time=self.settle_time,
            on_progress=Pace(partial(self.log.info, "%s.")),
        )

    def _told(self, report: Report) -> dict[str, Any]:
        told = report.to_json()
        good = () if self.report == "all" else ("done", "already")
        results = [each for each in told["results"] if each["status"] not in good]
        told["results"] = results[:_MOST_RESULTS]
        told["left_out"] = len(report.results) - len(told["results"])
        return told


def _element_settings(conn_id: str) -> ElementSettings:
    """Read an element connection.

    :param conn_id: Its id.
    """
    return CloudElementsElementHook(conn_id).get_conn()


def _told(made: Plan) -> str:
    told = [f"{number} to {kind}" for kind, number in made.counts.items()]
    return ", ".join([*told, *([f"{made.left} left alone"] if made.left else [])]) + "."
