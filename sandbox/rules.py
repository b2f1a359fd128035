"""Which fault is played when: by rule at run time, or for one job by a marker in its prompt."""

import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from sandbox.early import Said
from sandbox.faults import FAULTS, Fault
from sandbox.scene import Scene, key_in

MATCHES = frozenset({"endpoint", "model", "key", "prompt_contains", "path_contains", "skip", "first", "every", "rate"})
Thing = TypeVar("Thing")


@dataclass
class Rule:
    """`times`: how often at most; `for_s`: for how many seconds from when it was made."""

    fault: str
    match: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    times: int | None = None
    for_s: float | None = None
    seen: int = 0
    made_at: float = field(default_factory=time.monotonic)

    def fits(self, scene: Scene, chance: float) -> bool:
        """Counts the calls that it might have been for."""
        match = self.match
        if self.times == 0 or (self.for_s is not None and time.monotonic() > self.made_at + self.for_s):
            return False
        if not (scene.endpoint == match["endpoint"] if "endpoint" in match else scene.stage in FAULTS[self.fault].at):
            return False
        if "model" in match and scene.model != match["model"]:
            return False
        if "key" in match and key_in(scene.text) != match["key"]:
            return False
        if match.get("prompt_contains", "") not in scene.text:
            return False
        if match.get("path_contains", "") not in scene.request.scope["path"]:
            return False
        self.seen += 1
        place = self.seen - int(match.get("skip", 0))
        if place < 1 or place > match.get("first", place) or place % match.get("every", 1):
            return False
        return chance < float(match.get("rate", 1.0))


class Faults:
    """The rules in force."""

    def __init__(self, seed: int) -> None:
        self.rules: list[Rule] = []
        self._random = random.Random(seed)

    def add(self, given: list[dict[str, Any]]) -> None:
        """Raises ValueError or TypeError for what there is not; then none of them is added."""
        rules = [Rule(**each) for each in given]
        for rule in rules:
            if rule.fault not in FAULTS:
                raise ValueError(f"no such fault: {rule.fault!r}; known are {', '.join(FAULTS)}")
            if unknown := set(rule.match) - MATCHES:
                raise ValueError(f"a rule cannot match by {', '.join(sorted(unknown))}")
        self.rules += rules

    def known(self) -> list[dict[str, Any]]:
        return [asdict(rule) for rule in self.rules]

    def first(self, point: str, scene: Scene) -> Said:
        """What the first fault says that has something to say at this point."""
        if not self.rules and "[[fault:" not in scene.text:
            return None
        for fault in self._at(point, scene):
            if said := fault.act(scene):
                return said  # type: ignore[no-any-return]
        return None

    def change(self, point: str, scene: Scene, thing: Thing) -> Thing:
        """What all faults of this point make of it, one after the other."""
        if not self.rules and "[[fault:" not in scene.text:
            return thing
        for fault in self._at(point, scene):
            thing = fault.act(scene, thing)
        return thing

    def _at(self, point: str, scene: Scene) -> Iterator[Fault]:
        for rule in self.rules:
            if FAULTS[rule.fault].point == point and rule.fits(scene, self._random.random()):
                if rule.times is not None:
                    rule.times -= 1
                yield self._play(rule.fault, scene, rule.params.get("value"), rule.params)
        for name, stage, value in scene.markers():
            fault = FAULTS.get(name)
            if fault and fault.point == point and (scene.stage == stage if stage else scene.stage in fault.at):
                yield self._play(name, scene, value or None, {})

    def _play(self, name: str, scene: Scene, value: Any, params: dict[str, Any]) -> Fault:
        scene.value, scene.params = None if value is None else str(value), params
        if scene.entry is not None:
            scene.entry.faults.append(name)
        return FAULTS[name]
