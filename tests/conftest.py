"""What all tests share: the sandbox, by the plugin that users have as well, and a certificate of our own."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from hypothesis import HealthCheck

if TYPE_CHECKING:
    from airflow_provider_cloudelements.sandbox import Sandbox
    from tests.support.platform import Person, Wire

# What these check says what it compared, as a test does.
pytest.register_assert_rewrite("tests.support")

pytest_plugins = ["airflow_provider_cloudelements.sandbox.pytest_plugin", "tests.support.running"]

# A busy machine is no failure. What gates a change tries the same examples each time; `make soak` looks for
# others.
hypothesis.settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.settings.register_profile("here", hypothesis.settings.get_profile("explore"), derandomize=True)
hypothesis.settings.load_profile("here")


@pytest.fixture
def memory_store():
    """Return the object store of ``memory://``, empty. A process has only one, so this empties it again."""
    import fsspec
    from airflow.sdk.io import attach

    store = fsspec.filesystem("memory")
    attach("memory", fs=store)

    def clear() -> None:
        store.store.clear()  # rm() of some versions cannot remove a name that is the beginning of others
        store.pseudo_dirs[:] = [""]

    clear()
    yield store
    clear()


@pytest.fixture
def person(sandbox: Sandbox) -> Person:
    """Give a person at the console of the folder's sandbox."""
    from tests.support.platform import Person

    return Person(sandbox)


@pytest.fixture
def wire(sandbox: Sandbox) -> Wire:
    """Give the calls that the folder's sandbox gets from now on."""
    from tests.support.platform import Wire

    return Wire(sandbox)


@pytest.fixture(scope="session")
def ca_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a self-signed certificate for 127.0.0.1, its key beside it; return the certificate's file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cloudelements test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    bundle = folder / "certificate.pem"
    bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return bundle


@pytest.fixture(scope="session")
def tls_server(ca_bundle: Path) -> ssl.SSLContext:
    """Return what a server needs to show that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca_bundle, ca_bundle.with_name("key.pem"))
    return context
