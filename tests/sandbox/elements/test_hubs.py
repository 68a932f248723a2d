"""The hubs of the catalogue: fact F91."""


def test_hubs_and_their_keys(api):
    expected = {row["hub"] for row in api("GET", "/elements").json()}
    keys = api("GET", "/hubs/keys").json()
    assert keys == sorted(expected)
    answer = api("GET", "/hubs")
    assert [row["key"] for row in answer.json()] == keys
    assert answer.headers["Elements-Total-Count"] == str(len(keys))


def test_the_elements_of_a_hub(api):
    every = api("GET", "/elements").json()
    for hub in api("GET", "/hubs/keys").json():
        assert api("GET", f"/hubs/{hub}/elements").json() == [row for row in every if row["hub"] == hub]
    abridged = api("GET", "/hubs/crm/elements?abridged=true&pageSize=2")
    assert len(abridged.json()) == 2
    assert "parameters" not in abridged.json()[0]
    token = abridged.headers["Elements-Next-Page-Token"]
    following = api("GET", "/hubs/crm/elements", params={"abridged": "true", "nextPage": token}).json()
    assert {row["id"] for row in following}.isdisjoint(row["id"] for row in abridged.json())
    api.refused(api("GET", "/hubs/nothing/elements"), 404)


def test_they_are_platform_calls(api):
    for path in ("/hubs", "/hubs/keys", "/hubs/crm/elements"):
        api.refused(api("GET", path, headers={"Authorization": None}), 401)
        assert api("GET", path, token="stale").status_code == 200


def test_one_hub(api):
    hub = api("GET", "/hubs/crm").json()
    assert set(hub) == {"id", "key", "name", "description", "active"}
    full = api("GET", "/hubs/crm?hydrate=true").json()
    assert "leads" in full.pop("resources")
    assert full == hub
    api.refused(api("GET", "/hubs/nothing"), 404)
