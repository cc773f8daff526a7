"""``/v1/images/…``: images made, and images changed."""

from mainstay.api.tasks import TaskWire
from mainstay.core.answer import Answer
from mainstay.core.call import Ask
from mainstay.providers.tasks.form import Form
from mainstay.providers.tasks.images import read_image_edit, read_image_edit_json, read_images

__all__ = ["ImageEditsWire", "ImagesWire"]


class ImagesWire(TaskWire):
    """Images made from words, as the official OpenAI SDKs ask for them."""

    def read(self, body: bytes) -> Ask:
        """Return what a request asks."""
        return read_images(body)


class ImageEditsWire(TaskWire):
    """Images changed by words, as the official OpenAI SDKs ask for it."""

    def read(self, body: bytes) -> Ask:
        """Return what a request asks that names its images in JSON."""
        return read_image_edit_json(body)

    def read_form(self, form: Form) -> Ask:
        """Return what a form asks."""
        return read_image_edit(form)

    def kind(self, answer: Answer, ask: Ask) -> bytes:
        """Return the content type of an answer."""
        return b"text/event-stream; charset=utf-8" if answer.frames is not None else b"application/json"
