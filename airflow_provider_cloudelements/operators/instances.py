"""Operators that make and delete element instances."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.client import Instance
from airflow_provider_cloudelements.client.arguments import refuse_unknown, require_count
from airflow_provider_cloudelements.client.plain import plain_text
from airflow_provider_cloudelements.client.tags import named_text, origin_tag
from airflow_provider_cloudelements.client.target import Target
from airflow_provider_cloudelements.client.view import returned
from airflow_provider_cloudelements.compat import mask_token
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID
from airflow_provider_cloudelements.exceptions import (
    CloudElementsError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsElementHook
from airflow_provider_cloudelements.keys import EVENT_CALLBACK_URL
from airflow_provider_cloudelements.links.instances import CloudElementsInstanceLink, console_link
from airflow_provider_cloudelements.links.pages import CloudElementsInstancesPageLink
from airflow_provider_cloudelements.operators._parts.arguments import arguments_of
from airflow_provider_cloudelements.operators._parts.base import (
    CloudElementsBaseOperator,
    mask_given,
    require_bool,
    require_choice,
    require_seconds,
)
from airflow_provider_cloudelements.operators._parts.block import block_key, count_the_work
from airflow_provider_cloudelements.operators._parts.task_memory import memory_of
from airflow_provider_cloudelements.provisioning.arguments import NOT_GIVEN, default_key
from airflow_provider_cloudelements.provisioning.ensure import IF_EXISTS, Ensured, ensure
from airflow_provider_cloudelements.provisioning.removal import LEFT, MAX_DELETES, removal_of, remove
from airflow_provider_cloudelements.provisioning.spec import InstanceSpec

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = [
    "XCOM_ID",
    "XCOM_TOKEN",
    "CloudElementsCreateInstanceOperator",
    "CloudElementsDeleteInstanceOperator",
    "element_instance",
    "pull_token",
]

#: XCom key under which the create operator pushes the instance's id, an integer.
XCOM_ID = "id"
#: XCom key under which the create operator pushes the instance's element token, unless ``push_token=False``.
XCOM_TOKEN = "token"  # noqa: S105  the key's name, not a token


class CloudElementsCreateInstanceOperator(CloudElementsBaseOperator):
    """Make sure that an element instance exists, with events on, and push its id and token to XCom.

    There is one instance for each ``instance_key``, however often the task runs. A retry, a clear or the next
    scheduled run finds the instance that an earlier one made, and writes what differs from the arguments.

    The task pushes XCom ``id`` as soon as it knows the id, and a later failure carries it: an
    ``on_failure_callback`` finds it in ``context["exception"].instance_id``.

    XCom ``id`` holds the instance's id (an integer) and ``token`` its element token, so that
    ``create.output["token"]`` and ``xcom_pull(key="token")`` work. Airflow stores and shows XCom in clear.
    With ``push_token=False`` the task pushes only the id, and :meth:`CloudElementsHook.instance` fetches the
    token where you use it. In TaskFlow pass the token by keyword, ``use(token=create.output["token"])``:
    Airflow stores positional arguments in the rendered fields as they are.

    :param element: Key of the element, such as ``microsoftgraph``. Default: the element of the element
        connection. Templated.
    :param instance_name: Name of the instance. Templated.
    :param instance_key: Key that identifies the instance in later runs, together with the connection's
        namespace. White space around it does not count. Default: element and name, as in
        ``microsoftgraph/My calendar``. Templated.
    :param if_exists: What to do with an instance that exists: ``update`` (default) writes the configuration,
        events and tags that differ and re-authenticates with a new credential, ``reuse`` takes it as it is,
        ``fail`` raises an error, unless an earlier try of this very task instance made it.
    :param element_conn_id: Connection of type ``cloudelements_element``: what the vendor needs to log in.
        Templated.
    :param authorization_code: The code of an OAuth 2.0 consent; may be an XCom of an earlier task. A task
        instance sends it once, over all its tries, and never again once an instance shows it. ``None`` and an
        empty text mean no code, which is right for an instance that exists. Templated.
    :param authorization_state: The state that the consent link was made with. With it,
        ``authorization_code`` may also be the whole address that the vendor sent the person to. The operator
        compares the state of the address with this one. Templated.
    :param provider_data: Further values that the vendor's redirect brought, such as ``{"realmId": ...}``.
        Templated.
    :param configuration: Further configuration keys of the element, by the names of the API (``oauth.scope``,
        ``event.notification.signature.key`` ...). Values may be strings, booleans, numbers, lists or
        dictionaries. Templated.
    :param events_enabled: Whether events are on (``event.notification.enabled``). Default: the value in
        ``configuration`` or the element connection, else ``True``; the platform's own default is false.
    :param event_callback_url: Address to which the platform delivers events
        (``event.notification.callback.url``). Default: the value in ``configuration`` or the element
        connection. ``None`` gives none: you can then only read the events. An existing instance keeps the
        URL that it has, because it is not known how to remove it (U166). Templated.
    :param event_configuration: Further ``event.*`` keys, such as ``event.poller.refresh_interval``.
        Templated.
    :param tags: Tags that the instance shall have; tags that people add stay. Templated.
    :param push_token: Whether to push the token to XCom. Default: ``True``.
    :param settle_time: Seconds to look for the instance after a create whose outcome is not known. Default:
        the connection's ``create_timeout``, itself 60 by default.
    :param delete_twins: Whether to delete younger instances of the same key. Default: ``False``; a warning
        then names them.
    :param delete_on_failure: Whether a task that fails deletes the instance that it or an earlier try of it
        made; an instance that was there before stays. Default: ``False``, so that a retry finishes the
        instance and no consent is wasted. :func:`element_instance` turns it on.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``id``, ``name``, ``element``, ``tags`` (without this provider's own), ``valid``, ``disabled``,
        ``events_enabled``, ``created`` (whether this try made it), ``created_date`` (ISO 8601, UTC) and
        ``instance_key``. No token and no configuration.
    :raises CloudElementsConflictError: The key's instance has another element or name.
    :raises CloudElementsInstanceDisabledError: The instance is disabled or invalid, and no argument can
        repair it.
    :raises CloudElementsAmbiguousCreateError: It is not known whether the create took place; a retry looks
        up the instance first.
    :raises CloudElementsError: Any other failure of a call.
    """

    template_fields: Collection[str] = (
        "cloudelements_conn_id",
        "element",
        "instance_name",
        "instance_key",
        "element_conn_id",
        "authorization_code",
        "authorization_state",
        "provider_data",
        "configuration",
        "event_callback_url",
        "event_configuration",
        "tags",
    )
    template_fields_renderers = {"configuration": "json", "event_configuration": "json"}
    secret_fields = (
        "authorization_code",
        "provider_data",
        "configuration",
        "event_callback_url",
        "event_configuration",
    )
    wholly_secret_fields = ("authorization_code", "provider_data")
    fields_of_keys = {"event_callback_url": EVENT_CALLBACK_URL}
    operator_extra_links = (CloudElementsInstanceLink(), CloudElementsInstancesPageLink())
    #: Set by a run, for the link.
    console_link = ""

    def __init__(
        self,
        *,
        instance_name: str,
        element: str | None = None,
        instance_key: str | None = None,
        if_exists: str = "update",
        element_conn_id: str | None = None,
        authorization_code: str | None = None,
        authorization_state: str | None = None,
        provider_data: Mapping[str, str] | None = None,
        configuration: Mapping[str, Any] | None = None,
        events_enabled: bool | None = None,
        event_callback_url: str | None = NOT_GIVEN,
        event_configuration: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        push_token: bool = True,
        settle_time: float | None = None,
        delete_twins: bool = False,
        delete_on_failure: bool = False,
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(cloudelements_conn_id=cloudelements_conn_id, **kwargs)
        self.element = element
        self.instance_name = instance_name
        self.instance_key = instance_key
        #: Not by the rendered value: a template that finds nothing is a mistake, and no wish for the default.
        self._names_key = instance_key is not None
        self.element_conn_id = element_conn_id
        self.authorization_code = authorization_code
        self.authorization_state = authorization_state
        self.provider_data = provider_data
        self.configuration = configuration
        self.event_callback_url = event_callback_url
        self.event_configuration = event_configuration
        self.tags = tags
        self.if_exists = require_choice("if_exists", if_exists, IF_EXISTS)
        self.events_enabled = (
            None if events_enabled is None else require_bool("events_enabled", events_enabled)
        )
        self.push_token = require_bool("push_token", push_token)
        self.delete_twins = require_bool("delete_twins", delete_twins)
        self.delete_on_failure = require_bool("delete_on_failure", delete_on_failure)
        self.settle_time = require_seconds("settle_time", settle_time)

    def name_by_arguments(self) -> Any:
        """Return the name that the instance gets."""
        return self.instance_name

    def perform(self, context: Context) -> dict[str, Any]:
        """Ensure the instance, push id and token, return the rest."""
        spec = self._spec(context)
        with self._removing_on_failure(spec):
            ensured = ensure(
                self.hook.get_conn().instances,
                spec,
                if_exists=self.if_exists,
                settle_time=self.settle_time,
                delete_twins=self.delete_twins,
                with_token=self.push_token,
                memory=memory_of(context),
                on_id=lambda instance_id: self._push_id(context, instance_id),
            )
            self._tell(ensured)
            if self.event_callback_url is None and ensured.instance.event_callback_url:
                self.log.warning("The instance keeps the event callback URL that it has.")
            self._push_token(context, ensured.instance)
        key = plain_text(spec.identity.key)
        return {**returned(ensured.instance), "created": ensured.created, "instance_key": key}

    def _spec(self, context: Context) -> InstanceSpec:
        if self.instance_key is None and self._names_key:
            raise CloudElementsValidationError(
                "instance_key must be a text that names something; it is None, so the task or the template "
                "that it comes from gave no value. Without it, element and name are the key."
            )
        credentials = (
            CloudElementsElementHook(self.element_conn_id).get_conn() if self.element_conn_id else None
        )
        origin = _origin(context) if self.if_exists == "fail" or self.delete_on_failure else None
        spec = arguments_of(self).spec(self.hook.settings, credentials, origin=origin)
        mask_given(spec.configuration, spec.provider_data)
        return spec

    def _push_id(self, context: Context, instance_id: int) -> None:
        self.console_link = console_link(self.hook.settings.console_url, instance_id)
        if self.do_xcom_push:  # Airflow itself applies it only to the returned value
            context["ti"].xcom_push(key=XCOM_ID, value=instance_id)

    def _push_token(self, context: Context, instance: Instance) -> None:
        if self.do_xcom_push and self.push_token:
            context["ti"].xcom_push(key=XCOM_TOKEN, value=instance.token)

    def _tell(self, ensured: Ensured) -> None:
        instance = ensured.instance
        done = "created" if ensured.created else "found"
        if ensured.changed:
            done += f", written: {', '.join(ensured.changed)}"
        events = "on" if instance.events_enabled else "off"
        self.log.info(
            "Instance %d (%r, element %s) %s; events %s.",
            instance.id,
            instance.name,
            instance.element_key,
            done,
            events,
        )

    @contextmanager
    def _removing_on_failure(self, spec: InstanceSpec) -> Iterator[None]:
        try:
            yield
        except BaseException:  # a time-out or a kill of the task, too
            if self.delete_on_failure:
                self._remove(spec)
            raise

    def _remove(self, spec: InstanceSpec) -> None:
        instances = self.hook.get_conn().instances
        try:
            # Only instances that a try of this task instance made, not those that it found.
            origin = origin_tag(str(spec.origin))
            for instance in Target.of_identity(spec.identity).find(instances):
                if origin in instance.tags:
                    instances.delete(instance.id)
                    self.log.info("Deleted instance %d, whose create failed.", instance.id)
        except CloudElementsError as error:
            self.log.warning("The instance of the failed create could not be deleted: %s", error)


class CloudElementsDeleteInstanceOperator(CloudElementsBaseOperator):
    """Delete element instances: one by its id, those of a key, or the old ones with a tag.

    An instance that is gone already counts as success. Give exactly one of ``instance_id``, ``instance_key``
    and ``tag``.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: As given to the create operator, or its default ``element/name``; together with the
        connection's namespace. Deletes all instances of the key, twins included. Templated.
    :param tag: A tag, letter by letter: deletes the instances with it that are older than ``older_than``.
        Templated.
    :param older_than: Least age for a delete by tag, and only for that. The operator keeps an instance for
        which the platform gives no date.
    :param max_deletes: Most instances that one task may delete by tag. If it finds more, it deletes none and
        fails. Default: 50.
    :param dry_run: Whether to only report what it would delete. Default: ``False``.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: ``deleted`` (ids that were there, or would be deleted), ``missing`` (ids that were gone already)
        and ``dry_run``; and ``left``, if instances stay although they have the tag or the key's marker: their
        ids by the reason, ``too young``, ``no date``, ``another key`` or ``unreadable`` (its row in the list;
        ``None`` in place of an id that cannot be read either).
    :raises CloudElementsValidationError: Arguments are missing, too many or malformed, or the operator found
        more instances than it may delete. A key or tag that is no text is malformed.
    :raises CloudElementsError: A delete failed. The error carries the ids as ``deleted`` and ``not_deleted``.
        An instance that cannot be deleted keeps no other one from being deleted.
    """

    template_fields: Collection[str] = ("cloudelements_conn_id", "instance_id", "instance_key", "tag")

    def __init__(
        self,
        *,
        instance_id: int | str | Mapping[str, Any] | None = None,
        instance_key: str | None = None,
        tag: str | None = None,
        older_than: datetime.timedelta | None = None,
        max_deletes: int = MAX_DELETES,
        dry_run: bool = False,
        cloudelements_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(cloudelements_conn_id=cloudelements_conn_id, **kwargs)
        self.instance_id = instance_id
        self.instance_key = instance_key
        self.tag = tag
        if older_than is not None and not isinstance(older_than, datetime.timedelta):
            raise TypeError("older_than must be a timedelta, such as timedelta(days=2); it is not templated.")
        if older_than is not None and older_than < datetime.timedelta():
            raise ValueError("older_than must not be negative: every instance would be old enough.")
        self.older_than = older_than
        self.max_deletes = require_count("max_deletes", max_deletes)
        # BaseOperator has a method dry_run, which the attribute must not hide.
        self.only_tell = require_bool("dry_run", dry_run)

    def perform(self, context: Context) -> dict[str, Any]:
        """Find the instances to delete, and delete them."""
        target = Target.of(
            self.hook.settings,
            instance_id=self.instance_id,
            instance_key=self.instance_key,
            tag=self.tag,
        )
        removal = removal_of(
            self.hook.get_conn().instances,
            target,
            older_than=self.older_than,
            max_deletes=self.max_deletes,
        )
        if target.instance_id is None and not removal.listed:
            self.log.warning("No instance has %s: there is nothing to delete.", target.name)
        for why, ids in removal.left.items():
            self.log.warning(LEFT[why], ids)
        deleted, missing = self._delete(removal.chosen)
        done: dict[str, Any] = {"deleted": deleted, "missing": missing, "dry_run": self.only_tell}
        return {**done, "left": removal.left} if removal.left else done

    def _delete(self, chosen: Sequence[int]) -> tuple[list[int], list[int]]:
        """Delete instances; return the ids of those that were there, and of those that were gone already."""
        if self.only_tell:
            for instance_id in chosen:
                self.log.info("Would delete instance %d.", instance_id)
            return list(chosen), []
        deleted: list[int] = []
        missing: list[int] = []
        for instance_id, there in remove(self.hook.get_conn().instances, chosen):
            self.log.info("Deleted instance %d." if there else "Instance %d is gone already.", instance_id)
            (deleted if there else missing).append(instance_id)
        return deleted, missing


@contextmanager
def element_instance(
    *,
    instance_name: str,
    element: str | None = None,
    task_id: str = "create_instance",
    delete_task_id: str = "delete_instance",
    instance_key: str | None = None,
    cloudelements_conn_id: str = DEFAULT_CONN_ID,
    on_failure_fail_dagrun: bool = True,
    **create_arguments: Any,
) -> Iterator[CloudElementsCreateInstanceOperator]:
    """Give the tasks in a ``with`` block an instance of their own, made before them and deleted after them.

    The create is a set-up task and the delete its teardown. The delete runs whether or not the tasks between
    them fail. The instance key holds the DAG, the create task, its map index and the run. So each block has
    an instance of its own in each run, and so has each copy of a mapped task group. A create that fails
    deletes its instance at once, because a teardown does not run after a failed set-up.

    If a task of the block fails, the run fails, whatever comes after the failed task. For that, an additional
    teardown, ``<task_id>_work_done``, comes after the work.

    :param instance_name: Name of the instance.
    :param element: Key of the element.
    :param task_id: Id of the create task.
    :param delete_task_id: Id of the delete task.
    :param instance_key: Key that identifies the instance in another try of the run. Default: element (if
        given here) and name. In each case run, DAG, create task and map index come after it.
    :param cloudelements_conn_id: Connection of type ``cloudelements``.
    :param on_failure_fail_dagrun: Whether the run fails when the delete fails. Default: ``True``, so that you
        learn of a left-over instance.
    :param create_arguments: Further arguments of :class:`CloudElementsCreateInstanceOperator`.
    :raises TypeError: An argument does not exist.
    """
    refuse_unknown(
        "element_instance()", create_arguments, element_instance, CloudElementsCreateInstanceOperator
    )
    key = default_key(element or "", instance_name) if instance_key is None else instance_key
    create = CloudElementsCreateInstanceOperator(
        task_id=task_id,
        element=element,
        instance_name=instance_name,
        instance_key=key,
        cloudelements_conn_id=cloudelements_conn_id,
        **{"delete_on_failure": True, **create_arguments},
    )
    create.instance_key = key = block_key(named_text("instance_key", key), create.task_id)
    create.as_setup()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
    delete = CloudElementsDeleteInstanceOperator(
        task_id=delete_task_id, instance_key=key, cloudelements_conn_id=cloudelements_conn_id
    ).as_teardown(setups=create, on_failure_fail_dagrun=on_failure_fail_dagrun)
    with delete:
        yield create
    count_the_work(create, delete, f"{task_id}_work_done")


def pull_token(ti: Any, task_id: str, map_index: int | None = None) -> str:
    """Pull the token that a create task pushed, and mask it in this task's log.

    :param ti: The task instance, ``context["ti"]``.
    :param task_id: Id of the create task.
    :param map_index: Map index of a mapped create task; default: the task is not mapped.
    :raises CloudElementsValidationError: There is no token, for instance because of ``push_token=False``.
    """
    arguments = {} if map_index is None else {"map_indexes": map_index}
    token = ti.xcom_pull(task_ids=task_id, key=XCOM_TOKEN, **arguments)
    if token is not None and not isinstance(token, str):
        raise CloudElementsValidationError(
            f"Task {task_id!r} is mapped and pushed several tokens: choose one with map_index."
        )
    if token is None:
        raise CloudElementsValidationError(
            f"Task {task_id!r} pushed no token to XCom. With push_token=False use "
            "CloudElementsHook(...).instance(id), which fetches it."
        )
    mask_token(token)
    return token


def _origin(context: Context) -> str:
    ti = context["ti"]
    return f"{ti.dag_id}/{ti.task_id}/{ti.run_id}/{ti.map_index}"
