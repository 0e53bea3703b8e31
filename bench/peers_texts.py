"""Sentence-transformers behind FastAPI, as its users write it: a route that encodes what it gets.

python bench/peers_texts.py MODEL PORT
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer


class Body(BaseModel):
    """As the API of OpenAI has it."""

    input: list[str]
    model: str = ""


def app(model: str) -> FastAPI:
    """One route; FastAPI runs it in threads."""
    served, encoder = FastAPI(), SentenceTransformer(model, device="cpu")

    @served.post("/v1/embeddings")
    def embeddings(body: Body) -> dict[str, object]:
        rows = encoder.encode(body.input, normalize_embeddings=True).tolist()
        data = [{"object": "embedding", "index": i, "embedding": r} for i, r in enumerate(rows)]
        return {"object": "list", "model": body.model, "data": data}

    return served


if __name__ == "__main__":
    uvicorn.run(app(sys.argv[1]), port=int(sys.argv[2]), log_level="error")
