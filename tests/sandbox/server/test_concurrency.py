"""Many at once: nothing is lost, nothing is made twice."""

import time
from concurrent.futures import ThreadPoolExecutor


def in_threads(api, calls, threads=32):
    """Run calls in threads, each with a connection of its own; return their answers in order."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda call: call(type(api)(api.sandbox)), calls))


def test_concurrent_creates_have_distinct_ids_and_tokens(api, sandbox):
    body = api.body(tags=["same"])
    made = in_threads(api, [lambda own: own("POST", "/instances", json=body).json()] * 200)
    assert len({row["id"] for row in made}) == 200
    assert len({row["token"] for row in made}) == 200
    assert len(api("GET", "/instances?tags[]=same").json()) == 200
    assert len(sandbox.instances()) == 200


def test_of_concurrent_creates_with_one_code_one_wins(api, sandbox):
    body = api.body("microsoftgraph")
    statuses = in_threads(api, [lambda own: own("POST", "/instances", json=body).status_code] * 32)
    assert sorted(statuses) == [200] + [400] * 31
    (code,) = sandbox.codes()
    assert (code["presented"], code["exchanged"]) == (32, 32)
    assert len(sandbox.instances()) == 1


def test_concurrent_patches_and_deletes(api, sandbox):
    instances = [api.create(tags=["start"])["id"] for _ in range(20)]
    calls = []
    for number in instances:
        path = f"/instances/{number}"
        for change in range(5):
            body = {"tags": [f"tag-{change}"], "configuration": {f"own.{change}": change}}
            calls.append(lambda own, path=path, body=body: own("PATCH", path, json=body).status_code)
        if number % 2:
            calls.append(lambda own, path=path: own("DELETE", path).status_code)
            calls.append(lambda own, path=path: own("DELETE", path).status_code)
    statuses = in_threads(api, calls)
    assert set(statuses) <= {200, 404}
    left = [number for number in instances if number % 2 == 0]
    assert [row["id"] for row in sandbox.instances()] == left
    api.refused(api("GET", "/instances?tags[]=start"), 404)
    for number in left:
        shown = api.show(number)
        assert {key for key in shown["configuration"] if key.startswith("own.")} == {
            f"own.{n}" for n in range(5)
        }
        tagged = api("GET", "/instances", params={"tags[]": shown["tags"][0]}).json()
        assert number in {row["id"] for row in tagged}


def test_slow_creates_run_side_by_side(api, sandbox):
    sandbox.configure(create_delay=0.3)
    body = api.body()
    started = time.monotonic()
    made = in_threads(api, [lambda own: own("POST", "/instances", json=body).json()["id"]] * 64, threads=64)
    assert len(set(made)) == 64
    # One after the other they would take 19 seconds.
    assert time.monotonic() - started < 9


def test_the_log_counts_every_concurrent_call(api, sandbox):
    in_threads(api, [lambda own: own("GET", "/organizations/me")] * 300)
    numbers = [entry["number"] for entry in sandbox.requests()]
    assert numbers == list(range(1, 301))
    counters = sandbox.counters()
    assert counters["by_call"] == {"GET /organizations/me": 300}
    assert counters["by_status"] == {"200": 300}
