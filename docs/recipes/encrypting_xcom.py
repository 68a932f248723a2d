"""An XCom backend that keeps the values of the key ``token`` encrypted in the metadata database.

Put the file where every Airflow process can import it, make a key once with

    python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"

and tell every Airflow process:

    AIRFLOW__CORE__XCOM_BACKEND=encrypting_xcom.EncryptingXCom
    ENCRYPTING_XCOM_KEY=<the key>

Tasks push and pull as before. The UI and the REST API show what is stored, which is now unreadable.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk.bases.xcom import BaseXCom
from cryptography.fernet import Fernet

ENCRYPTED_KEYS = {"token"}
_MARK = "encrypted_xcom"


class EncryptingXCom(BaseXCom):
    """Encrypts the values of some keys on their way into the database."""

    @staticmethod
    def serialize_value(value: Any, *, key: str | None = None, **details: Any) -> Any:
        """Encrypt, where the key is one of those."""
        if key in ENCRYPTED_KEYS and isinstance(value, str):
            value = {_MARK: _fernet().encrypt(value.encode()).decode()}
        return BaseXCom.serialize_value(value, key=key, **details)

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        """Decrypt what was encrypted, and return the rest as it is."""
        value = BaseXCom.deserialize_value(result)
        if isinstance(value, dict) and set(value) == {_MARK}:
            return _fernet().decrypt(value[_MARK].encode()).decode()
        return value


def _fernet() -> Fernet:
    return Fernet(os.environ["ENCRYPTING_XCOM_KEY"].encode())
