#!/usr/bin/env bash
# s3fs 2026.9.0, cloudpathlib 0.26.0 and pyarrow 26.0.1, beside smart_open 9.0.2: a with-block that writes a file to S3 (moto 5.2.5), and raises.
# Guess: the file is not there, as with smart_open.
# Seen: s3fs, cloudpathlib and pyarrow leave what was written until then under the file's name. pyarrow's ParquetWriter
# leaves a whole Parquet file with the rows until then, which nobody can tell from a complete one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check s3fs==2026.9.0 'cloudpathlib[s3]==0.26.0' pyarrow==26.0.1 'smart_open[s3]==9.0.2' \
    'moto[server,s3]==5.2.5'
export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=us-east-1
bin/python - <<'PY'
import logging

import boto3
import pyarrow
import pyarrow.fs
import pyarrow.parquet
import s3fs
import smart_open
from cloudpathlib import S3Client
from moto.server import ThreadedMotoServer


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


class Failed(Exception):
    pass


def fail_after_half(opened):
    try:
        with opened as file:
            file.write(b"half")
            raise Failed
    except Failed:
        pass


def found(name):
    try:
        return s3.get_object(Bucket="bucket", Key=name)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None


logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
address = f"http://{host}:{port}"
s3 = boto3.client("s3", endpoint_url=address)
s3.create_bucket(Bucket="bucket")

fail_after_half(s3fs.S3FileSystem(client_kwargs={"endpoint_url": address}).open("bucket/s3fs", "wb"))
seen("s3fs", found("s3fs"), b"half")
fail_after_half(S3Client(endpoint_url=address).CloudPath("s3://bucket/cloudpathlib").open("wb"))
seen("cloudpathlib", found("cloudpathlib"), b"half")
arrow = pyarrow.fs.S3FileSystem(endpoint_override=f"{host}:{port}", scheme="http")
fail_after_half(arrow.open_output_stream("bucket/pyarrow"))
seen("pyarrow", found("pyarrow"), b"half")
fail_after_half(smart_open.open("s3://bucket/smart_open", "wb", transport_params={"client": s3}))
seen("smart_open", found("smart_open"), None)

rows = pyarrow.table({"id": ["1", "2"]})
try:
    with pyarrow.parquet.ParquetWriter("bucket/rows.parquet", rows.schema, filesystem=arrow) as file:
        file.write_table(rows)
        raise Failed
except Failed:
    pass
seen("ParquetWriter, rows", pyarrow.parquet.read_table("bucket/rows.parquet", filesystem=arrow).num_rows, 2)
server.stop()
PY
