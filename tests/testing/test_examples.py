"""The plugin as others have it: installed from a wheel, and used in a folder that is no checkout."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import venv
import zipfile
from pathlib import Path

import pytest

from pushlab.settings import patience

ROOT, EXAMPLES = Path(__file__).parents[2], Path(__file__).parent / "examples"
PAGE = (Path(__file__).parent / "README.md").read_text("utf-8")
IN_BROWSERS = "flask_app/test_shop_in_browsers.py"


@pytest.fixture(scope="module")
def python(tmp_path_factory, programs) -> str:
    """Install pushlab from a wheel into an environment of its own, and give that one's Python."""
    pytest.importorskip("hatchling", reason="it builds the wheel; ./lab test installs it")
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=patience(120))
    [wheel] = folder.glob("pushlab-*.whl")
    home = folder / "venv"
    venv.create(home, symlinks=os.name != "nt")
    scheme = {"base": str(home), "platbase": str(home)}
    packages = Path(sysconfig.get_path("purelib", "venv", scheme))
    zipfile.ZipFile(wheel).extractall(packages)
    # Nothing is downloaded: the libraries are those of this environment. The .pth files in a folder
    # that a .pth file names are not read, and so none leads to the checkout.
    libraries = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (packages / "libraries.pth").write_text("\n".join(libraries), "utf-8")
    return str(Path(sysconfig.get_path("scripts", "venv", scheme)) / Path(sys.executable).name)


@pytest.fixture
def run_pytest(python, tmp_path):
    """Run pytest in a folder of its own, without the checkout; return its words and its status."""

    def run(*arguments: str) -> tuple[str, int]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PY")}
        done = subprocess.run(
            [python, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *arguments],
            cwd=tmp_path, env=kept, text=True, timeout=patience(300),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.stdout, done.returncode

    return run


@pytest.fixture
def copies(tmp_path):
    """Copy the examples, as somebody does who begins with one."""
    shutil.copytree(EXAMPLES, tmp_path, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)


def test_the_package_is_not_the_checkout_s(python, tmp_path):
    where = [python, "-c", "import pushlab; print(pushlab.__file__)"]
    done = subprocess.run(where, cwd=tmp_path, capture_output=True, text=True, env={"PATH": ""})
    assert Path(done.stdout.strip()).is_relative_to(Path(python).parents[1]), done


def test_the_examples_pass(copies, run_pytest):
    said, status = run_pytest("--ignore", IN_BROWSERS)
    assert status == 0 and "15 passed" in said, said


def test_the_example_passes_in_real_browsers(copies, run_pytest, firefox_installed, chromium_installed):
    said, status = run_pytest(IN_BROWSERS)
    assert status == 0 and "2 passed" in said, said


SUITE = {
    "test_cost.py": """
        import sys

        def test_a_run_that_does_not_use_it_loads_next_to_nothing():
            ours = {name for name in sys.modules if name.split(".")[0] == "pushlab"}
            assert ours == {"pushlab", "pushlab.testing"}

        def test_no_run_loads_jupyter(push_subscription, virtual_browser):
            assert "pushlab.pushservice.app" in sys.modules
            assert not {"IPython", "ipykernel", "ipywidgets", "jupyter_core"} & set(sys.modules)
    """,
    "test_names.py": """
        import pytest

        @pytest.fixture(scope="session")
        def vapid_keys():
            from pushlab import VapidKeys

            return VapidKeys.generate("mailto:me@example.com")

        @pytest.fixture
        def firefox():
            return "mine"

        def test_fixtures_of_the_same_names_replace_these(push_subscription, vapid_keys, firefox):
            assert vapid_keys.subject == "mailto:me@example.com" and firefox == "mine"
    """,
}


def test_it_is_a_small_guest_in_a_suite_of_one_s_own(run_pytest, tmp_path):
    for name, test in SUITE.items():
        (tmp_path / name).write_text(textwrap.dedent(test), "utf-8")
    said, status = run_pytest("-p", "no:nbval")  # which loads IPython
    assert status == 0 and "3 passed" in said, said


def test_the_page_shows_the_examples_as_they_are():
    blocks = re.findall(r"`tests/testing/examples/([\w/.]+)`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert {Path(name).parts[0] for name, _ in blocks} == {"flask_app", "django_view", "aiohttp_sender"}
    for name, shown in blocks:
        assert shown.strip() in (EXAMPLES / name).read_text("utf-8"), name


def test_the_page_names_every_fixture():
    from pushlab import testing

    fixtures = re.findall(r"@pytest\.fixture\ndef (\w+)", Path(testing.__file__).read_text("utf-8"))
    assert len(fixtures) == 6 and all(f"`{name}`" in PAGE for name in fixtures)
