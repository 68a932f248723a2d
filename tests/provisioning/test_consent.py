"""What a person pastes after a consent: the code comes out of it, or an error that shows nothing of it."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_cloudelements.exceptions import CloudElementsValidationError
from airflow_provider_cloudelements.provisioning.consent import ANSWER_PATTERN, is_refusal, read_consent

BACK = "https://app.example.com/callback"


def refusal(answer, state="the-state"):
    """Return the error, after making sure that it is final and shows nothing of what was pasted."""
    with pytest.raises(CloudElementsValidationError) as caught:
        read_consent(answer, state)
    assert not caught.value.retryable
    return str(caught.value)


@pytest.mark.parametrize("answer", [None, "", "   ", "\n", "None", " None "])
def test_nothing_pasted_is_no_code(answer):
    assert read_consent(answer) is None
    assert read_consent(answer, "the-state") is None


@pytest.mark.parametrize(
    "code", ["abc", "0.AXoA_b-c.d~e", "M.C105_BAY.2.U.x!y*z$$", "4/0AX4%2Fz", "a+b/c==", "ä", "x" * 5000]
)
def test_a_code_alone_is_taken_as_it_is(code):
    for state in (None, "the-state"):
        assert read_consent(code, state) == code
        assert read_consent(f"  {code}\n", state) == code


@pytest.mark.parametrize(
    "address",
    [
        f"{BACK}?code=the-code&state=the-state",
        f"  {BACK}?state=the-state&session_state=1&code=the-code\n",
        f"{BACK}?a=1&state=the-state&code=the-code#",
        f"{BACK}?code=the-code&state=the-state#_=_",
        f"{BACK}#code=the-code&state=the-state",
        f"{BACK}?tenant=1#code=the-code&state=the-state",
        "http://localhost:8080/?code=the-code&state=the-state",
        "myapp://callback?code=the-code&state=the-state",
        f"{BACK}?code=the%2Dcode&state=the%2dstate",
        # As an e-mail or a terminal breaks it.
        f"{BACK}?code=the-\ncode&state=the-\r\nstate",
    ],
)
def test_the_code_comes_out_of_an_address(address):
    assert read_consent(address, "the-state") == "the-code"


@pytest.mark.parametrize("text", ["a+b/c==", "4/0AX4", "x&code=y", "a b", "100%", "ä/ü", "#"])
def test_quoted_characters_come_back_as_they_were(text):
    address = f"{BACK}?{urlencode({'code': text, 'state': text})}"
    assert read_consent(address, text) == text
    assert read_consent(f"{BACK}?code={quote(text, safe='')}&state=s", "s") == text


def test_of_two_codes_the_first_counts():
    assert read_consent(f"{BACK}?code=one&code=two&state=s&state=t", "s") == "one"
    assert "its state differs" in refusal(f"{BACK}?code=one&state=t&state=s", "s")


@pytest.mark.parametrize("state", ["another", "the-stat", "the-state ", "THE-STATE", "", "ä", "\ud800"])
def test_another_state_is_refused(state):
    message = refusal(f"{BACK}?{urlencode({'code': 'pasted', 'state': state}, errors='surrogatepass')}")
    assert "its state differs" in message
    assert "Ask for consent again" in message
    assert "pasted" not in message


def test_a_state_that_is_not_there_is_refused():
    assert "its state differs" in refusal(f"{BACK}?code=pasted")


def test_characters_beyond_ascii_are_compared_all_the_same():
    address = f"{BACK}?code=c&state=zust%C3%A4nd"
    assert read_consent(address, "zuständ") == "c"
    assert "its state differs" in refusal(address, "zustand")
    # Half a character, as JSON can write it.
    assert "its state differs" in refusal(f"{BACK}?code=pasted&state=\ud800", "s")
    assert "its state differs" in refusal(f"{BACK}?code=pasted&state=s", "\ud800")


@pytest.mark.parametrize("state", [None, ""])
def test_an_address_without_a_state_to_compare_is_refused(state):
    message = refusal(f"{BACK}?code=pasted&state=pasted", state)
    assert "authorization_state" in message
    assert "pasted" not in message


@pytest.mark.parametrize(
    "query",
    [
        "error=access_denied&state=the-state",
        "error=access_denied&error_description=pasted&code=pasted&state=the-state",
        "error=pasted",
    ],
)
@pytest.mark.parametrize("mark", "?#")
def test_a_refused_consent_is_told_as_such(mark, query):
    message = refusal(f"{BACK}{mark}{query}")
    assert "error instead of a code" in message
    assert "pasted" not in message


@pytest.mark.parametrize(
    "address",
    [
        BACK,
        f"{BACK}?state=the-state",
        f"{BACK}?code=&state=the-state",
        f"{BACK}?code=%20&state=s",
        "https://[x",
        "://",
    ],
)
def test_an_address_without_a_code_is_told_as_such(address):
    assert "holds no code" in refusal(address)


@pytest.mark.parametrize("answer", ["pasted code", "pasted\tcode", "code: pasted", "pasted\u00a0code"])
def test_white_space_within_a_code_is_refused(answer):
    message = refusal(answer)
    assert "white space" in message
    assert "pasted" not in message


@pytest.mark.parametrize("answer", [7, ["pasted"], {"code": "pasted"}, True, b"pasted"])
def test_what_is_no_text_is_refused_by_its_type(answer):
    message = refusal(answer)
    assert type(answer).__name__ in message
    assert "pasted" not in message


def test_a_huge_answer_is_read_or_refused_without_being_shown():
    huge = "pasted" * 500_000
    assert read_consent(f"{BACK}?{'a=1&' * 50_000}code={huge}&state=s", "s") == huge
    assert len(refusal(f"{BACK}?code=x&state={huge}")) < 300
    assert len(refusal(f"{BACK}?{'pasted=1&' * 100_000}")) < 300


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.text(),
    st.text(),
    st.sampled_from(["", "://", f"{BACK}?", f"{BACK}?code=", f"{BACK}#state=", "http://["]),
)
def test_whatever_is_pasted_is_read_or_refused_and_never_shown(text, state, before):
    secret = "s3cr3t-in-what-was-pasted"
    answer = f"{before}{text}{secret}"
    try:
        assert read_consent(answer, state)
    except CloudElementsValidationError as error:
        refused = error
    else:
        return
    assert secret not in str(refused)
    assert secret not in str(refused.__context__)


def test_an_address_whose_scheme_the_browser_hid_is_one_all_the_same():
    address = "app.example.com/callback?code=a-code&state=the-state"
    assert read_consent(address, "the-state") == "a-code"
    with pytest.raises(CloudElementsValidationError, match="its state differs"):
        read_consent(address, "another")


# -- the form ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "the-code",
        " 4/0AX4%2Fz ",
        f"{BACK}?code=x&state=y",
        f"{BACK}#state=y&code=x",
        "app.example.com/?code=x",
        f"{BACK}?error=access_denied&state=y",
    ],
)
def test_the_form_takes_an_answer(text):
    assert re.search(ANSWER_PATTERN, text)


@pytest.mark.parametrize(
    "text",
    [
        BACK,
        f"{BACK}?state=y",
        "two words",
        "https://login.example.com/authorize?response_type=code&state=y",
        "myapp://callback",
    ],
)
def test_the_form_refuses_what_is_none(text):
    assert not re.search(ANSWER_PATTERN, text)


@given(st.one_of(st.text(), st.text("?#&code=:/ x\n")))
def test_the_form_refuses_nothing_that_is_read(text):
    try:
        read = read_consent(text, "s")
    except CloudElementsValidationError:
        return
    assert read is None or re.search(ANSWER_PATTERN, text)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (f"{BACK}?error=access_denied&state=s", True),
        (f" {BACK}#error=access_denied&state=s\n", True),
        (f"{BACK}?error=access_denied&state=another", False),
        (f"{BACK}?error=access_denied", False),
        (f"{BACK}?code=x&state=s", False),
        ("http://[?error=x&state=s", False),
        ("error", False),
        (None, False),
    ],
)
def test_a_refusal_is_the_error_of_this_very_consent(text, refused):
    assert is_refusal(text, "s") is refused
