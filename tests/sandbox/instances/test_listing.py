"""GET /instances and its twins: facts F53 and F175 to F180."""


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()]


def walk(api, **params):
    """Return the ids of all pages and the number of pages."""
    found, pages, token = [], 0, None
    while True:
        answer = api("GET", "/instances", params={**params, **({"nextPage": token} if token else {})})
        found += ids(answer)
        pages += 1
        token = answer.headers.get("Elements-Next-Page-Token")
        if token is None:
            return found, pages


def test_by_tag(api):
    one = api.create(tags=["a", "b"])["id"]
    two = api.create(tags=["b"])["id"]
    api.create(tags=["ab"])
    assert ids(api("GET", "/instances", params={"tags[]": "a"})) == [one]
    assert ids(api("GET", "/instances?tags[]=b")) == [one, two]
    assert ids(api("GET", "/instances", params={"tags[]": ["a", "b"]})) == [one, two]


def test_several_tags_can_mean_all_of_them(api, sandbox):
    one = api.create(tags=["a", "b"])["id"]
    api.create(tags=["b"])
    sandbox.configure(tags_match="all")
    assert ids(api("GET", "/instances", params={"tags[]": ["a", "b"]})) == [one]


def test_tags_follow_updates_and_deletes(api):
    instance = api.create(tags=["a", "a"])
    path = f"/instances/{instance['id']}"
    api("PATCH", path, json={"tags": ["c"]})
    api.refused(api("GET", "/instances?tags[]=a"), 404)
    assert ids(api("GET", "/instances?tags[]=c")) == [instance["id"]]
    api("DELETE", path)
    api.refused(api("GET", "/instances?tags[]=c"), 404)


def test_a_filter_without_match_is_404(api):
    api.create(name="here")
    api.refused(api("GET", "/instances?tags[]=nowhere"), 404)
    api.refused(api("GET", "/instances?searchText=nowhere"), 404)


def test_an_unfiltered_empty_list_is_the_settings_choice(api, sandbox):
    assert api("GET", "/instances").json() == []
    sandbox.configure(empty_list="missing")
    api.refused(api("GET", "/instances"), 404)


def test_search_text_matches_the_name(api):
    one = api.create(name="Tenant Alpha", tags=["x"])["id"]
    two = api.create(name="Tenant Beta", tags=["x"])["id"]
    assert ids(api("GET", "/instances?searchText=alpha")) == [one]
    assert ids(api("GET", "/instances?searchText=Tenant")) == [one, two]
    assert ids(api("GET", "/instances?searchText=beta&tags[]=x")) == [two]
    api.refused(api("GET", "/instances?searchText=beta&tags[]=y"), 404)


def test_pages_end_without_a_token(api):
    created = [api.create(tags=["p"])["id"] for _ in range(7)]
    assert walk(api, pageSize=3) == (created, 3)
    assert walk(api, pageSize=7) == (created, 1)
    assert walk(api, pageSize=500) == (created, 1)
    assert walk(api, pageSize=2, **{"tags[]": "p"}) == (created, 4)
    answer = api("GET", "/instances?pageSize=3")
    assert answer.headers["Elements-Returned-Count"] == "3"
    assert answer.headers["Elements-Total-Count"] == "7"


def test_nobody_is_missed_when_rows_go_away_between_pages(api):
    created = [api.create()["id"] for _ in range(6)]
    first = api("GET", "/instances?pageSize=3")
    for gone in created[:3]:
        api("DELETE", f"/instances/{gone}")
    token = first.headers["Elements-Next-Page-Token"]
    assert ids(api("GET", "/instances", params={"pageSize": 3, "nextPage": token})) == created[3:]
    for gone in created[3:]:
        api("DELETE", f"/instances/{gone}")
    assert api("GET", "/instances", params={"pageSize": 3, "nextPage": token}).json() == []


def test_the_order_can_be_turned(api, sandbox):
    created = [api.create()["id"] for _ in range(5)]
    sandbox.configure(order="descending", page_size=2)
    assert walk(api) == (created[::-1], 3)


def test_pages_have_a_default_and_a_maximum(api, sandbox):
    for _ in range(5):
        api.create()
    sandbox.configure(page_size=4, max_page_size=3)
    assert len(api("GET", "/instances?pageSize=100").json()) == 3
    for bad in ("0", "-1", "x", "1.5", "²"):
        api.refused(api("GET", "/instances", params={"pageSize": bad}), 400)
    for bad in ("x", "e30=", "bnVsbA==", "WzFd", "eyJhZnRlciI6dHJ1ZX0=", "é"):
        api.refused(api("GET", "/instances", params={"nextPage": bad}), 400)


def test_hydrate_false_leaves_the_configuration_out_and_the_token_in(api):
    instance = api.create()
    (row,) = api("GET", "/instances?hydrate=false").json()
    assert row["token"] == instance["token"]
    assert "configuration" not in row
    (row,) = api("GET", "/instances?hydrate=true").json()
    assert row == instance
    api.refused(api("GET", "/instances?hydrate=perhaps"), 400)


def test_an_elements_instances_or_404(api):
    api.refused(api("GET", "/elements/closeio/instances"), 404)
    one, two = api.create()["id"], api.create()["id"]
    api.create("pipedrive")
    assert ids(api("GET", "/elements/closeio/instances")) == [one, two]
    # No query parameter of the swagger filters here.
    assert ids(api("GET", "/elements/closeio/instances?tags[]=nowhere")) == [one, two]


def test_count_is_a_reserved_word(api):
    assert api("GET", "/instances/count").json() == {"totalInstances": 0, "elementInstances": []}
    api.create()
    api.create()
    api.create("pipedrive")
    answer = api("GET", "/instances/count").json()
    assert answer["totalInstances"] == 3
    assert {row["elementKey"]: row["count"] for row in answer["elementInstances"]} == {
        "closeio": 2,
        "pipedrive": 1,
    }


def test_an_accounts_instances(api):
    created = api.create()["id"]
    account = api("GET", "/accounts").json()[0]["id"]
    assert ids(api("GET", "/accounts/instances")) == [created]
    assert ids(api("GET", f"/accounts/{account}/instances")) == [created]
    api.refused(api("GET", "/accounts/1/instances"), 403)
