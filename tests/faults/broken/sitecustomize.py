"""Python imports this module as it starts, where this folder is on its path: it runs the modules that BROKEN names."""

import os
import runpy
from pathlib import Path

for _name in filter(None, os.environ.get("BROKEN", "").split(",")):
    runpy.run_path(str(Path(__file__).with_name(f"{_name}.py")))
