"""`python -m tests.live.node_agents.play MODULE SCENE FOLDER [SWITCH ...]`: a framework against a scripted model.

Node finds packages beside the program, so that it runs as a copy in the case's own folder.
"""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path
from typing import Final

from tests.live import model_server
from tests.live.cli_agents import child
from tests.live.cli_agents.scene import Scene

_PROGRAMS: Final = Path(__file__).parent / "programs"


def main(name: str, scene_name: str, installed: str, *switches: str) -> int:
    """Play a scene of the module `name` with the packages that are in the folder `installed`; the exit code."""
    child.ends_on_sigterm()
    module = importlib.import_module(f".{name}", __package__)
    scene: Scene = module.SCENES[scene_name]
    packages = Path(installed) / "node_modules"
    for program in _PROGRAMS.glob("*.mjs"):
        shutil.copy(program, Path.cwd())
    Path("node_modules").symlink_to(packages)
    service = "-".join((name, scene_name, *switches))
    settings = {**scene.settings, **dict.fromkeys(switches, True), "answers": scene.answers, "service": service}
    with model_server.serve(scene.script) as model:
        command = (str(packages / ".bin" / "node"), f"run_{name}.mjs", json.dumps(settings))
        return child.run(command, {"LIVE_MODEL_URL": model.base_url, **scene.environment})


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
