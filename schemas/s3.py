"""S3 and stores that speak it, as the usual environment names them: nothing of it is kept, shown or passed on.

`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` (or an instance's role), `AWS_REGION`, and for a server of one's own
`AWS_ENDPOINT_URL`. Credentials are read by the three clients themselves (delta-rs, Arrow, botocore); this module never holds them.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from schemas.errors import MissingError, TalkvidError

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from pyarrow.fs import S3FileSystem

DEFAULT_REGION = "us-east-1"
MOST_TRIES = 9
"""With the pauses between them a server that is away for half a minute is waited for."""

_PATIENCE = {"max_retries": "30", "retry_timeout": "180s", "backoff_config.init_backoff": "1s", "backoff_config.max_backoff": "5s"}
"""The same for delta-rs, which by itself gives up a server that refuses connections after two seconds."""

_SPELLINGS = re.compile(r"s3[an]?://", re.IGNORECASE)


def is_s3(uri: str) -> bool:
    """True for s3://, s3a:// and s3n:// addresses."""
    return _SPELLINGS.match(uri) is not None


def spelled(uri: str, scheme: str = "s3a") -> str:
    """The address with the one scheme by which it is kept (`s3a`), or that a reader wants (`s3`); others as they are."""
    return _SPELLINGS.sub(f"{scheme}://", uri, count=1)


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an address; the key may be empty."""
    bucket, _, key = _SPELLINGS.sub("", uri, count=1).partition("/")
    return bucket, key


def endpoint() -> str | None:
    """Address of the server, None for Amazon's own."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def region() -> str:
    """The region of all requests."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION


def rust_options() -> dict[str, str]:
    """What delta-rs must know beyond the environment: a commit is a conditional put, and http is for an http endpoint only."""
    options = {"conditional_put": "etag", "AWS_REGION": region(), **_PATIENCE}
    address = endpoint()
    if address is not None:
        options |= {"AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true" if address.startswith("http://") else "false"}
    return options


def filesystem() -> "S3FileSystem":
    """Arrow's file system; its paths are `bucket/key`. One per process and environment."""
    return _filesystem(endpoint(), region(), os.environ.get("AWS_ACCESS_KEY_ID"), os.getpid())


@lru_cache(maxsize=4)
def _filesystem(address: str | None, where: str, key_id: str | None, process: int) -> "S3FileSystem":
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    scheme, _, host = (address or "").partition("://")
    own = {"endpoint_override": host.rstrip("/"), "scheme": scheme} if address else {}
    return S3FileSystem(region=where, retry_strategy=AwsStandardS3RetryStrategy(max_attempts=MOST_TRIES), **own)


def client() -> "BaseClient":
    """botocore's client, for what neither Arrow nor delta-rs can: conditional requests. Threads may share it."""
    return _client(endpoint(), region(), os.environ.get("AWS_ACCESS_KEY_ID"), os.getpid())


@lru_cache(maxsize=4)
def _client(address: str | None, where: str, key_id: str | None, process: int) -> "BaseClient":
    from botocore.config import Config
    from botocore.session import get_session

    style = {"addressing_style": "path"} if address else {}
    tries = {"mode": "standard", "max_attempts": MOST_TRIES}
    config = Config(signature_version="s3v4", region_name=where, s3=style, retries=tries, connect_timeout=10, read_timeout=60)
    return get_session().create_client("s3", endpoint_url=address, config=config)


@contextmanager
def reaching(uri: str) -> Iterator[None]:
    """Turn what botocore, Arrow and delta-rs say of a store that cannot be used into `MissingError`, one sentence without secrets."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise explained(error, uri) from None


def explained(error: Exception, uri: str) -> TalkvidError:
    """One sentence for an error of botocore about `uri`."""
    bucket, _ = split(uri)
    code = status(error)
    named = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
    if named == "NoSuchBucket":
        return MissingError(f"there is no bucket {bucket} at {endpoint() or 'Amazon S3'}; make it first")
    if named in ("NoCredentialsError", "PartialCredentialsError"):
        return MissingError(f"{uri} needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where an instance role gives them")
    if code in (401, 403) or named in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "XAdminUserNotFound"):
        return MissingError(f"the store refuses {uri} ({named}): look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and the bucket's rights")
    if code is None:
        return MissingError(f"the store of {uri} does not answer ({named}); AWS_ENDPOINT_URL is {endpoint() or 'not set, so it is Amazon S3'}")
    return MissingError(f"the store cannot serve {uri}: {named} (HTTP {code})")


def unreachable(error: BaseException) -> MissingError | None:
    """One sentence for an error of delta-rs or Arrow that says that no store answers; None for other errors."""
    text = str(error)
    if not isinstance(error, OSError) or not ("Generic S3 error" in text and "error sending request" in text or "AWS Error NETWORK_CONNECTION" in text):
        return None
    return MissingError(f"the store at {endpoint() or 'Amazon S3'} does not answer any more; what was committed stays, run it again to go on")


def status(error: Any) -> int | None:
    """HTTP status of a refused request; None when there was no answer."""
    return getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode")
