"""Which queue does a short request belong to, new queues included?

What people say to a house, in English, from the templates of home-assistant-intents: each intent
with its kind of slots is a queue, and up to twelve requests are made of its templates. What fits
two queues is left out.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

from gemel.cli import example
from gemel.data.archives import Archive

PACKAGES = (
    Archive(
        "pip",
        "home-assistant-intents",
        "2026.11.25",
        "1eaf08165e1adfb1ca8a836081a46fd97433ed620ba32cba71972e35575140a5",
        "Apache-2.0",
    ),
)
EACH = 12
NAMES = ("hallway lamp", "garden gate", "desk fan", "heater", "radio", "left window", "oven")
AREAS = ("kitchen", "bedroom", "garage", "living room", "office", "bathroom", "cellar")
SAID = {"name": NAMES, "area": AREAS, "floor": ("first floor", "attic", "basement")}
"""What stands for names that a house gives."""


def write(folder: Path, rows: int) -> None:
    """Write a table of requests with the queue of each."""
    [(_, data)] = PACKAGES[0].members("home_assistant_intents/data/en.json")
    said = json.loads(data)
    queues: dict[str, set[str]] = {}
    for intent, known in said["intents"].items():
        for block in known["data"]:
            rng = random.Random(f"{intent} {block.get('response')}")
            metadata = block.get("metadata", {})
            queue = f"{intent.removeprefix('Hass')} {metadata.get('slot_combination', '')}".strip()
            for _ in range(4 * EACH):
                words = Template(said, rng).say(rng.choice(block["sentences"]))
                queues.setdefault(queue, set()).add(words)
    often = Counter(text for texts in queues.values() for text in texts)
    chosen: dict[str, list[str]] = {}
    for queue, texts in queues.items():
        picked = sorted(text for text in texts if often[text] == 1)
        random.Random(queue).shuffle(picked)
        chosen[queue] = picked[:EACH]
    kept = sorted(example.whole(chosen, rows).items())
    lines = [(queue, text) for queue, texts in kept for text in texts]
    example.write_table(folder / "tickets.csv", ("queue", "text"), lines)


class Template:
    """Makes a request of a template: (a|b) one of them, [a] or not, {slot} a word, <rule> more."""

    def __init__(self, said: dict[str, Any], rng: random.Random) -> None:
        self.rules, self.lists, self.rng = said["expansion_rules"], said["lists"], rng

    def say(self, template: str) -> str:
        """One request, at random."""
        while (inner := re.search(r"\(([^()\[\]]*)\)|\[([^()\[\]]*)\]", template)) is not None:
            choices = (inner[1] if inner[1] is not None else inner[2]).split("|")
            if inner[2] is not None and self.rng.random() < 0.5:
                choices = [""]
            template = _put(template, inner, self.rng.choice(choices))
        while (rule := re.search(r"<([^<>]+)>", template)) is not None:
            template = _put(template, rule, self.say(self.rules[rule[1]]))
        text = re.sub(r"\{([^{}]+)\}", lambda slot: self._slot(slot[1]), template)
        return " ".join(text.split())

    def _slot(self, slot: str) -> str:
        name = slot.partition(":")[0]
        if name in SAID:
            return self.rng.choice(SAID[name])
        values = self.lists.get(name, {})
        if "range" in values:
            return str(self.rng.randint(values["range"]["from"], values["range"]["to"]))
        texts = [v["in"] if isinstance(v, dict) else v for v in values.get("values", ())]
        return self.say(self.rng.choice(texts)) if texts else name.replace("_", " ")


def _put(text: str, place: re.Match[str], words: str) -> str:
    return text[: place.start()] + words + text[place.end() :]


if __name__ == "__main__":
    example.script(PACKAGES, write)
