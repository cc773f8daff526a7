"""What a file and a batch are, as values that workers and the control process share."""

import msgspec

__all__ = ["BatchRow", "FileRow"]


class FileRow(msgspec.Struct, frozen=True):
    """A file as it is kept. Times are seconds since 1970; ``node`` is the machine whose disk has it."""

    id: str
    owner: str
    node: str
    purpose: str
    filename: str
    bytes: int
    created_at: int
    expires_at: int


class BatchRow(msgspec.Struct, frozen=True):
    """A batch as it is kept. ``key`` is the id of the key that made it; ``metadata`` and ``errors`` are JSON."""

    id: str
    owner: str
    node: str
    key: str
    endpoint: str
    input_file_id: str
    completion_window: str
    status: str
    created_at: int
    expires_at: int
    output_lifetime: int
    in_progress_at: int | None = None
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    metadata: str | None = None
    errors: str | None = None
