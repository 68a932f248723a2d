"""A Microsoft Graph instance with events on: consent, create, use by token, use by id.

Needs two connections:

- ``cloudelements_default``: your Cloud Elements or SAP Open Connectors account.
- ``microsoft_graph_app``, of type ``cloudelements_element``: the app registered with Microsoft (API key and
  secret), its scopes and callback URL, and the callback URL of the events.

Trigger it once: it fails with a consent link in the log of ``authorization_code``. Open the link, allow the
access, copy the code from the address that you are sent to, and trigger it again with that code within ten
minutes. Against the sandbox, whose login page runs on this machine, the DAG presses "Allow" itself.

From then on it needs no code: the instance exists, and each run writes only what differs.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param, task

from airflow_provider_cloudelements.hooks.cloudelements import CloudElementsElementHook, CloudElementsHook
from airflow_provider_cloudelements.operators.instances import (
    CloudElementsCreateInstanceOperator,
    CloudElementsDeleteInstanceOperator,
)

APP = "microsoft_graph_app"

with DAG(
    "example_microsoft_graph_events",
    description="A Microsoft Graph instance with events on: consent, create, use by token, use by id.",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    catchup=False,
    tags=["cloudelements", "example", "consent", "events"],
    doc_md=__doc__,
    params={
        "instance_name": Param("My calendar", type="string", description="Name of the instance"),
        # With "string" alone the form would demand a text, and no button would start a run without one.
        "authorization_code": Param(
            None,
            type=["null", "string"],
            description="Code from the consent; empty if the instance exists already",
        ),
        "delete_instance": Param(False, type="boolean", description="Delete the instance at the end"),
    },
) as dag:

    @task
    def consent_link() -> str:
        """Ask the platform where a person can allow the access. The link holds no secret."""
        import secrets

        app = CloudElementsElementHook(APP).get_conn().configuration
        return (
            CloudElementsHook()
            .get_conn()
            .elements.oauth_url(
                "microsoftgraph",
                api_key=app["oauth.api.key"],
                api_secret=app["oauth.api.secret"],
                oauth_callback_url=app["oauth.callback.url"],
                scope=app["oauth.scope"],
                state=secrets.token_urlsafe(16),
            )
        )

    @task(show_return_value_in_logs=False)
    def authorization_code(link: str, params: dict | None = None) -> str:
        """Return the code that a person gave, or that the sandbox's login page gives to everyone."""
        from urllib.parse import parse_qs, urlsplit

        if code := (params or {})["authorization_code"]:
            return code
        tags = [(params or {})["instance_name"]]
        if any(CloudElementsHook().get_conn().instances.list(tags=tags, element="microsoftgraph")):
            return ""  # it exists, so no consent is needed
        if urlsplit(link).hostname != "127.0.0.1":
            raise ValueError(f"Open {link} and allow the access; then trigger again with the code.")

        import requests

        answer = requests.post(link, data={"decision": "allow"}, allow_redirects=False, timeout=10)
        redirect = parse_qs(urlsplit(answer.headers["Location"]).query)
        if redirect["state"] != parse_qs(urlsplit(link).query)["state"]:
            raise ValueError("The redirect belongs to another consent: its state differs.")
        return redirect["code"][0]

    create = CloudElementsCreateInstanceOperator(
        task_id="create_instance",
        element="microsoftgraph",
        instance_name="{{ params.instance_name }}",
        element_conn_id=APP,
        authorization_code=authorization_code(consent_link()),
        tags=["{{ params.instance_name }}", "Docs"],
    )

    @task
    def list_calendars(instance_id: int, token: str) -> list[str]:
        """Call the vendor's API with the token from XCom, which this task masks as well."""
        calendars = CloudElementsHook().instance(instance_id, token).list("/calendars")
        return [calendar["name"] for calendar in calendars]

    @task
    def ping(instance: dict) -> str:
        """Use only the id: the hook fetches the token, and no XCom holds it."""
        sign_of_life = CloudElementsHook().instance(instance["id"]).ping()
        return f"{instance['name']}: {sign_of_life['endpoint']} answered at {sign_of_life['dateTime']}"

    @task.short_circuit
    def delete_wanted(params: dict | None = None) -> bool:
        """Go on to the delete only if the trigger asked for it."""
        return (params or {})["delete_instance"]

    delete = CloudElementsDeleteInstanceOperator(task_id="delete_instance", instance_id=create.output)

    # Pass the token by keyword: the rendered fields show positional arguments.
    uses = [
        list_calendars(instance_id=create.output["id"], token=create.output["token"]),
        ping(create.output),
    ]
    uses >> delete_wanted() >> delete
