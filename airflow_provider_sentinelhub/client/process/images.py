"""What the Process API answers: one file, or several in a tar archive."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.errors import GarbledReplyError
from airflow_provider_sentinelhub.client.process.formats import EXTENSIONS, is_a
from airflow_provider_sentinelhub.client.session import units_spent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sentinelhub.client.http import Reply


@dataclass(frozen=True)
class Images:
    """The content of each output, and what the call has cost in processing units, if the service said so."""

    files: Mapping[str, bytes] = field(repr=False)
    processing_units: float | None

    @classmethod
    def from_reply(cls, reply: Reply, formats: Mapping[str, str]) -> Images:
        """Read an answer of the service; ``formats`` are the MIME types of the outputs asked for.

        Raises `GarbledReplyError` where an output is missing or is something else.
        """
        if len(formats) == 1:
            [name] = formats
            files = {name: reply.content}
        else:
            files = _members(reply, formats)
        for name, kind in formats.items():
            if name not in files:
                raise GarbledReplyError(f"{reply.call.what}: the answer lacks the output {name}.")
            if not is_a(kind, files[name]):
                raise GarbledReplyError(f"{reply.call.what}: what came as output {name} is not {kind}.")
        return cls(files, units_spent(reply))


def file_name(output: str, kind: str) -> str:
    """Return the name of an output's file, which is that of the service's own archives."""
    return f"{output}.{EXTENSIONS[kind]}"


def _members(reply: Reply, formats: Mapping[str, str]) -> dict[str, bytes]:
    """Return the files asked for; nothing else in the archive is looked at, and nothing laid on a disk."""
    wanted = {file_name(name, kind): name for name, kind in formats.items()}
    found = {}
    try:
        # Not compressed: what comes out is never larger than what has come.
        with tarfile.open(fileobj=io.BytesIO(reply.content), mode="r:") as archive:
            for member in archive:
                name = wanted.get(member.name.removeprefix("./"))
                content = archive.extractfile(member) if name and member.isreg() else None
                if name and content:
                    found[name] = content.read()
    except (tarfile.TarError, EOFError) as error:
        raise GarbledReplyError(f"{reply.call.what}: the answer is not a tar archive.") from error
    return found
