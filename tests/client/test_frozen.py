"""Objects of frozen dataclasses, made fast: the same objects."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from airflow_provider_cloudelements.client.frozen import maker
from airflow_provider_cloudelements.client.notifications import ObjectEvent

VALUES = ("2|0", "events", "CREATED", None, None, "sfdc", "crm")


def test_what_is_made_is_as_its_class_makes_it() -> None:
    made = maker(ObjectEvent)(*VALUES)
    assert type(made) is ObjectEvent
    assert made == ObjectEvent(*VALUES)
    assert hash(made) == hash(ObjectEvent(*VALUES))
    assert repr(made) == repr(ObjectEvent(*VALUES))
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == made  # noqa: S301  our own
    assert dataclasses.replace(made, object_id="3").object_id == "3"


def test_what_is_made_is_frozen() -> None:
    made = maker(ObjectEvent)(*VALUES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.object_id = "3"  # type: ignore[misc]


def test_all_fields_must_be_given() -> None:
    with pytest.raises(TypeError):
        maker(ObjectEvent)("2|0")
