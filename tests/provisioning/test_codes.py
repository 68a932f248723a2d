"""A code goes out when all else is in order, and counts as spent only if the vendor may have been asked."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from airflow_provider_cloudelements.exceptions import (
    CloudElementsAmbiguousCreateError,
    CloudElementsError,
    CloudElementsNotFoundError,
    CloudElementsServerError,
    CloudElementsValidationError,
)
from airflow_provider_cloudelements.provisioning.change import Change, reauthenticate, update
from airflow_provider_cloudelements.provisioning.ensure import ensure
from airflow_provider_cloudelements.provisioning.fingerprints import Fingerprints
from airflow_provider_cloudelements.provisioning.memory import CallMemory
from tests.support.platform import APP, Person, Wire, client_of, presented, spec_of


@pytest.fixture
def instances(sandbox):
    with client_of(sandbox, max_retries=0) as client:
        yield client.instances


def without(spec, *keys):
    left = {key: value for key, value in spec.configuration.items() if key not in keys}
    return replace(spec, configuration=left)


# -- spent or not ---------------------------------------------------------------------------------

BY = ["create", "login by ensure", "login by reauthenticate"]


@pytest.fixture(params=BY)
def send_code(request, sandbox, instances):
    """Give a function that sends a code, in each of the ways that codes go out, and the call's method."""
    fresh = spec_of("code", sandbox)
    memory = CallMemory()
    if request.param == BY[0]:
        return (lambda: ensure(instances, fresh, settle_time=0, memory=memory)), "POST"
    made = ensure(instances, fresh).instance
    login = {"code": sandbox.code()}
    if request.param == BY[1]:
        renewed = replace(fresh, provider_data=login)
        return (lambda: ensure(instances, renewed, settle_time=0, memory=memory)), "PATCH"
    return (
        lambda: reauthenticate(
            instances,
            instances.get(made.id),
            configuration={},
            provider_data=login,
            memory=memory,
            settle_time=0,
        )
    ), "PATCH"


@pytest.mark.parametrize("status", [429, 400, 401, 403, 404, 405, 409, 413, 422])
def test_a_refusal_of_the_platforms_own_spends_nothing(status, send_code, sandbox):
    send, method = send_code
    sandbox.add_fault("status", status=status, method=method)
    with pytest.raises(CloudElementsError) as caught:
        send()
    assert caught.value.status == status
    # The next try, which remembers this one.
    assert send().instance.healthy
    assert {each["exchanged"] for each in sandbox.codes()} == {1}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refusal_of_the_vendor_spends_it(status, send_code, sandbox):
    send, _ = send_code
    sandbox.configure(vendor_refusal_status=status, code_lifetime=0)
    with pytest.raises(CloudElementsError, match="AADSTS70008") as caught:
        send()
    assert not caught.value.retryable
    sandbox.configure(code_lifetime=600)
    with pytest.raises(CloudElementsAmbiguousCreateError, match="start a new run with a new one"):
        send()
    assert presented(sandbox)[-1] == 1


@pytest.mark.parametrize("fault", [{"action": "drop"}, {"action": "status", "status": 500}])
def test_a_doubt_spends_it(fault, send_code, sandbox):
    send, method = send_code
    sandbox.add_fault(**fault, method=method)
    with pytest.raises(CloudElementsAmbiguousCreateError) as caught:
        send()
    assert caught.value.code_spent
    with pytest.raises(CloudElementsAmbiguousCreateError, match="start a new run with a new one"):
        send()


def test_a_code_is_the_same_code_whatever_marker_its_instance_gets(sandbox, instances):
    person, memory, login = Person(sandbox), CallMemory(), {"code": sandbox.code()}
    by_hand = person.make("code")
    sandbox.add_fault("drop", method="PATCH")
    for adopted in (False, True):
        if adopted:
            person.edit(by_hand, tags=["An instance", spec_of("code", sandbox).marker])
        with pytest.raises(CloudElementsAmbiguousCreateError):
            reauthenticate(
                instances,
                instances.get(by_hand),
                configuration={},
                provider_data=login,
                memory=memory,
                settle_time=0,
            )
    assert [each["presented"] for each in sandbox.codes()][:1] == [1]


def test_an_adopted_instance_shows_the_code_that_it_got_before(sandbox, instances):
    person = Person(sandbox)
    by_hand, spec = person.make("code"), spec_of("code", sandbox)
    reauthenticate(instances, instances.get(by_hand), configuration={}, provider_data=spec.provider_data)
    person.edit(by_hand, tags=[*person.show(by_hand)["tags"], spec.marker])
    assert ensure(instances, spec).instance.id == by_hand
    assert max(presented(sandbox)) == 1


@pytest.mark.parametrize("by", ["create", "update"])
def test_an_instance_that_gets_the_new_form_of_its_marker_stays_known(by, sandbox, instances):
    person = Person(sandbox)
    spec = spec_of("basic", sandbox, key="closeio/A\u030angstr\u00f6m ")
    (former,) = spec.identity.former_markers
    made = ensure(instances, spec).instance
    # As a version made it that took keys letter by letter.
    credentials = {"password": "first-password"}
    prints = Fingerprints(instances.http.settings, former).tag(credentials)
    person.edit(made.id, tags=["An instance", former, prints])
    if by == "create":
        assert ensure(instances, replace(spec, tags=("new",))).changed == ("tags",)
    else:
        change = Change(configuration={"username": "grace", **credentials})
        done = update(instances, instances.get(made.id), change, identity=spec.identity)
        assert done.changed == ("username", "tags")
        spec = replace(spec, configuration={**spec.configuration, "username": "grace"})
    assert former not in sandbox.instances()[0]["tags"]
    wire = Wire(sandbox)
    assert ensure(instances, spec).changed == ()
    assert wire.writes() == []
    rotated = replace(spec, configuration={**spec.configuration, "password": "second-password"})
    assert ensure(instances, rotated).changed == ("password", "tags")


def test_two_markers_on_one_instance_rewrite_no_secret(sandbox, instances):
    spec = spec_of("basic", sandbox, key="a")
    made = ensure(instances, spec).instance
    other = replace(spec, key="b")
    Person(sandbox).edit(made.id, tags=[*made.tags, *other.identity.tags])
    wire = Wire(sandbox)
    for each in (spec, other, spec, other):
        assert ensure(instances, each).changed == ()
    assert wire.writes() == []
    # A rotated secret is one write, whoever makes it.
    rotated = [
        replace(each, configuration={**each.configuration, "password": "second"}) for each in (spec, other)
    ]
    assert [ensure(instances, each).changed for each in (*rotated, *rotated)] == [
        ("password", "tags"), (), (), (),
    ]  # fmt: skip


# -- before it goes out ---------------------------------------------------------------------------


def refused(instances, spec, kind, match, memory=None):
    with pytest.raises(kind, match=match) as caught:
        ensure(instances, spec, memory=memory)
    assert not caught.value.retryable
    assert "The authorization code was not sent, so it is still good." in str(caught.value)
    return str(caught.value)


def test_what_is_missing_is_named_with_its_fields_before_the_code_goes_out(sandbox, instances):
    spec, memory, wire = spec_of("code", sandbox), CallMemory(), Wire(sandbox)
    bare = without(spec, "oauth.callback.url", "oauth.api.secret")
    message = refused(instances, bare, CloudElementsValidationError, "Element 'microsoftgraph' needs", memory)
    assert "'oauth.callback.url' (argument configuration, or field oauth_callback_url of the ele" in message
    assert "'oauth.api.secret' (argument configuration, or field password of the element conn" in message
    assert wire.calls() == ["GET /instances", "GET /elements/microsoftgraph/configuration"]
    assert ensure(instances, spec, memory=memory).created
    assert presented(sandbox) == [1]


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_empty_value_is_a_missing_one(nothing, sandbox, instances):
    spec = spec_of("code", sandbox)
    spec = replace(spec, configuration={**spec.configuration, "oauth.api.key": nothing})
    refused(instances, spec, CloudElementsValidationError, "field login of the element connection")
    assert presented(sandbox) == [0]


def test_a_mistyped_key_is_suggested_and_its_value_not_shown(sandbox, instances):
    spec = without(spec_of("code", sandbox), "oauth.callback.url")
    mistyped = {**spec.configuration, "oauth.calback.url": "https://hidden.example.com"}
    spec = replace(spec, configuration=mistyped)
    message = refused(instances, spec, CloudElementsValidationError, "'oauth.callback.url'")
    assert "did you mean it with 'oauth.calback.url'?" in message
    assert "hidden" not in message


def test_an_elements_own_required_key_is_checked(sandbox, instances):
    spec = spec_of("code", sandbox, element="zendesk", provider_data={"code": sandbox.code("zendesk")})
    refused(instances, spec, CloudElementsValidationError, r"'zendesk.subdomain' \(argument configuration,")
    assert presented(sandbox) == [0, 0]


@pytest.mark.parametrize(("key", "near"), [("microsoftgraf", "microsoftgraph"), ("qqq", None)])
def test_an_element_that_does_not_exist_is_named_with_the_nearest(key, near, sandbox, instances):
    spec, memory = spec_of("code", sandbox), CallMemory()
    message = refused(
        instances, replace(spec, element=key), CloudElementsNotFoundError, f"no element '{key}'", memory
    )
    assert (f"Did you mean '{near}'?" in message) == (near is not None)
    assert ensure(instances, spec, memory=memory).created


def test_the_catalogues_keys_are_only_a_hint(sandbox, instances):
    sandbox.add_fault("status", status=500, path="/elements/keys")
    spec = replace(spec_of("code", sandbox), element="microsoftgraf")
    assert "Did you mean" not in refused(instances, spec, CloudElementsNotFoundError, "no element")


def test_a_check_that_fails_in_passing_leaves_the_code_for_the_next_try(sandbox, instances):
    spec, memory = spec_of("code", sandbox), CallMemory()
    sandbox.add_fault("status", status=500, path="/elements/*/configuration")
    with pytest.raises(CloudElementsServerError):
        ensure(instances, spec, memory=memory)
    assert ensure(instances, spec, memory=memory).created
    assert presented(sandbox) == [1]


@pytest.mark.parametrize("status", [403, 404])
def test_an_element_whose_configuration_nobody_shows_is_taken_at_its_word(status, sandbox, instances):
    sandbox.add_fault("status", status=status, path="/elements/*/configuration")
    assert ensure(instances, spec_of("code", sandbox)).created


def test_a_missing_scope_is_a_warning(sandbox, instances, caplog):
    caplog.set_level(logging.WARNING, "airflow_provider_cloudelements")
    assert ensure(instances, without(spec_of("code", sandbox), "oauth.scope")).created
    assert "No scope is given: 'oauth.scope' (argument configuration, or field oauth_scope" in caplog.text


def test_without_a_code_nothing_is_checked_first(sandbox, instances):
    wire = Wire(sandbox)
    ensure(instances, spec_of("basic", sandbox))
    assert wire.calls() == ["GET /instances", "POST /instances", "GET /instances"]


def test_an_instance_made_by_a_refresh_token_needs_a_callback_before_a_code_goes_out(sandbox, instances):
    spec = without(spec_of("refresh", sandbox), "oauth.callback.url")
    made = ensure(instances, spec).instance
    sandbox.set_instance(made.id, valid=False)  # so that a create may mend it
    code = {"code": sandbox.code("hubspotcrm")}
    login = replace(spec, provider_data=code, external_authentication=None)
    wire, needed = Wire(sandbox), f"Instance {made.id} needs 'oauth.callback.url'"
    with pytest.raises(CloudElementsValidationError, match=needed):
        ensure(instances, login)
    found = instances.get(made.id)
    with pytest.raises(CloudElementsValidationError, match=needed):
        reauthenticate(instances, found, configuration={}, provider_data=code)
    assert (wire.writes(), presented(sandbox)) == ([], [0])
    given = {"oauth.callback.url": APP["oauth.callback.url"]}
    reauthenticate(instances, found, configuration=given, provider_data=code)
    assert presented(sandbox) == [1]
