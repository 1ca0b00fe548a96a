"""`python -m tests.live.cli_agents.play PROGRAM SCENE FOLDER`: one program against a scripted model."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from tests.live import model_server

from . import child
from .scene import Scene


def main(name: str, scene_name: str, installed: str) -> None:
    """Play a scene of the module `name` with the program that is in the folder `installed`."""
    child.ends_on_sigterm()
    module = importlib.import_module(f".{name}", __package__)
    scene: Scene = module.SCENES[scene_name]
    for path, content in scene.files.items():
        target = Path.cwd() / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
    with model_server.serve(scene.script) as model:
        module.play(scene, model.base_url, Path(installed))


if __name__ == "__main__":
    main(*sys.argv[1:])
