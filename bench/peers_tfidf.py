"""The contestant that sees a record as one text.

Counting terms on train alone leaves out n-grams that no train record has, most of which are typing
errors: that is what gemel's own baseline does, and on names it is far ahead of counting them on all
records, as is usual. Both are variants.
"""

from __future__ import annotations

import numpy as np
from peers_records import SIDES, Job, Variants, upper
from sklearn.feature_extraction.text import TfidfVectorizer


def tfidf(job: Job) -> Variants:
    """Cosine of TF-IDF weighted character 2-4-grams of all fields written one after the other."""
    texts = np.array([" ".join(v for v in row if v) for row in job.rows], object)
    counted = {"all records": np.arange(len(texts)), "train": job.sides["train"]}
    out: Variants = {}
    for tf, sublinear in (("linear tf", False), ("sublinear tf", True)):
        for terms, idx in counted.items():
            model = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=sublinear)
            model.fit(texts[idx])
            scores = out[f"{tf}, terms of {terms}"] = {}
            for side in SIDES:
                rows = model.transform(texts[job.sides[side]]).astype(np.float32)
                scores[side] = upper((rows @ rows.T).toarray())
    return out
