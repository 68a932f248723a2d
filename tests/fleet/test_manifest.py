"""What a manifest says, letter by letter, and everything that is wrong with one at once."""

from __future__ import annotations

import json
import os

import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_cloudelements.exceptions import CloudElementsManifestError
from airflow_provider_cloudelements.fleet import plan, read_manifest, read_manifest_text
from tests.support.fleet import TAG, connection
from tests.support.platform import Wire

SMALLEST = """\
ownership_tag: managed-by-airflow
defaults: {element: closeio, element_conn_id: closeio_app, events_enabled: true}
instances:
  - {key: tenant-1, name: Tenant 1}
  - {key: tenant-2, name: Tenant 2, tags: [gold]}
"""


def given_of(text, name="manifest.yaml"):
    return [dict(each.given) for each in read_manifest_text(text, name).check().rows]


def problems(text, name="m.yaml"):
    return [str(each) for each in read_manifest_text(text, name).problems]


def test_the_smallest_file():
    manifest = read_manifest_text(SMALLEST).check()
    shared = {"element": "closeio", "element_conn_id": "closeio_app", "events_enabled": True}
    assert manifest.ownership_tag == TAG
    assert [dict(each.given) for each in manifest.rows] == [
        {**shared, "instance_key": "tenant-1", "instance_name": "Tenant 1"},
        {**shared, "instance_key": "tenant-2", "instance_name": "Tenant 2", "tags": ["gold"]},
    ]
    assert [str(each.place) for each in manifest.rows] == ["manifest.yaml:4", "manifest.yaml:5"]


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "yes",
        "on",
        "0123",
        "0x1F",
        "12:30:45",
        "1e3",
        "1.10",
        "1_000",
        "2024-01-01",
        ".5",
        "true",
        "=",
        "08",
        ".inf",
    ],
)
def test_a_scalar_is_the_text_that_stands_there(text):
    (row,) = given_of(f"instances:\n  - key: {text}\n    name: {text}\n    tags: [{text}]\n")
    assert row == {"instance_key": text, "instance_name": text, "tags": [text]}


@pytest.mark.parametrize("text", ["null", "~", ""])
def test_a_key_that_is_null_is_refused_with_its_line(text):
    (problem,) = problems(f"instances:\n  - name: x\n    key: {text}\n")
    assert problem.startswith("m.yaml:3: x, key: it is null")


@pytest.mark.parametrize("text", ["!!int 3", "!!binary aGk=", "!mine x", "!!python/object:os.system x"])
def test_other_tags_are_refused_with_their_line(text):
    assert "m.yaml:2: tags other than" in problems(f"instances:\n  - key: {text}\n")[0]


def test_values_of_a_configuration_are_json_only_where_json_writes_them_so():
    (row,) = given_of(
        "instances:\n"
        "  - name: x\n"
        "    configuration: {a: 15, b: '15', c: 0123, d: 1.50, e: true, f: no, g: null, h: [1, {i: 2}],\n"
        "      j: 1e3}\n"
    )
    assert row["configuration"] == {
        "a": 15,
        "b": "15",
        "c": "0123",
        "d": "1.50",
        "e": True,
        "f": "no",
        "g": None,
        "h": [1, {"i": 2}],
        "j": "1e3",
    }


@pytest.mark.parametrize("text", ["yes", "on", "1", "'true'", "True", "[true]"])
def test_a_switch_takes_true_and_false_alone(text):
    assert "true or false" in problems(f"instances:\n  - {{name: x, events_enabled: {text}}}\n")[0]


def test_a_field_that_stands_twice_is_refused_with_its_line():
    assert problems("instances:\n  - key: a\n    key: b\n    name: x\n") == [
        "m.yaml:3: key: the field stands twice in one mapping."
    ]
    assert "are one field" in problems("instances: [{key: a, instance_key: b, name: x}]")[0]


def test_anchors_and_merge_keys_work():
    rows = given_of(
        "defaults: &all {element: closeio, tags: [a]}\n"
        "instances:\n"
        "  - &first {name: One, tags: [b], configuration: {x: '1'}}\n"
        "  - {<<: *first, name: Two}\n"
        "  - {<<: [{tags: [c]}, *first], name: Three}\n"
    )
    assert [each["tags"] for each in rows] == [["b"], ["b"], ["c"]]
    assert [each["instance_name"] for each in rows] == ["One", "Two", "Three"]
    assert rows[2]["configuration"] == {"x": "1"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("instances: [{name: '" + "[" * 300 + "', x: 1}]", "no such field"),
        ("instances: &a [*a]", "inside its own anchor"),
        ("instances: [{<<: text, name: x}]", "<< takes an alias"),
        ("instances: [{<<: {a: 1}, <<: {b: 1}, name: x}]", "<< stands twice"),
        ("instances: [{name: *nothing}]", "m.yaml:1: this is not YAML"),
        ("instances: [{name: x}", "this is not YAML"),
        ("a: 1\n---\nb: 2\n", "m.yaml:2: this is not YAML"),
        ("? [a]\n: b\n", "must be a text"),
        ("[" * 300 + "]" * 300, "nested too deeply"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("- " * 100_000, "nested too deeply"),
        ("\n".join(" " * n + "a:" for n in range(300)), "nested too deeply"),
        ("- name: x", "it is a list"),
        ("instance: [{name: x}]", "Did you mean 'instances'?"),
        ("instance: [{name: x}]", "instances: it is missing"),
        ("", "it is empty. It must be a mapping"),
        ("instances: {}", "must be a list"),
        ("instances: [text]", "must be a mapping"),
        ("other: 1\ninstances: []", "m.yaml:1: other: there is no such field"),
        ("instances: [{nam: x}]", "Did you mean 'name'?"),
        ("instances: [{name: x, state: gone}]", "present, absent, disabled"),
        ("instances: [{name: x, instance_id: 012}]", "whole number"),
        ("instances: [{name: x, tags: gold}]", "list of texts"),
        ("instances: [{name: x, configuration: [1]}]", "must be a mapping"),
        ("instances: [{name: x, protect: true, state: absent}]", "protected instance"),
        ("instances: [{name: x, protect: true, state: disabled}]", "protected instance"),
        ("defaults: {key: x}\ninstances: []", "defaults.key"),
        ("ownership_tag: 'airflow:0123456789abcdef0123'\ninstances: []", "ownership_tag"),
        ("ownership_tag: ' '\ninstances: []", "ownership_tag must be a text that names something"),
        ("ownership_tag: None\ninstances: []", "ownership_tag is 'None'"),
        ('ownership_tag: "\\u200b"\ninstances: []', "ownership_tag has no visible character"),
        ("\ud800", "it holds a character that YAML forbids"),
        ('instances: [{name: "a\\0b"}]', "cannot carry"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_wrong_is_told(text, said):
    found = problems(text)
    assert found
    assert said in " ".join(found)


def test_aliases_that_multiply_cost_nothing():
    levels = "\n".join(f"x{n}: &x{n} [*x{n - 1}, *x{n - 1}]" for n in range(1, 60))
    assert problems(f"x0: &x0 [a]\n{levels}\ninstances: []\n")  # unknown fields, told at once


@pytest.mark.parametrize(
    ("field", "where"),
    [
        ("configuration: {password: hunter2}", "'password'"),
        ("configuration: {oauth.api.secret: hunter2}", "'password'"),
        ("configuration: {oauth.user.refresh_token: hunter2}", "'oauth_user_refresh_token'"),
        ("event_configuration: {event.notification.signature.key: hunter2}", "'event_signature_secret'"),
        ("configuration: {api.token: '{{ conn.x.password }}'}", "'configuration'"),
        ("configuration: {a: {b: [{client_secret: hunter2}]}}", "'configuration'"),
        ("event_callback_url: 'https://u:hunter2@h.example/'", "'event_callback_url'"),
        ("event_callback_url: 'https://h.example/?key=hunter2'", "'event_callback_url'"),
        ("password: hunter2", "'password'"),
        ("authorization_code: hunter2", "consent"),
        ("provider_data: {code: hunter2}", "consent"),
    ],
)
def test_a_literal_secret_is_refused_with_the_field_to_use(field, where):
    for text in (f"instances:\n  - name: x\n    {field}\n", f"defaults:\n  {field}\ninstances: []\n"):
        found = problems(text)
        assert found
        assert all(where in each and "hunter2" not in each for each in found)
        assert found[0].startswith(("m.yaml:3", "m.yaml:2"))


def test_all_problems_are_told_at_once_before_anything_is_called(sandbox, client, connections):
    connections["pipe"] = connection()
    manifest = read_manifest_text(
        "ownership_tag: mine\n"
        "instances:\n"
        "  - {key: a, name: A, element: closeio, element_conn_id: closeio_app, tag: x}\n"
        "  - {key: b, name: '', element: sfdc, element_conn_id: closeio_app, tags: ['']}\n"
        "  - {key: c, name: C, element_conn_id: nowhere}\n"
        "  - {key: d, name: D, element_conn_id: closeio_app}\n"
        "  - {key: ' d ', name: E, element_conn_id: closeio_app}\n"
        "  - {key: f, name: F, element: closeio}\n"
        "  - {key: g, name: G, element_conn_id: closeio_app, moved_from: d}\n"
        "  - {key: h, name: H, element_conn_id: closeio_app, tags: ['airflow:0123456789abcdef0123']}\n",
        "m.yaml",
    )
    wire = Wire(sandbox)
    with pytest.raises(CloudElementsManifestError) as caught:
        plan(client, manifest, connections)
    assert wire.calls() == []
    told = sorted((each.place.line, each.instance, each.field) for each in caught.value.problems)
    assert [(line, instance) for line, instance, _ in told] == [
        (3, "a"),
        (4, "b"),
        (4, "b"),
        (4, "b"),
        (5, "c"),
        (7, " d "),
        (8, "f"),
        (9, "g"),
        (10, "h"),
    ]
    assert "9 problems" in str(caught.value)
    assert not caught.value.retryable


def test_a_folder_is_one_manifest(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "ownership_tag: mine\ndefaults: {element: closeio}\ninstances: [{name: A}]\n"
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.json").write_text(
        json.dumps({"instances": [{"name": "B \U0001f600", "key": "k"}]})
    )
    (tmp_path / ".hidden.yaml").write_text("nonsense")
    (tmp_path / "notes.txt").write_text("nonsense")
    manifest = read_manifest(str(tmp_path)).check()
    assert manifest.ownership_tag == "mine"
    assert [dict(each.given) for each in manifest.rows] == [
        {"element": "closeio", "instance_name": "A"},
        {"instance_name": "B \U0001f600", "instance_key": "k"},
    ]
    (tmp_path / "c.yml").write_text("ownership_tag: other\ninstances: []\n")
    assert "differs" in str(read_manifest(tmp_path).problems[0])


def test_airflows_object_storage(tmp_path):
    from airflow.sdk import ObjectStoragePath

    (tmp_path / "m.yaml").write_text(SMALLEST)
    address = f"file://{tmp_path}"
    for source in (address, f"{address}/m.yaml", ObjectStoragePath(f"{address}/m.yaml")):
        assert len(read_manifest(source).check().rows) == 2


@pytest.mark.parametrize("name", ["missing.yaml", "empty", "latin.yaml"])
def test_a_source_that_cannot_be_read_is_a_problem(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9")
    (problem,) = read_manifest(tmp_path / name).problems
    assert name in str(problem)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "the manifest: its path is empty."),
        (" \n", "the manifest: its path is empty."),
        (None, "not of type NoneType"),
        (7, "not of type int"),
        (b"tenants.yaml", "not of type bytes"),
        ("gopher://host/tenants.yaml", "cannot be read (ValueError)"),
    ],
    ids=["empty", "space", "null", "number", "bytes", "scheme"],
)
def test_what_is_no_source_is_a_problem(source, said, tmp_path, monkeypatch):
    (tmp_path / "other.yaml").write_text("instances: []")  # an empty path is not the working directory
    monkeypatch.chdir(tmp_path)
    (problem,) = read_manifest(source).problems
    assert said in str(problem)


def test_the_login_of_an_address_is_not_told():
    (problem,) = read_manifest("gopher://ada:hidden-word@host/tenants.yaml").problems
    assert "hidden-word" not in str(problem)


def test_a_problem_is_one_line_whatever_the_key_holds():
    (problem,) = read_manifest([{"key": "a\nb\x1b[31m", "tag": "x"}]).problems
    assert str(problem).startswith("rows, row 1: a b?[31m, tag: ")


def test_rows_of_an_upstream_task():
    rows = [{"key": "a", "name": "A", "events_enabled": False}, {"key": 7, "name": None}]
    manifest = read_manifest(rows, ownership_tag="mine")
    assert manifest.ownership_tag == "mine"
    assert [str(each) for each in manifest.problems] == [
        "rows, row 2: key: it must be a text, not of type int. Write it in quotes.",
        "rows, row 2: name: it is null. Leave the field out, or write the text in quotes.",
    ]


def test_rows_of_mapped_tasks():
    one, two = [{"name": "A"}, {"name": "B"}], [{"name": "C"}]
    manifest = read_manifest(iter([one, two, []]))
    assert [each.given["instance_name"] for each in manifest.check().rows] == ["A", "B", "C"]
    assert read_manifest([]).check().rows == ()


def test_json_that_is_none_is_told_with_its_line():
    (problem,) = problems('{\n"instances": [,]}', "m.json")
    assert problem.startswith("m.json:2: this is not JSON")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_json_does_not_have_is_refused(word):
    text = f'{{"instances": [{{"key": "a", "configuration": {{"x": {word}}}}}]}}'
    (problem,) = problems(text, "m.json")
    assert f"{word} is no value of JSON" in problem


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)


@example(key="a\x85b", name="a\u2028b\u2029c", tags=["a\x7fb\x9fc\ufeffd\uffff"])
@given(key=TEXTS, name=TEXTS, tags=st.lists(TEXTS, max_size=3))
def test_any_text_in_json_is_read_as_it_is(key, name, tags):
    for ascii_only in (True, False):
        text = json.dumps({"instances": [{"key": key, "name": name, "tags": tags}]}, ensure_ascii=ascii_only)
        (row,) = given_of(text, "m.json")
        assert row == {"instance_key": key, "instance_name": name, "tags": tags}


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12))
def test_any_word_of_yaml_is_the_text_or_refused(word):
    manifest = read_manifest_text(f"instances:\n  - name: x\n    key: {word}\n")
    keys = [each.given.get("instance_key") for each in manifest.rows]
    import yaml

    try:
        loaded = yaml.load(word, Loader=yaml.BaseLoader)  # noqa: S506  it makes texts alone
    except yaml.YAMLError:
        loaded = None
    if manifest.problems or not keys:
        return
    assert keys in ([loaded], [word], [None])


@pytest.mark.parametrize("space", ["\n", "\r\n", "\t\n ", " "], ids=["line", "crlf", "tab", "space"])
def test_json_may_break_lines_wherever_json_lets_it(space):
    tokens = [
        "{",
        '"instances"',
        ":",
        "[",
        "{",
        '"name"',
        ":",
        '"A"',
        ",",
        '"tags"',
        ":",
        "[",
        "]",
        "}",
        "]",
        "}",
    ]
    (row,) = given_of(space.join(["", *tokens, ""]), "m.json")
    assert row == {"instance_name": "A", "tags": []}


def test_json_takes_a_key_of_any_length_and_names_its_line():
    key = "event." + "k" * 2000
    (row,) = given_of(json.dumps({"instances": [{"name": "A", "configuration": {key: "v"}}]}), "m.json")
    assert row["configuration"] == {key: "v"}
    text = '{"instances"\n:\n[\n{"name": "A",\n"name":\n"B", "odd"\n: 1}]}'
    assert [each.split(": ")[0] for each in problems(text, "m.json")] == ["m.json:5", "m.json:6"]


@pytest.mark.parametrize("levels", [90, 101, 100_000])
def test_nested_json_is_read_or_refused(levels):
    text = '{"instances": [{"name": "A", "configuration": {"a": ' + "[" * levels + "]" * levels + "}}]}"
    found = problems(text, "m.json")
    assert ("nested too deeply" in "".join(found)) == (levels > 90)


@pytest.mark.parametrize("char", ["\x85", "\u2028", "\u2029"], ids=["U+0085", "U+2028", "U+2029"])
def test_what_yaml_takes_for_the_end_of_a_line_is_refused_or_read_as_it_is(char):
    """Within quotes libyaml makes a space of U+0085: another value than the one that stands there."""
    code = f"{ord(char):04x}"
    (problem,) = problems(f"instances:\n  - name: A\n    key: 'a{char}b'\n")
    assert problem.startswith("m.yaml:3: it holds the character U+" + code.upper())
    (row,) = given_of(f'instances: [{{name: A, key: "a\\u{code}b"}}]')
    assert row["instance_key"] == f"a{char}b"
    (row,) = given_of(
        json.dumps({"instances": [{"name": "A", "key": f"a{char}b"}]}, ensure_ascii=False), "m.json"
    )
    assert row["instance_key"] == f"a{char}b"


def test_a_row_that_is_wrong_in_two_lines_is_told_once(client, connections):
    """It is not checked once more with its connection."""
    text = "instances:\n  - key: a\n    tag: [x]\n    element_conn_id: nowhere\n"
    with pytest.raises(CloudElementsManifestError) as caught:
        plan(client, read_manifest_text(text), connections)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    "tag", ["<b>mine</b>", "a &amp; b", "a\0", "half \ud800"], ids=["markup", "entity", "NUL", "half"]
)
def test_an_ownership_tag_that_the_platform_would_change_is_refused(tag):
    """No instance would ever show it: each apply would make instances that it does not manage."""
    (problem,) = read_manifest({"ownership_tag": tag, "instances": []}).problems
    assert "does not keep it" in str(problem)
    assert read_manifest({"ownership_tag": "R & D, <3", "instances": []}).check().ownership_tag == "R & D, <3"


def test_an_absent_row_does_not_move():
    (problem,) = read_manifest([{"key": "a", "moved_from": "b", "state": "absent"}]).problems
    assert "does not move" in str(problem)


def test_a_folder_with_links_in_a_circle_and_a_pipe_is_read_once(tmp_path):
    (tmp_path / "a.yaml").write_text("instances: [{name: A}]")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.yaml").write_text("instances: [{name: B}]")
    (tmp_path / "deep" / "back").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "endless.yaml")
    assert [each.given["instance_name"] for each in read_manifest(tmp_path).check().rows] == ["A", "B"]
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    (problem,) = read_manifest(tmp_path).problems
    assert str(problem).endswith("gone.yaml: there is no such file.")


def test_a_folder_in_object_storage(memory_store):
    memory_store.pipe("/fleet/a.yaml", b"instances: [{name: A}]")
    memory_store.pipe("/fleet/deep/b.json", b'{"instances": [{"name": "B"}]}')
    memory_store.pipe("/fleet/notes.txt", b"no manifest")
    for source in ("memory://fleet", ObjectStoragePath("memory://fleet")):
        rows = read_manifest(source).check().rows
        assert sorted(each.given["instance_name"] for each in rows) == ["A", "B"]


def test_aliases_that_multiply_within_a_configuration_are_refused():
    lines = ["x: &b0 [x, x]", *(f"x{n}: &b{n} [*b{n - 1}, *b{n - 1}]" for n in range(1, 60))]
    text = "\n".join([*lines, "instances:", "  - {name: A, configuration: {a: *b59}}"])
    assert problems(text)[-1] == "m.yaml:62: A, configuration: it holds more than 10000 values."


def test_one_key_in_two_sources_without_names_is_told_with_both(client, connections):
    one = {"instances": [{"key": "a", "name": "A", "element_conn_id": "closeio_app"}]}
    with pytest.raises(CloudElementsManifestError) as caught:
        plan(client, read_manifest(one, one["instances"]), connections)
    assert "rows 2, row 1: a, key: another row has the same key (the manifest 1, row 1)." in str(caught.value)
