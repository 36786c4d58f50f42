"""An object store that speaks S3, on loopback, in this process: moto's server."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

ACCESS, SECRET = "AKIAEFILETESTS", "bi-mat-cua-kho-doi-tuong"


@dataclass
class ObjectStore:
    """A running server with a bucket `bodies`; `stop` and `start` it as an outage would."""

    server: ThreadedMotoServer

    @property
    def url(self) -> str:
        host, port = self.server.get_host_and_port()
        return f"http://{host}:{port}"

    @property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
        )

    def names(self) -> list[str]:
        """The keys in the bucket."""
        return [one["Key"] for one in self.client.list_objects_v2(Bucket="bodies").get("Contents", [])]

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        """At the same port, with what it held."""
        _, port = self.server.get_host_and_port()
        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        self.server.start()

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[ObjectStore]:
        """Empty but for its bucket."""
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.s3.models import s3_backends

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        made = cls(server)
        made.client.create_bucket(Bucket="bodies")
        try:
            yield made
        finally:
            s3_backends[DEFAULT_ACCOUNT_ID]["aws"].reset()
            made.stop()
