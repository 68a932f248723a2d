"""The faults that ``make planted`` plants, and the tests of the gate that must find each of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """
    A text that occurs exactly once in the package or in the examples, and its replacement.

    An edit names no file: modules move, and the text moves with them.

    :param old: The text.
    :param new: The replacement.
    """

    old: str
    new: str


@dataclass(frozen=True)
class Fault:
    """
    One fault.

    :param name: What the fault does wrong.
    :param edits: The edits that plant it.
    :param tests: Names of test functions, each unique in ``tests/``. Each of them must find the fault.
    :param line: Line of Airflow on which they run.
    """

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    line: str = "3.3"


FAULTS = (
    Fault(
        "no look-up before a POST",
        (Edit("found = self._known()", "found: list[Instance] = []"),),
        ("test_the_same_again_costs_one_list_and_writes_nothing",),
    ),
    Fault(
        "the twin look-up left out",
        (
            Edit(
                "oldest_first(({made.id: made} | {each.id: each for each in listed}).values())",
                "[made]",
            ),
        ),
        ("test_two_at_once_agree_on_the_oldest_and_name_the_other",),
    ),
    Fault(
        "the second POST after a time-out allowed",
        (
            Edit(
                "return repeatable or not error.sent",
                'return repeatable or not error.sent or "Timeout" in type(error).__name__',
            ),
        ),
        ("test_a_create_in_doubt_ends_with_one_instance_and_one_post",),
    ),
    Fault(
        "a token not registered with the masker",
        (
            Edit(
                "CloudElementsClient(self.settings, on_token=mask_token)",
                "CloudElementsClient(self.settings)",
            ),
        ),
        ("test_a_created_instances_token_is_masked", "test_the_token_is_masked_before_it_is_pushed"),
    ),
    Fault(
        "a rendered secret field not hidden",
        (
            Edit(
                "setattr(self, field, visible)",
                "setattr(self, field, value)",
            ),
        ),
        ("test_rendered_fields_show_asterisks_and_execute_gets_the_values",),
    ),
    Fault(
        "the watcher's cursor saved before the event is stored",
        (
            Edit("while self._unsaved and self._unsaved[0][0] <= now - SAVE_AFTER:", "while self._unsaved:"),
            Edit(
                """await place.save()
                        told, reached, rest = await waiter.work(partial(_part, rest, self.limits))
                        place.reached(reached, bool(told))
""",
                """told, reached, rest = await waiter.work(partial(_part, rest, self.limits))
                        place.reached(reached, bool(told))
                        await place.save()
""",
            ),
        ),
        (
            "test_its_place_is_saved_one_look_late",
            "test_what_was_told_just_now_is_told_again_after_a_restart",
        ),
    ),
    Fault(
        "an event dropped at a page boundary",
        (Edit("window.turn_page()", "window.turn_page(); page = page[1:] if self.pages > 1 else page"),),
        ("test_over_the_wire_each_event_comes", "test_the_sandboxes_events_come_once_each"),
    ),
    Fault(
        "the signature compared on parsed JSON instead of raw bytes",
        (
            Edit(
                "    expected = sign(body, key)\n",
                """    expected = sign(body, key)
    import json

    try:
        expected = sign(json.dumps(json.loads(body)).encode(), key)
    except (ValueError, RecursionError):
        pass
""",
            ),
        ),
        ("test_parsed_and_written_again_is_another_body",),
    ),
    Fault(
        "a deferred sensor that blocks the event loop",
        (
            Edit(
                "await self._loop.run_in_executor(lane.thread, next, answers, None)",
                "next(answers, None)",
            ),
        ),
        (
            "test_a_thousand_wait_on_one_list_and_the_loop_is_never_blocked",
            "test_the_loop_goes_on_while_thousands_of_events_are_read",
        ),
    ),
    Fault(
        "an import against the arrows",
        (
            Edit(
                "from requests.utils import get_environ_proxies\n",
                "from requests.utils import get_environ_proxies\n"
                "    from airflow_provider_cloudelements.hooks import cloudelements\n",
            ),
        ),
        ("test_the_package_keeps_the_arrows",),
    ),
    Fault(
        "a connection field missing from the form on 3.1",
        (Edit("form_widgets(CONNECTION_FIELDS)", "form_widgets(CONNECTION_FIELDS[:-1])"),),
        ("test_the_form_of_the_ui_has_every_field",),
        line="3.1",
    ),
    Fault(
        "an example DAG that fails to parse on 3.2",
        (
            Edit(
                'LOGIN = "jira_login"\n',
                "from airflow_provider_cloudelements.retry_policy import CloudElementsRetryPolicy\n\n"
                'LOGIN = "jira_login"\n',
            ),
        ),
        ("test_an_example_parses_without_connections_network_and_the_client",),
        line="3.2",
    ),
)
