"""Where the lessons lie, and how a test imports six files that are all called model.py."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from shared.console import LearnerError, nearest

ROOT = Path(__file__).resolve().parents[1]


def all_lessons() -> list[Path]:
    """The lesson folders that are there, in order."""
    return sorted(path for path in ROOT.glob("model-0[1-6]-*") if path.is_dir())


def find_lesson(name: str | None = None) -> Path:
    """The lesson called '01', 'ngram' or 'model-01-ngram'; without a name, the one around the working directory."""
    if name is None:
        here = Path.cwd().resolve()
        for lesson in all_lessons():
            if here == lesson or lesson in here.parents:
                return lesson
        raise LearnerError("which lesson? go into its folder, or name it: 01")
    for lesson in all_lessons():  # Path(name).name: a shell completes to 'model-01-ngram/'
        if Path(name).name in (lesson.name, lesson.name.split("-")[1], lesson.name.split("-")[2]):
            return lesson
    raise LearnerError(f"no lesson is called {name!r}:{nearest(name, [path.name for path in all_lessons()])}")


def load(path: str | Path) -> ModuleType:
    """Import a file of a lesson under a name of its own, so that no two lessons' modules meet.

    What the file imports from its own folder ('from model import ...') is found there, and is private to this import.
    """
    path = Path(path).resolve()
    lesson = next((parent for parent in path.parents if parent.parent == ROOT), path.parent)
    siblings = {file.stem for file in [*lesson.glob("*.py"), *path.parent.glob("*.py")]}
    hidden = {name: sys.modules.pop(name) for name in siblings & set(sys.modules)}
    search_path = list(sys.path)
    sys.path[:0] = [str(path.parent), str(lesson)]
    unique = "_".join(path.relative_to(lesson.parent).with_suffix("").parts).replace("-", "_")
    spec = importlib.util.spec_from_file_location(unique, path)
    module = importlib.util.module_from_spec(spec)
    try:
        sys.modules[unique] = module
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    finally:
        sys.path[:] = search_path
        for name in siblings:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)
    return module
