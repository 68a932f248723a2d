"""The store finds instances as a search of all of them would, and no look-up touches them all."""

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_cloudelements.sandbox.elements.catalogue import ELEMENTS
from airflow_provider_cloudelements.sandbox.instances.store import Store

TAGS = st.lists(st.sampled_from("abcd"), max_size=4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(ELEMENTS[:3]), TAGS),
        st.tuples(st.just("tag"), st.integers(0, 30), TAGS),
        st.tuples(st.just("element"), st.integers(0, 30), st.sampled_from(ELEMENTS[:3])),
        st.tuples(st.just("remove"), st.integers(0, 30), st.none()),
    ),
    max_size=40,
)


def play(steps):
    """Return a store after these steps, and its instances in the order of their ids."""
    store, alive = Store(), []
    for verb, first, second in steps:
        if verb == "add":
            alive.append(store.add(first, "x", second, {}, "none", None))
        elif alive:
            instance = alive[first % len(alive)]
            if verb == "tag":
                store.set_tags(instance, second)
            elif verb == "element":
                store.set_element(instance, second)
            else:
                store.remove(instance)
                alive.remove(instance)
    return store, alive


@given(STEPS, st.lists(st.sampled_from("abcd"), min_size=1, max_size=4), st.booleans())
def test_it_finds_what_a_search_of_all_finds(steps, tags, match_all):
    store, alive = play(steps)
    wanted = all if match_all else any
    assert list(store.all()) == alive
    assert list(store.tagged(tags, match_all)) == [
        one for one in alive if wanted(tag in one.tags for tag in tags)
    ]
    for element in ELEMENTS[:3]:
        assert list(store.of_element(element)) == [one for one in alive if one.element is element]
    counts = [one.element.key for one in alive]
    assert store.elements() == {key: counts.count(key) for key in sorted(set(counts))}


def test_a_shared_tag_is_not_searched():
    store = Store()
    for number in range(100):
        store.add(ELEMENTS[0], "x", ["all", f"only-{number}"], {}, "none", None)
    every = store.all()
    assert store.tagged(["all"], match_all=False) is store.tagged(["all"], match_all=True)
    # The one with the rarer tag is among the others, so nothing is merged and nothing is copied.
    assert store.tagged(["all", "only-7"], match_all=False) is store.tagged(["all"], match_all=False)
    assert list(store.tagged(["all", "only-7"], match_all=True)) == [every[7]]
