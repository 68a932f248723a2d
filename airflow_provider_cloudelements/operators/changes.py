"""Operators that change an instance which exists: update, re-authenticate, enable, disable."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.exceptions import CloudElementsServerError, CloudElementsValidationError
from airflow_provider_cloudelements.keys import EVENT_CALLBACK_URL, REFRESH_TOKEN
from airflow_provider_cloudelements.operators._parts.arguments import arguments_of
from airflow_provider_cloudelements.operators._parts.base import mask_given, require_bool, require_seconds
from airflow_provider_cloudelements.operators._parts.one_instance import (
    CloudElementsInstanceOperator,
    connection_values,
)
from airflow_provider_cloudelements.operators._parts.task_memory import memory_of
from airflow_provider_cloudelements.provisioning.arguments import checked_name, tag_list
from airflow_provider_cloudelements.provisioning.change import Change, Changed, reauthenticate, update

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_cloudelements.client import Instance

__all__ = [
    "CloudElementsDisableInstanceOperator",
    "CloudElementsEnableInstanceOperator",
    "CloudElementsReauthenticateInstanceOperator",
    "CloudElementsUpdateInstanceOperator",
]


class CloudElementsUpdateInstanceOperator(CloudElementsInstanceOperator):
    """Change name, tags, configuration and events of an existing instance, and write only what differs.

    A secret reads back as asterisks, so the operator recognises it by a keyed fingerprint among the tags. The
    same secret twice costs one write, a rotated one costs one more. The operator tries nothing at the vendor.
    For credentials use :class:`CloudElementsReauthenticateInstanceOperator`, which does.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: Instead of ``instance_id``: as given to the create operator. Templated.
    :param instance_name: New name. A create with the old name and the same key then refuses the instance:
        change both. Templated.
    :param tags: All tags that it shall have, in place of its present ones. Templated.
    :param add_tags: Tags to add. Templated.
    :param remove_tags: Tags to remove. This provider's own tags stay in each case. Templated.
    :param configuration: Configuration keys to change, by the API's names; others stay. Templated.
    :param element_conn_id: Connection of type ``cloudelements_element``, whose values the instance shall
        have, except its refresh token, which the platform may have replaced. ``configuration`` overrides it.
        Templated.
    :param events_enabled: Whether events are on; ``None`` leaves them as they are.
    :param event_callback_url: Address to which the platform delivers events. Templated.
    :param event_configuration: Further ``event.*`` keys. Templated.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: The fields that the create returns, and ``changed``: names of what the operator wrote.
    :raises CloudElementsValidationError: An argument is malformed, or a value consists of asterisks.
    :raises CloudElementsNotFoundError: There is no such instance.
    :raises CloudElementsError: Any other failure of a call.
    """

    template_fields: Collection[str] = (
        *CloudElementsInstanceOperator.template_fields,
        "instance_name",
        "tags",
        "add_tags",
        "remove_tags",
        "configuration",
        "element_conn_id",
        "event_callback_url",
        "event_configuration",
    )
    template_fields_renderers = {"configuration": "json", "event_configuration": "json"}
    secret_fields = ("configuration", "event_callback_url", "event_configuration")
    fields_of_keys = {"event_callback_url": EVENT_CALLBACK_URL}

    def __init__(
        self,
        *,
        instance_name: str | None = None,
        tags: Sequence[str] | None = None,
        add_tags: Sequence[str] | None = None,
        remove_tags: Sequence[str] | None = None,
        configuration: Mapping[str, Any] | None = None,
        element_conn_id: str | None = None,
        events_enabled: bool | None = None,
        event_callback_url: str | None = None,
        event_configuration: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.instance_name = instance_name
        self.tags = tags
        self.add_tags = add_tags
        self.remove_tags = remove_tags
        self.configuration = configuration
        self.element_conn_id = element_conn_id
        self.event_callback_url = event_callback_url
        self.event_configuration = event_configuration
        self.events_enabled = (
            None if events_enabled is None else require_bool("events_enabled", events_enabled)
        )

    def change(self, instance: Instance, context: Context) -> Changed:
        """Write what differs."""
        inherited = connection_values(self.element_conn_id, instance)
        inherited.pop(REFRESH_TOKEN, None)
        given = arguments_of(self).given_configuration()
        mask_given(given)
        change = Change(
            name=None if self.instance_name is None else checked_name("instance_name", self.instance_name),
            configuration={**inherited, **given},
            tags=tag_list("tags", self.tags),
            add_tags=tag_list("add_tags", self.add_tags) or (),
            remove_tags=tag_list("remove_tags", self.remove_tags) or (),
        )
        return update(self.hook.get_conn().instances, instance, change, identity=self.identity)


class CloudElementsReauthenticateInstanceOperator(CloudElementsInstanceOperator):
    """Give an instance new credentials, keep its id and token, and verify them by a ping at the vendor.

    The operator enables a disabled instance, and disables it again if the vendor does not accept the
    credentials. It writes credentials that the instance has already only if the instance does not work. So
    you can simply repeat a run that stopped half-way.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: Instead of ``instance_id``: as given to the create operator. Templated.
    :param element_conn_id: Connection of type ``cloudelements_element`` with the new credentials: the app's
        secret, a refresh token, a password. The operator ignores its event fields. Templated.
    :param authorization_code: The code of a new consent, or with ``authorization_state`` the whole address
        that the vendor sent the person to. A task instance sends it once. Templated.
    :param authorization_state: The state that the consent link was made with. Templated.
    :param provider_data: Further values that the vendor's redirect brought. Templated.
    :param configuration: Further configuration keys of the login, by the API's names; they override the
        connection's. Templated.
    :param verify: Whether to ping. Default: ``True``. Without a ping the platform's field ``valid`` decides.
    :param settle_time: Seconds to find out whether a call with a code took place, if its answer was lost.
        Default: the connection's ``create_timeout``.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: The fields that the create returns, and ``changed``: names of what the operator wrote.
    :raises CloudElementsValidationError: No argument authenticates, or one is malformed.
    :raises CloudElementsInstanceDisabledError: The vendor does not accept the credentials.
    :raises CloudElementsAmbiguousCreateError: It is not known whether the platform used the code.
    :raises CloudElementsError: Any other failure of a call.
    """

    template_fields: Collection[str] = (
        *CloudElementsInstanceOperator.template_fields,
        "element_conn_id",
        "authorization_code",
        "authorization_state",
        "provider_data",
        "configuration",
    )
    template_fields_renderers = {"configuration": "json"}
    secret_fields = ("authorization_code", "provider_data", "configuration")
    wholly_secret_fields = ("authorization_code", "provider_data")
    needs_token = True  # for the ping

    def __init__(
        self,
        *,
        element_conn_id: str | None = None,
        authorization_code: str | None = None,
        authorization_state: str | None = None,
        provider_data: Mapping[str, str] | None = None,
        configuration: Mapping[str, Any] | None = None,
        verify: bool = True,
        settle_time: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.element_conn_id = element_conn_id
        self.authorization_code = authorization_code
        self.authorization_state = authorization_state
        self.provider_data = provider_data
        self.configuration = configuration
        self.verify = require_bool("verify", verify)
        self.settle_time = require_seconds("settle_time", settle_time)

    def change(self, instance: Instance, context: Context) -> Changed:
        """Write the credentials, and ping the vendor."""
        if self.verify and self.hook.settings.authorization:
            # Checked here, before the operator writes anything.
            raise CloudElementsValidationError(
                "A ping needs the User and Organization secrets, and the connection has a raw authorization "
                "header. Use the secrets, or give verify=False."
            )
        arguments = arguments_of(self)
        login = arguments.given_login()
        inherited = connection_values(self.element_conn_id, instance)
        if login:
            inherited.pop(REFRESH_TOKEN, None)
        given = arguments.given_configuration()
        mask_given(given, login)
        credentials = {key: value for key, value in inherited.items() if not key.startswith("event.")}
        return reauthenticate(
            self.hook.get_conn().instances,
            instance,
            configuration={**credentials, **given},
            provider_data=login,
            verify=self.verify,
            memory=memory_of(context),
            settle_time=self.settle_time,
            identity=self.identity,
        )


class CloudElementsEnableInstanceOperator(CloudElementsInstanceOperator):
    """Let calls through an instance again, and verify that by reading it back.

    If the platform disabled the instance because the vendor no longer accepts its credentials, use
    :class:`CloudElementsReauthenticateInstanceOperator` instead. Otherwise the platform disables it again.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: Instead of ``instance_id``: as given to the create operator. Templated.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: The fields that the create returns, and ``changed``: ``["enabled"]``, or empty.
    :raises CloudElementsError: A call failed; its subclass says how.
    """

    def change(self, instance: Instance, context: Context) -> Changed:
        """Enable the instance, unless it is enabled."""
        return _switch(self, instance, disabled=False)


class CloudElementsDisableInstanceOperator(CloudElementsInstanceOperator):
    """Refuse calls through an instance, with 403, until it is enabled, and verify that by reading it back.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: Instead of ``instance_id``: as given to the create operator. Templated.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: The fields that the create returns, and ``changed``: ``["disabled"]``, or empty.
    :raises CloudElementsError: A call failed; its subclass says how.
    """

    def change(self, instance: Instance, context: Context) -> Changed:
        """Disable the instance, unless it is disabled."""
        return _switch(self, instance, disabled=True)


def _switch(operator: CloudElementsInstanceOperator, instance: Instance, *, disabled: bool) -> Changed:
    if not disabled and not instance.valid:
        operator.log.warning(
            "Instance %d is not valid: its stored authentication no longer works. Re-authenticate it.",
            instance.id,
        )
    if instance.disabled is disabled:
        return Changed(instance)
    instances = operator.hook.get_conn().instances
    (instances.disable if disabled else instances.enable)(instance.id)
    final = instances.get(instance.id)
    word = "disabled" if disabled else "enabled"
    if final.disabled is not disabled:
        raise CloudElementsServerError(
            f"Instance {instance.id} was to be {word}, but reading back shows otherwise."
        )
    return Changed(final, (word,))
