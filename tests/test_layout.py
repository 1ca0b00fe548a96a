"""The house: one namespace in four folders, light where it must be, and a wheel that holds it all."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from grimp import build_graph

import aftertrace
from aftertrace.analyzer.derived.kept import RULES

ROOT = Path(__file__).parents[1]
PORTIONS = ("semconv", "exporter", "analyzer", "dashboards")
TOP = {"pyproject.toml", "README.md", "Makefile", "otel-collector.yaml", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"}
MAX_LINES = 400
MAX_TEST_LINES = 450
GENERATED = "Generated from the registry"
HEAVY = ("polars", "pyarrow", "deltalake", "grpc", "streamlit", "msgspec", "click", "rich", "yaml", "google.protobuf")


def listed(*folders: str) -> list[str]:
    """Paths under version control, or about to be; the index is what a commit would hold."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what is under version control cannot be told")
    found = subprocess.run(["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in found.stdout.splitlines() if (ROOT / path).exists()]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter."""
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_aftertrace_is_a_namespace_and_no_package() -> None:
    """An `__init__.py` in one portion would hide the other three."""
    assert getattr(aftertrace, "__file__", None) is None
    assert [
        str(ROOT / portion / "aftertrace") for portion in PORTIONS if not (ROOT / portion / "aftertrace").is_dir()
    ] == []
    assert [portion for portion in PORTIONS if (ROOT / portion / "aftertrace" / "__init__.py").exists()] == []


def test_every_package_below_is_a_package_and_typed() -> None:
    """A folder without `__init__.py` is invisible to import-linter; one without `py.typed` to type checkers."""
    packages = {path.parent for portion in PORTIONS for path in (ROOT / portion / "aftertrace").rglob("*.py")}
    assert [path for path in packages if not (path / "__init__.py").exists()] == []
    tops = {path for portion in PORTIONS for path in (ROOT / portion / "aftertrace").iterdir() if path.is_dir()}
    assert [path for path in tops if path.name != "__pycache__" and not (path / "py.typed").exists()] == []


def test_no_module_is_longer_than_it_should_be() -> None:
    """Four hundred lines hold one noun; stories in tests may take a little more. What is generated may be longer."""
    for folders, limit in ((PORTIONS, MAX_LINES), (("tests", "benchmarks"), MAX_TEST_LINES)):
        modules = [ROOT / path for path in listed(*folders) if path.endswith(".py")]
        lines = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in modules if not generated(path)}
        assert {path: count for path, count in lines.items() if count > limit} == {}


def generated(path: Path) -> bool:
    """Whether a module says that it is made from the registry."""
    return GENERATED in path.read_text()[:400]


def test_what_is_kept_is_told_anew_when_any_code_behind_it_changes() -> None:
    """The digest of the rules covers all modules that deriving imports, directly or not; a report is none of them."""
    behind = build_graph("aftertrace").find_upstream_modules("aftertrace.analyzer.derived.deriving")
    covered = {name for name in behind if name.rpartition(".")[0] in RULES}
    assert behind - covered - {"aftertrace.analyzer", *RULES} == set()
    assert {"aftertrace.analyzer.identity.identity", "aftertrace.store.lookup"} <= covered
    assert "aftertrace.analyzer.reports" not in RULES


def test_the_analyzers_packages_are_told_in_its_readme() -> None:
    """Each with a row of its own, and no other."""
    analyzer = ROOT / "analyzer" / "aftertrace" / "analyzer"
    readme = (ROOT / "analyzer" / "README.md").read_text()
    told = re.findall(r"^\| \[`(\w+)`\]\(aftertrace/analyzer/\1/\)", readme, re.MULTILINE)
    assert sorted(told) == sorted(path.parent.name for path in analyzer.glob("*/__init__.py"))


def test_an_instrumented_agent_loads_nothing_heavy() -> None:
    """`aftertrace.semconv` works on `opentelemetry-api` alone."""
    loaded = python(
        "-c",
        "import sys, aftertrace.semconv, aftertrace.semconv.instrument, aftertrace.semconv.propagate\n"
        "print(*sorted(sys.modules))",
    ).stdout.split()
    assert "opentelemetry.trace" in loaded
    assert [name for name in loaded if name in HEAVY or name.startswith("opentelemetry.sdk")] == []


def test_the_control_sees_a_heavy_import() -> None:
    """Negative control: the analyzer does load Polars, and the check above would say so."""
    loaded = python("-c", "import sys, aftertrace.analyzer\nprint(*sorted(sys.modules))").stdout.split()
    assert "polars" in loaded


def test_help_is_quick_because_it_loads_nothing_heavy() -> None:
    """`aftertrace --help` touches neither tables nor servers."""
    loaded = python(
        "-c", "import sys, aftertrace.cli.root as root; root.run(['--version']); print(*sorted(sys.modules))"
    ).stdout.split()
    assert [name for name in loaded if name in ("polars", "pyarrow", "deltalake", "grpc", "streamlit")] == []


@pytest.mark.parametrize(("arguments", "loads"), [(["runs", "--help"], False), (["--help"], True)])
def test_a_command_loads_no_other(arguments: list[str], *, loads: bool) -> None:
    """What only others need is not waited for; the list of all shows that the check would see it."""
    run = f"import sys, aftertrace.cli.root as root; root.run({arguments!r}); print(*sorted(sys.modules))"
    loaded = python("-c", run).stdout.split()
    assert ("aftertrace.cli.serve" in loaded, "aftertrace.ingest.dialects" in loaded) == (loads, loads)


def test_reading_loads_no_pandas(tmp_path: Path) -> None:
    """Streamlit brings it along, and Arrow loads it wherever it may; a command would wait for it in vain."""
    (tmp_path / "FORMAT").write_text("aftertrace store 1\n")
    run = "import sys, aftertrace.cli.root as root; root.run(['runs', '--data', sys.argv[1]]); print(*sys.modules)"
    loaded = python("-c", run, str(tmp_path)).stdout.split()
    assert ("polars" in loaded, "pandas" in loaded) == (True, False)


@pytest.mark.parametrize(("arranged", "loads"), [("memory.arrange()", False), ("", True)])
def test_the_drain_and_its_readers_load_no_pandas(arranged: str, *, loads: bool) -> None:
    """Nor for the first column that they make; the control is a process that makes one without their arrangement."""
    made = f"import sys, pyarrow\nfrom aftertrace.store import memory\n{arranged}\nprint(pyarrow.array([1])[0])"
    told = python("-c", f"{made}\nprint('pandas' in sys.modules)").stdout.split()
    assert told == ["1", str(loads)]


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [("click", "['aftertrace', '--version']"), ("polars", "['aftertrace', 'sql', 'select 1', '--data', sys.argv[1]]")],
)
def test_a_missing_extra_says_what_to_install(tmp_path: Path, missing: str, arguments: str) -> None:
    """One line and exit code 2, whether the command or what it uses is missing."""
    (tmp_path / "FORMAT").write_text("aftertrace store 1\n")
    ended = python(
        "-c",
        f"import sys; sys.modules[{missing!r}] = None; argv = {arguments}; sys.argv = argv\n"
        "from aftertrace.cli import main; main()",
        str(tmp_path),
    )
    assert ended.returncode == 2
    assert f"{missing} is not installed" in ended.stderr
    assert "pip install 'aftertrace[all]'" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_wheel_holds_what_the_checkout_holds(tmp_path: Path) -> None:
    """Every file of the four portions under version control, the registry and the recordings too, and no other."""
    paths = listed(*(f"{portion}/aftertrace" for portion in PORTIONS))
    built = python("-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT))
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if name.startswith("aftertrace/")}
        metadata = archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA"))).decode()
    assert inside == {path.partition("/")[2] for path in paths} | untracked(inside)
    requirements = [
        line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line
    ]
    assert [line.partition(">")[0] for line in requirements] == ["Requires-Dist: opentelemetry-api"]


def untracked(inside: set[str]) -> set[str]:
    """What is in the working tree and not yet under version control; nothing, in a clean checkout."""
    found = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", *PORTIONS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return inside & {path.partition("/")[2] for path in found.stdout.splitlines()}


def test_the_top_of_the_tree_holds_what_it_should() -> None:
    """The files that people look for first."""
    assert {path for path in TOP if not (ROOT / path).is_file()} == set()


def test_the_locks_pin_every_package_with_hashes_and_name_no_address() -> None:
    """An installer takes packages from wherever it is configured to; the hash says that they are the same."""
    for lock in (ROOT / "requirements" / "all.txt", ROOT / "requirements" / "dev.txt"):
        text = lock.read_text()
        assert "://" not in text
        pinned = [
            entry for entry in text.replace("\\\n", " ").splitlines() if entry and not entry.startswith(("#", " "))
        ]
        assert [entry for entry in pinned if "==" not in entry or "--hash=sha256:" not in entry] == []
        assert len(pinned) > 40


def test_the_locks_cover_what_the_project_asks_for() -> None:
    """A dependency that was added to pyproject.toml and not locked would only be missed on a fresh machine."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(item for extra in project["optional-dependencies"].values() for item in extra)]
    names = {re.split(r"[\[>=<; ]", item)[0].lower() for item in asked} - {"aftertrace"}
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / "all.txt").read_text(), re.MULTILINE))
    assert names - locked == set()
