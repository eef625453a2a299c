"""Whole files at any address, a path or `s3a://…`: read, put, list, delete. What is put appears once, whole, under its final name."""

import contextlib
import glob
import mimetypes
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote

from schemas import s3, unfinished
from schemas.errors import UsageError, VerificationError
from schemas.path_errors import refusal
from schemas.scratch import own, scratch_folder

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

ONE_PUT_BYTES = 256 << 20
"""Larger files go up in parts of this size; a store takes at most 5 GiB in one request, and 10,000 parts."""
COPY_BYTES = 8 << 20


@dataclass(frozen=True)
class Stored:
    """A file that lies at `uri`. `modified_s` is seconds since 1970."""

    uri: str
    bytes: int
    modified_s: float


def is_remote(uri: str | os.PathLike[str]) -> bool:
    """True for an address in a store, whichever; False for paths and file: URIs."""
    text = os.fspath(uri)
    return "://" in text and not text.startswith("file://")


def at(base: str, *parts: str) -> str:
    """An address below another."""
    return "/".join([base.rstrip("/"), *parts])


def address(uri: str | os.PathLike[str]) -> str:
    """The one spelling under which an address is kept: absolute for paths, `s3a://` for S3. Raises `UsageError` for stores that
    cannot be written."""
    text = os.fspath(uri)
    if s3.is_s3(text):
        return s3.spelled(text).rstrip("/")
    if is_remote(text):
        raise UsageError(f"{text}: only folders and s3a:// addresses can be written")
    path = unquote(text.removeprefix("file://")) if text.startswith("file://") else text
    return str(Path(os.path.expanduser(path)).absolute())


def same(one: str, other: str) -> bool:
    """Whether two addresses are of one file or folder."""
    if is_remote(one) or is_remote(other):
        return one == other
    return os.path.realpath(one) == os.path.realpath(other)


def size(uri: str) -> int:
    """Bytes of a file; -1 when it is not there."""
    if not is_remote(uri):
        path = address(uri)
        return os.path.getsize(path) if os.path.isfile(path) else -1
    head = _head(uri)
    return -1 if head is None else head["ContentLength"]


def exists(uri: str) -> bool:
    """True when a file lies at the address."""
    return size(uri) >= 0


def listed(uri: str, beginning: str = "") -> list[Stored]:
    """All files below an address, in the order of names; none where nothing is. `beginning`: only of what is there called so, or begins so."""
    if not is_remote(uri):
        root = Path(address(uri))
        tops = root.glob(f"{glob.escape(beginning)}*") if beginning else (root,)
        files = sorted(path for top in tops for path in (top, *top.rglob("*")) if path.is_file() and path != root)
        return [Stored(str(path), path.stat().st_size, path.stat().st_mtime) for path in files]
    bucket, key = s3.split(uri)
    prefix = key.rstrip("/") + "/" if key.strip("/") else ""
    with s3.reaching(uri):
        pages = s3.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix + beginning)
        found = [entry for page in pages for entry in page.get("Contents", ())]
    return [Stored(f"s3a://{bucket}/{entry['Key']}", entry["Size"], entry["LastModified"].timestamp()) for entry in found if entry["Key"][-1] != "/"]


def read_bytes(uri: str, most: int | None = None) -> bytes | None:
    """A file's bytes, or its first `most`; None when it is not there."""
    if not is_remote(uri):
        try:
            with open(address(uri), "rb") as file:
                return file.read(-1 if most is None else most)
        except (FileNotFoundError, NotADirectoryError):
            return None
    bucket, key = s3.split(uri)
    asked = {} if most is None else {"Range": f"bytes=0-{most - 1}"}
    with s3.reaching(uri):
        try:
            return s3.client().get_object(Bucket=bucket, Key=key, **asked)["Body"].read()
        except s3.client().exceptions.ClientError as error:
            if s3.status(error) == 404 and _code(error) != "NoSuchBucket":
                return None
            if s3.status(error) == 416:
                return b""
            raise


def filesystem(uri: str) -> "tuple[FileSystem, str]":
    """Arrow's file system for a store that it reads (s3://, s3a://, gs://, hdfs://, …), and the path in it."""
    from pyarrow.fs import FileSystem

    if s3.is_s3(uri):
        return s3.filesystem(), "/".join(s3.split(uri)).rstrip("/")
    scheme, separator, rest = uri.partition("://")
    return FileSystem.from_uri(("gs" if scheme == "gcs" else scheme) + separator + rest)


def open_file(uri: str) -> Any:
    """A file for reading and seeking. Raises `FileNotFoundError`."""
    if not is_remote(uri):
        return open(address(uri), "rb")
    store, key = filesystem(uri)
    return store.open_input_file(key)


def fetch(uri: str, path: str | os.PathLike[str]) -> None:
    """Copy a file to a local path. Raises `FileNotFoundError`, and `VerificationError` when fewer bytes arrive than were announced."""
    with open_file(uri) as source, open(path, "wb") as copy:
        announced = source.size() if is_remote(uri) else os.fstat(source.fileno()).st_size
        shutil.copyfileobj(source, copy, COPY_BYTES)
        if copy.tell() != announced:
            raise VerificationError(f"of {uri} {copy.tell()} of {announced} bytes arrived")


def put_bytes(data: bytes, uri: str) -> None:
    """Write a whole file, in the place of an older one."""
    if is_remote(uri):
        bucket, key = s3.split(address(uri))
        with s3.reaching(uri):
            s3.client().put_object(Bucket=bucket, Key=key, Body=data, ContentType=_kind(key))
        return
    with writing(uri) as file:
        file.write(data)


def put_file(path: str | os.PathLike[str], uri: str) -> None:
    """Put a local file, which stays, under an address; an upload that breaks off leaves nothing under that name."""
    if not is_remote(uri):
        with open(path, "rb") as source, writing(uri) as file:
            shutil.copyfileobj(source, file, COPY_BYTES)
        return
    bucket, key = s3.split(address(uri))
    length = os.path.getsize(path)
    with open(path, "rb") as source, s3.reaching(uri):
        if length <= ONE_PUT_BYTES:
            s3.client().put_object(Bucket=bucket, Key=key, Body=source, ContentType=_kind(key))
        else:
            _put_in_parts(bucket, key, source, length)
    arrived = size(uri)
    if arrived != length:
        raise VerificationError(f"{uri} has {arrived} bytes after {length} were put there")


@contextlib.contextmanager
def writing(uri: str) -> Iterator[BinaryIO]:
    """A new file to write to, that gets its name only when the block ends well. In a store it waits on the local disk until then."""
    if is_remote(uri):
        with tempfile.NamedTemporaryFile(prefix=own("put-"), dir=scratch_folder()) as half:
            yield half
            half.flush()
            put_file(half.name, uri)
        return
    final = Path(address(uri))
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = unfinished.beside(final)
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, final)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def check_name(uri: str) -> None:
    """See, by a look alone, that a path can be that of a file. Raises `UsageError`, or `MissingError` where nobody lets us look."""
    if is_remote(uri):
        return
    final = address(uri)
    try:
        folder = os.path.isdir(final)
        with contextlib.suppress(FileNotFoundError):
            os.lstat(final)  # `isdir` does not tell a name that is too long
    except (OSError, ValueError) as error:
        raise refusal(error, f"{final} cannot be written") from error
    if folder:
        raise UsageError(f"{final} is a folder; give the name of a file")


def check_writable(uri: str) -> None:
    """See, before hours of work, that a file can be put under an address; makes its folder. Raises `UsageError` where none can be there,
    `MissingError` without the right to write, for stores as `s3.reaching` does."""
    if is_remote(uri):
        bucket, key = s3.split(address(uri))
        with s3.reaching(uri):
            s3.client().list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
        return
    check_name(uri)
    final = Path(address(uri))
    temporary = unfinished.beside(final)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        temporary.unlink()
    except OSError as error:
        raise refusal(error, f"{final} cannot be written") from error


def delete(uri: str) -> bool:
    """Delete a file; returns whether it was there."""
    there = exists(uri)
    if not is_remote(uri):
        Path(address(uri)).unlink(missing_ok=True)
    elif there:
        bucket, key = s3.split(uri)
        with s3.reaching(uri):
            s3.client().delete_object(Bucket=bucket, Key=key)
    return there


def delete_below(uri: str) -> int:
    """Delete all files below an address, and the folder itself; returns how many files there were."""
    found = listed(uri)
    if not is_remote(uri):
        shutil.rmtree(address(uri), ignore_errors=True)
        return len(found)
    bucket, _ = s3.split(uri)
    for first in range(0, len(found), 1000):
        keys = [{"Key": s3.split(entry.uri)[1]} for entry in found[first : first + 1000]]
        with s3.reaching(uri):
            answer = s3.client().delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        if answer.get("Errors"):
            raise VerificationError(f"{len(answer['Errors'])} files below {uri} could not be deleted: {answer['Errors'][0].get('Code')}")
    return len(found)


def move(before: str, after: str) -> None:
    """Give a file another name in the same store; a move that breaks off leaves the old one, or both."""
    if not is_remote(before):
        Path(address(after)).parent.mkdir(parents=True, exist_ok=True)
        os.replace(address(before), address(after))
    elif before != after:
        copy(before, after)
        delete(before)


def copy(before: str, after: str) -> None:
    """Have a file under another name of the same store too. A file that is replaced under one name stays under the other."""
    if not is_remote(before):
        target = Path(address(after))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(address(before), target)
        except OSError:  # a file system without links
            shutil.copyfile(address(before), target)
        return
    bucket, key = s3.split(before)
    target, name = s3.split(after)
    with s3.reaching(after):
        if size(before) <= ONE_PUT_BYTES:
            s3.client().copy_object(Bucket=target, Key=name, CopySource={"Bucket": bucket, "Key": key})
        else:
            with tempfile.NamedTemporaryFile(prefix=own("copy-"), dir=scratch_folder()) as whole:
                fetch(before, whole.name)
                put_file(whole.name, after)


def _put_in_parts(bucket: str, key: str, source: BinaryIO, length: int) -> None:
    """A multipart upload that is given up when anything goes wrong, so that no parts stay behind."""
    client = s3.client()
    part_bytes = max(ONE_PUT_BYTES, -(-length // 10_000))
    upload = client.create_multipart_upload(Bucket=bucket, Key=key, ContentType=_kind(key))["UploadId"]
    try:
        parts = []
        for number in range(1, -(-length // part_bytes) + 1):
            answer = client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=source.read(part_bytes))
            parts.append({"ETag": answer["ETag"], "PartNumber": number})
        client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    except BaseException:
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        raise


def _kind(key: str) -> str:
    """Media type by name, so that a browser shows a page and plays a clip."""
    return mimetypes.guess_type(key)[0] or "application/octet-stream"


def _head(uri: str) -> dict[str, Any] | None:
    bucket, key = s3.split(uri)
    with s3.reaching(uri):
        try:
            return s3.client().head_object(Bucket=bucket, Key=key)
        except s3.client().exceptions.ClientError as error:
            if s3.status(error) == 404:
                return None
            raise


def _code(error: Any) -> str:
    return error.response.get("Error", {}).get("Code", "")
