"""Which models there are, in the shape of OpenAI's API: the release that is live."""

from __future__ import annotations

from datetime import datetime

from gemel.serve.context import Context
from gemel.serve.steps import Move, Steps
from gemel.serve.wire.vectors import AboutBody, ModelsReply, OneModel


def models(context: Context, _: AboutBody) -> Steps[ModelsReply]:
    """The one model, by the id that replies name it by."""
    yield Move("find")
    release = context.live.release
    built = datetime.fromisoformat(release.manifest.created)
    return ModelsReply([OneModel(release.id, int(built.timestamp()))])
