"""An S3 on this machine."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import httpx

from sandbox.child import die_with_parent
from sandbox.valkey import free_port
from tests.support.stack import wait_until


@contextmanager
def s3_server(log: Path) -> Iterator[dict[str, str]]:
    """A server, by the environment that leads to it."""
    port = free_port()
    with log.open("wb") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-p", str(port)],
            stdout=file,
            stderr=file,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - one system call
        )
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: answers(f"{url}/moto-api/data.json"), what="the S3 server")
    yield {
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
    }
    server.terminate()
    server.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def empty_bucket(aws: dict[str, str], name: str) -> Any:
    s3 = boto3.resource("s3", endpoint_url=aws["AWS_ENDPOINT_URL"], region_name="us-east-1",
                        aws_access_key_id="x", aws_secret_access_key="x")  # fmt: skip
    made = s3.create_bucket(Bucket=name)
    made.objects.all().delete()
    return made
