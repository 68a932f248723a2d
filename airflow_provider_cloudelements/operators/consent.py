"""A consent as one piece: look up the instance, show a person the link, take their answer, create.

Importing this module imports Airflow's human-in-the-loop operator, of the standard provider, and with it
``airflow.triggers``. So a DAG file pays for it only if it asks a person.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from inspect import signature
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.standard.operators.hitl import HITLEntryOperator, HITLOperator
from airflow.sdk import Param, TaskGroup, XComArg
from airflow.sdk.definitions.param import ParamsDict

from airflow_provider_cloudelements.client.arguments import dictionary, refuse_unknown
from airflow_provider_cloudelements.client.tags import named_text
from airflow_provider_cloudelements.compat import AirflowSkipException, mask_secret
from airflow_provider_cloudelements.connections import DEFAULT_CONN_ID, DEFAULT_ELEMENT_CONN_ID, is_web_url
from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.operators._parts.failures import FinalFailures, initialise
from airflow_provider_cloudelements.operators._parts.find import FindInstanceOperator
from airflow_provider_cloudelements.operators._parts.rendering import LetterByLetter
from airflow_provider_cloudelements.operators.instances import CloudElementsCreateInstanceOperator
from airflow_provider_cloudelements.operators.oauth import (
    XCOM_STATE,
    XCOM_URL,
    CloudElementsGetOAuthUrlOperator,
)
from airflow_provider_cloudelements.provisioning.consent import (
    ANSWER_FIELD,
    ANSWER_PATTERN,
    is_refusal,
    no_answer,
    read_consent,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["CloudElementsAskConsentOperator", "ConsentGroup", "consent_group"]

#: Key in the JSON schema of the form's field: by it the callback page finds the question of a state.
STATE_IN_SCHEMA = "x-cloudelements-state"
#: The argument for the longest wait for a person; older releases of the standard provider name it otherwise.
_RESPONSE_TIMEOUT = (
    "response_timeout" if "response_timeout" in signature(HITLOperator).parameters else "execution_timeout"
)
#: What the operator itself gives to Airflow's operator.
_GIVEN = ("options", "defaults", "multiple")
#: What the group itself gives to the create, and to the tasks whose arguments it takes as a dictionary.
_GIVEN_BY_GROUP = {
    "": frozenset({"authorization_code", "authorization_state", "task_id", "trigger_rule"}),
    "link_arguments": frozenset({"cloudelements_conn_id", "element", "element_conn_id", "task_id"}),
    "question_arguments": frozenset({"authorization_state", "consent_url", "task_id"}),
}
_ASKS = (
    "[Open this page]({url}) and allow the access. If you are then sent to Airflow's own page, it hands the "
    "consent over, and nothing else is to be done.\n\n"
    "If not, paste the address that you are sent to, or the code that you see. It works once, and for about "
    "ten minutes. If this question comes back after your answer, the answer held no code of this consent: "
    "open the page again."
)


class CloudElementsAskConsentOperator(LetterByLetter, HITLEntryOperator):
    """Show a person the consent link, and wait for the address that the vendor sends them to, or the code.

    The person opens the link on the task's page (Required Actions). If the consent's callback is Airflow's
    own page, ``/cloudelements/consent``, that page answers for them. Otherwise they paste the address.

    An answer without a code, and the address of another consent, end nothing: the task logs the reason and
    asks again, in the same try. If the vendor sent the person back with an error, the consent is refused, and
    the task fails. The task has no retries, whatever ``default_args`` say. Airflow accepts and forgets an
    answer that comes between two tries.

    :param consent_url: The link: XCom ``url`` of :class:`CloudElementsGetOAuthUrlOperator`. Templated.
    :param authorization_state: The state that it was made with: XCom ``state`` of the same task. Templated.
    :param subject: Headline of the question. Default: ``Allow the access``. Templated.
    :param body: Text above the link, in Markdown. Default: none. Templated.
    :param response_timeout: Longest wait for a person, after which the task fails. Default: one day. ``None``
        waits for ever.
    :param kwargs: Further arguments of Airflow's ``HITLEntryOperator``, such as ``assigned_users`` and
        ``notifiers``.
    :return: What Airflow's operator returns. ``params_input["authorization_code"]`` is the answer: give it to
        the create as ``authorization_code``, with the state as ``authorization_state``.
    :raises CloudElementsValidationError: Link or state is missing, or the person or the vendor refused.
    """

    template_fields: Collection[str] = (
        *HITLEntryOperator.template_fields,
        "consent_url",
        "authorization_state",
    )
    ui_color = "#d5ecf6"

    def __init__(
        self,
        *,
        consent_url: str,
        authorization_state: str,
        subject: str = "Allow the access",
        body: str = "",
        response_timeout: timedelta | None = timedelta(days=1),
        **kwargs: Any,
    ) -> None:
        if taken := sorted(set(_GIVEN) & set(kwargs)):
            raise TypeError(f"{', '.join(taken)}: the operator gives this itself.")
        if response_timeout is not None and not isinstance(response_timeout, timedelta):
            raise TypeError(
                "response_timeout must be a timedelta, such as timedelta(hours=8), or None; it is not "
                "templated."
            )
        answer = Param(
            "",
            type="string",
            title="Address or code",
            description="The address that you are sent to after you have allowed the access, or the code.",
            pattern=ANSWER_PATTERN,
        )
        # Airflow hands the DAG's own params to every operator.
        kwargs |= {"params": {ANSWER_FIELD: answer}, "retries": 0, _RESPONSE_TIMEOUT: response_timeout}
        kwargs |= {"subject": subject, "body": body, "defaults": None}
        initialise(self, super().__init__, kwargs)
        # Airflow 3.1 would ask the person for those of the DAG, too.
        self.params = ParamsDict({ANSWER_FIELD: self.params.get_param(ANSWER_FIELD)})
        self.consent_url = consent_url
        self.authorization_state = authorization_state

    def execute(self, context: Context) -> Any:
        """Write the question and wait."""
        with FinalFailures(self):
            url, state = self._link()
        # Parentheses would end the link in Markdown.
        link = url.replace("(", "%28").replace(")", "%29")
        self.body = "\n\n".join(text for text in (self.body, _ASKS.format(url=link)) if text)
        self.params.get_param(ANSWER_FIELD).schema[STATE_IN_SCHEMA] = state
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Return the answer if it holds a code of this consent; else ask again."""
        if event.get("error_type") == "timeout":
            self.log.error("Nobody has answered in time. Start a new run to ask again.")
        answer = (event.get("params_input") or {}).get(ANSWER_FIELD)
        with FinalFailures(self):
            reason = self._why_not(answer, event)
        if reason is not None:
            self.log.warning("The answer was not taken. %s Asking again.", reason)
            return self.execute(context)
        answered = super().execute_complete(context, event)
        self._forget_answer()
        return answered

    def _link(self) -> tuple[str, str]:
        if not isinstance(self.consent_url, str) or not is_web_url(self.consent_url):
            raise CloudElementsValidationError("consent_url is no web address: give XCom 'url' of the link.")
        return self.consent_url, named_text("authorization_state", self.authorization_state)

    def _why_not(self, answer: Any, event: Mapping[str, Any]) -> str | None:
        """Return why an answer is none, or ``None``.

        :raises CloudElementsValidationError: The person or the vendor refused the consent.
        """
        if "error" in event:
            # On Airflow 3.1 and 3.2 the trigger checks the pattern. Its error shows the answer.
            validation = event.get("error_type") == "validation"
            return "It is neither a code nor an address with a code." if validation else None
        if no_answer(answer):
            return "It is empty."
        if isinstance(answer, str):
            mask_secret(answer.strip())
        if is_refusal(answer, self.authorization_state):
            refused = CloudElementsValidationError(
                "The consent was refused: the vendor sent the person back with an error instead of a code. "
                "Start a new run to ask for consent again."
            )
            refused.final = True
            raise refused
        try:
            code = read_consent(answer, self.authorization_state)
        except CloudElementsValidationError as error:
            return str(error)
        mask_secret(cast(str, code))
        return None

    def _forget_answer(self) -> None:
        """Take the answer out of what Airflow hands to listeners, such as the OpenLineage provider's."""
        summary: dict[str, Any] = (
            self.hitl_summary_extra if hasattr(self, "hitl_summary_extra") else self.hitl_summary
        )
        summary["params_input"] = {ANSWER_FIELD: "***"}
        self.params.get_param(ANSWER_FIELD).value = ""


class ConsentGroup(TaskGroup):
    """The tasks of :func:`consent_group`."""

    @property
    def create(self) -> CloudElementsCreateInstanceOperator:
        """The create operator."""
        task_id = self.child_id("create_instance")  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        return cast(CloudElementsCreateInstanceOperator, self.children[task_id])

    @property
    def output(self) -> XComArg:
        """What the create returns; ``output["id"]`` and ``output["token"]`` are its other XComs."""
        return self.create.output


def consent_group(
    *,
    instance_name: str,
    group_id: str = "consent",
    element: str | None = None,
    element_conn_id: str = DEFAULT_ELEMENT_CONN_ID,
    instance_key: str | None = None,
    cloudelements_conn_id: str = DEFAULT_CONN_ID,
    link_arguments: Mapping[str, Any] | None = None,
    question_arguments: Mapping[str, Any] | None = None,
    **create_arguments: Any,
) -> ConsentGroup:
    """Make an instance that needs a person's consent; ask the person only if the consent is needed.

    The group has four tasks. ``find_instance`` looks the instance up. If there is one that works,
    ``consent_link`` and ``ask_person`` are skipped. Otherwise ``consent_link`` gets the link, with a new
    random state, and ``ask_person`` (:class:`CloudElementsAskConsentOperator`) shows it to a person and
    waits. ``create_instance`` makes the instance, or repairs with the consent one that is disabled or
    invalid.

    If the element connection's callback URL is Airflow's own page, ``<Airflow>/cloudelements/consent``, the
    person opens the link and allows the access, and nothing is pasted.

    The group works inside a mapped task group, with one instance and one question for each copy. It cannot be
    expanded by itself.

    :param instance_name: Name of the instance.
    :param group_id: Id of the task group. Default: ``consent``.
    :param element: Key of the element. Default: the element of the element connection.
    :param element_conn_id: Connection of type ``cloudelements_element``, with the app's key and secret,
        scopes and callback URL. Default: ``cloudelements_element_default``.
    :param instance_key: Key that identifies the instance in later runs. Default: element and name.
    :param cloudelements_conn_id: Connection of type ``cloudelements``.
    :param link_arguments: Further arguments of :class:`CloudElementsGetOAuthUrlOperator`, such as ``scopes``
        and ``parameters``.
    :param question_arguments: Further arguments of :class:`CloudElementsAskConsentOperator`, such as
        ``subject``, ``response_timeout``, ``assigned_users`` and ``notifiers``.
    :param create_arguments: Further arguments of :class:`CloudElementsCreateInstanceOperator`.
    :return: The task group. Its ``create`` is the create operator and its ``output`` what that returns.
    :raises TypeError: An argument does not exist, or is one that the group gives itself.
    :raises CloudElementsValidationError: ``link_arguments`` or ``question_arguments`` is no dictionary.
    """
    refuse_unknown("consent_group()", create_arguments, consent_group, CloudElementsCreateInstanceOperator)
    _refuse_taken("", create_arguments)
    link_arguments = _of("link_arguments", link_arguments, CloudElementsGetOAuthUrlOperator)
    question_arguments = _of("question_arguments", question_arguments, CloudElementsAskConsentOperator)
    common: dict[str, Any] = {
        "element": element,
        "element_conn_id": element_conn_id,
        "cloudelements_conn_id": cloudelements_conn_id,
    }
    named = {**common, "instance_name": instance_name, "instance_key": instance_key}
    group = ConsentGroup(group_id)
    with group:
        find = FindInstanceOperator(
            task_id="find_instance", repairs=create_arguments.get("if_exists", "update") == "update", **named
        )
        link = _LinkIfNeeded(task_id="consent_link", **common, **link_arguments)
        link.find_task_id = find.task_id
        name = _pulled(find.task_id, "return_value", "['name']")
        question = {"subject": f"Allow the access for: {name}", **question_arguments}
        ask = CloudElementsAskConsentOperator(
            task_id="ask_person",
            consent_url=_pulled(link.task_id, XCOM_URL),
            authorization_state=_pulled(link.task_id, XCOM_STATE),
            **question,
        )
        create = CloudElementsCreateInstanceOperator(
            task_id="create_instance",
            authorization_code=_answer_of(ask.task_id),
            authorization_state=_pulled(link.task_id, XCOM_STATE),
            # One of them always succeeds, unless the whole group is skipped: then the create is skipped, too.
            trigger_rule="none_failed_min_one_success",
            **named,
            **create_arguments,
        )
        find >> link >> ask >> create
        find >> create
    return group


def _of(name: str, given: Mapping[str, Any] | None, operator: type) -> dict[str, Any]:
    """Return a dictionary of an operator's arguments, checked."""
    arguments = dictionary(name, given)
    refuse_unknown(f"{operator.__name__} ({name})", arguments, operator)
    _refuse_taken(name, arguments)
    return arguments


def _refuse_taken(name: str, arguments: Mapping[str, Any]) -> None:
    if taken := sorted(_GIVEN_BY_GROUP[name] & set(arguments)):
        raise TypeError(f"{name and f'{name}: '}{', '.join(taken)}: the group gives this itself.")


def _pulled(task_id: str, key: str, item: str = "") -> str:
    """Return a template that pulls an XCom of the same copy of a mapped task group."""
    return f"{{{{ ti.xcom_pull('{task_id}', key='{key}', map_indexes=ti.map_index){item} }}}}"


def _answer_of(task_id: str) -> str:
    """Return a template of a person's answer; empty if nobody was asked."""
    pulled = f"ti.xcom_pull('{task_id}', map_indexes=ti.map_index)"
    return f"{{{{ ({pulled} or {{'params_input': {{}}}})['params_input'].get('{ANSWER_FIELD}', '') }}}}"


class _LinkIfNeeded(CloudElementsGetOAuthUrlOperator):
    """Get the link, unless the task before found that nobody has to consent."""

    #: Id of the task before.
    find_task_id = ""

    def perform(self, context: Context) -> dict[str, str]:
        """Get the link.

        :raises AirflowSkipException: No consent is needed.
        """
        ti: Any = context["ti"]
        found = ti.xcom_pull(task_ids=self.find_task_id, map_indexes=ti.map_index)
        if not found["consent_needed"]:
            raise AirflowSkipException(f"Instance {found['id']} exists: nobody has to consent.")
        return super().perform(context)
