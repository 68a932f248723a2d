"""Operators that change an instance which exists: update, re-authenticate, enable, disable."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_cloudelements.exceptions import CloudElementsServerError, CloudElementsValidationError
from airflow_provider_cloudelements.keys import REFRESH_TOKEN
from airflow_provider_cloudelements.operators._parts.arguments import (
    NOT_GIVEN,
    given_configuration,
    given_login,
    tag_list,
)
from airflow_provider_cloudelements.operators._parts.base import mask_given, require_bool, require_seconds
from airflow_provider_cloudelements.operators._parts.one_instance import (
    CloudElementsInstanceOperator,
    connection_values,
)
from airflow_provider_cloudelements.operators._parts.task_memory import journal_of
from airflow_provider_cloudelements.provisioning.change import Change, Changed, reauthenticate, update

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_cloudelements.client import Instance


class CloudElementsUpdateInstanceOperator(CloudElementsInstanceOperator):
    """Make an existing instance as asked: name, tags, configuration, events. Only what differs is written.

    A secret reads back as asterisks, so it is known by a keyed fingerprint among the tags: the same one twice
    is one write, a rotated one is one more. Nothing is tried at the vendor; for credentials use
    :class:`CloudElementsReauthenticateInstanceOperator`, which does that.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: In its place: as given to the create operator. Templated.
    :param instance_name: New name. A create with the old name and the same key then refuses the instance:
        change both. Templated.
    :param tags: All tags that it shall have, in place of those that it has. Templated.
    :param add_tags: Tags that it shall have as well. Templated.
    :param remove_tags: Tags that it shall not have. Templated. This provider's own tags stay in each case.
    :param configuration: Configuration keys to change, by the API's names; others stay. Templated.
    :param element_conn_id: Connection of type ``cloudelements_element``, whose values the instance shall
        have, but for its refresh token, which the platform may have replaced. ``configuration`` goes before
        it. Templated.
    :param events_enabled: Whether events are on; ``None`` leaves them.
    :param event_callback_url: Where events are delivered. Templated.
    :param event_configuration: Further ``event.*`` keys. Templated.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: What the create returns of an instance, and ``changed``: names of what was written.
    :raises CloudElementsValidationError: An argument is malformed, or a value is asterisks.
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
    secret_fields = ("configuration", "event_configuration")

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
        given = given_configuration(
            self.secret("configuration"),
            self.secret("event_configuration"),
            self.events_enabled,
            self.event_callback_url or NOT_GIVEN,
        )
        mask_given(given)
        change = Change(
            name=self.instance_name,
            configuration={**inherited, **given},
            tags=tag_list("tags", self.tags),
            add_tags=tag_list("add_tags", self.add_tags) or (),
            remove_tags=tag_list("remove_tags", self.remove_tags) or (),
        )
        return update(self.hook.get_conn().instances, instance, change)


class CloudElementsReauthenticateInstanceOperator(CloudElementsInstanceOperator):
    """Give an instance new credentials; its id and token stay. Verified by a ping at the vendor.

    A disabled instance is enabled with it, and disabled again where the vendor does not accept them.
    Credentials that it has already are written again only if it does not work. So a run that stopped half-way
    is simply run again.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: In its place: as given to the create operator. Templated.
    :param element_conn_id: Connection of type ``cloudelements_element`` with the credentials that count now:
        the app's secret, a refresh token, a password. Its event fields play no part. Templated.
    :param authorization_code: The code of a new consent, or with ``authorization_state`` the whole address
        that the vendor sent the person to. Sent once by a task instance. Templated.
    :param authorization_state: The state that the consent link was made with. Templated.
    :param provider_data: Further values that the vendor's redirect brought. Templated.
    :param configuration: Further configuration keys of the login, by the API's names; they go before the
        connection's. Templated.
    :param verify: Whether to ping. Default: ``True``. Without, the platform's own word (``valid``) decides.
    :param settle_time: Seconds to find out whether a call that brought a code took place, where its answer
        was lost. Default: the connection's ``create_timeout``.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: What the create returns of an instance, and ``changed``: names of what was written.
    :raises CloudElementsValidationError: Nothing is given that authenticates, or it is malformed.
    :raises CloudElementsInstanceDisabledError: The vendor does not accept what is given.
    :raises CloudElementsAmbiguousCreateError: It is not known whether the code was used.
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
        """Write the credentials, and ask the vendor."""
        if self.verify and self.hook.settings.authorization:
            # Found out here, before anything is written.
            raise CloudElementsValidationError(
                "A ping needs the User and Organization secrets, and the connection has a raw authorization "
                "header. Use the secrets, or say verify=False."
            )
        login = given_login(
            self.secret("authorization_code"), self.authorization_state, self.secret("provider_data")
        )
        inherited = connection_values(self.element_conn_id, instance)
        if login:
            inherited.pop(REFRESH_TOKEN, None)
        given = given_configuration(self.secret("configuration"))
        mask_given(given, login)
        credentials = {key: value for key, value in inherited.items() if not key.startswith("event.")}
        return reauthenticate(
            self.hook.get_conn().instances,
            instance,
            configuration={**credentials, **given},
            provider_data=login,
            verify=self.verify,
            journal=journal_of(context),
            settle_time=self.settle_time,
        )


class CloudElementsEnableInstanceOperator(CloudElementsInstanceOperator):
    """Let calls through an instance again; verified by reading back.

    What the platform disabled, because the vendor no longer accepts its credentials, needs
    :class:`CloudElementsReauthenticateInstanceOperator` instead: enabled as it is, it is disabled again.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: In its place: as given to the create operator. Templated.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: What the create returns of an instance, and ``changed``: ``["enabled"]``, or empty.
    :raises CloudElementsError: Of the kind that fits.
    """

    def change(self, instance: Instance, context: Context) -> Changed:
        """Enable it, unless it is."""
        return _switch(self, instance, disabled=False)


class CloudElementsDisableInstanceOperator(CloudElementsInstanceOperator):
    """Refuse calls through an instance, with 403, until it is enabled; verified by reading back.

    :param instance_id: The instance's id: an integer, its digits, or what the create operator returned.
        Templated.
    :param instance_key: In its place: as given to the create operator. Templated.
    :param cloudelements_conn_id: Connection of type ``cloudelements``. Templated.
    :return: What the create returns of an instance, and ``changed``: ``["disabled"]``, or empty.
    :raises CloudElementsError: Of the kind that fits.
    """

    def change(self, instance: Instance, context: Context) -> Changed:
        """Disable it, unless it is."""
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
