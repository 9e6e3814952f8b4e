# SPDX-License-Identifier: Apache-2.0
"""`reenact doctor`: what is installed, what is missing, and the command that mends it.

Each check imports or opens the real thing and reports what it found.
"""

import importlib
import importlib.metadata
import importlib.util
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reenact import __version__

from .arguments import Verbose, bundled_motions

PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "scipy": "scipy",
    "av": "av",
    "cv2": "mediapipe",
    "mediapipe": "mediapipe",
    "warp": "warp-lang",
    "safetensors": "safetensors",
    "PIL": "pillow",
}
"""Module to import -> distribution that brings it."""

OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)


@dataclass(frozen=True)
class Check:
    """One line of the report: `found` says what is there, `remedy` is the command to run if not `ok`."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = True

    @property
    def failed(self) -> bool:
        """Whether `reenact animate` cannot run because of this."""
        return self.needed and not self.ok


def python() -> Iterator[Check]:
    """The interpreter's version."""
    ok = sys.version_info >= (3, 10)
    yield Check("python", ok, platform.python_version(), "make demo PYTHON=/path/to/python3")


def packages() -> Iterator[Check]:
    """Every package of the main path, really imported: a wheel can be present and still not load."""
    for module, distribution in PACKAGES.items():
        install = f"{sys.executable} -m pip install '{_requirement(distribution)}'"
        try:
            importlib.import_module(module)
        except (ImportError, OSError, RuntimeError) as error:
            yield Check(module, False, str(error).splitlines()[0], _library_remedy(str(error)) or install)
        else:
            yield Check(module, True, _version("opencv-contrib-python" if module == "cv2" else distribution))


def single_opencv() -> Iterator[Check]:
    """Two OpenCV distributions overwrite each other's files; which one wins is chance."""
    found = [name for name in OPENCV if _version(name)]
    if len(found) > 1:
        remedy = f"{sys.executable} -m pip uninstall -y {' '.join(found)} && "
        remedy += f"{sys.executable} -m pip install '{_requirement('mediapipe')}'"
        yield Check("one opencv", False, ", ".join(found), remedy)


def face_models() -> Iterator[Check]:
    """The shipped face models: present, and accepted by the installed mediapipe."""
    try:
        from reenact.media import InputError
        from reenact.perception.landmark_network import LandmarkNetwork
        from reenact.perception.shipped import MODELS
    except (ImportError, OSError):
        return
    missing = [path.name for path in MODELS if not path.is_file()]
    if missing:
        yield Check("face models", False, f"{', '.join(missing)} missing", "git checkout -- src/reenact/assets")
        return
    started = time.perf_counter()
    try:
        LandmarkNetwork(None, video=False).close()
    except (ImportError, OSError, RuntimeError, InputError) as error:
        remedy = f"{sys.executable} -m pip install --force-reinstall '{_requirement('mediapipe')}'"
        yield Check("face models", False, str(error).splitlines()[0], remedy)
    else:
        took_ms = 1000 * (time.perf_counter() - started)
        yield Check("face models", True, f"{len(MODELS)} files, landmark network loaded in {took_ms:.0f} ms")


def encoders() -> Iterator[Check]:
    """The encoders that write the video."""
    try:
        from av.codec import Codec
        from av.codec.codec import UnknownCodecError
    except ImportError:
        return
    for name, purpose in (("libx264", "pictures"), ("aac", "sound")):
        try:
            Codec(name, "w")
        except UnknownCodecError:
            remedy = f"{sys.executable} -m pip install --force-reinstall --only-binary av '{_requirement('av')}'"
            yield Check(name, False, f"this build of av cannot encode {purpose} with it", remedy)
        else:
            yield Check(name, True, f"encodes {purpose}")


def _devices() -> Iterator[Check]:
    """Where torch can compute; a processor is enough."""
    try:
        import torch
    except (ImportError, OSError):
        return
    found = [f"processor, {torch.get_num_threads()} threads"]
    if torch.cuda.is_available():
        found.append(f"CUDA: {torch.cuda.get_device_name()}")
    if torch.backends.mps.is_available():
        found.append("Apple MPS")
    yield Check("compute", True, "; ".join(found))


def _head_asset() -> Iterator[Check]:
    """The shipped head model: present, readable, and how fast."""
    try:
        from safetensors import SafetensorError

        from reenact.head.open import open_head
    except (ImportError, OSError):
        return
    started = time.perf_counter()
    try:
        head = open_head()
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        yield Check("head model", False, str(error).splitlines()[0], "git checkout -- src/reenact/assets")
    else:
        took_ms = 1000 * (time.perf_counter() - started)
        yield Check("head model", True, f"{len(head.base_neutral)} vertices, loaded in {took_ms:.0f} ms")


def _performances() -> Iterator[Check]:
    """The motions that need no video."""
    names = bundled_motions()
    found = ", ".join(names) or "none"
    yield Check("motions", bool(names), found, "git checkout -- src/reenact/assets")


def _extras() -> Iterator[Check]:
    """Optional packages; the main path does without them."""
    evaluation = ("dlib", "face_recognition_models", "flip_evaluator", "torchmetrics")
    for extra, modules in (("build-head", ("anny", "trimesh")), ("evaluation", evaluation)):
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        remedy = f"{sys.executable} -m pip install -e '.[{extra}]' -c constraints.txt"
        found = f"{', '.join(missing)} not installed" if missing else ", ".join(modules)
        yield Check(f"extra {extra}", not missing, found, remedy, needed=False)


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _requirement(distribution: str) -> str:
    """What this package asks for, such as `torch>=2.4`; the bare name if it is not itself installed."""
    try:
        wanted = importlib.metadata.requires("reenact") or []
    except importlib.metadata.PackageNotFoundError:
        return distribution
    names = {re.split(r"[^\w.-]", item, maxsplit=1)[0]: item for item in wanted if "extra ==" not in item}
    return names.get(distribution, distribution)


def _library_remedy(message: str) -> str:
    """The command for a shared library that a bare Linux lacks, or an empty string."""
    if "libGL" in message or "libgthread" in message or "libglib" in message:
        return "sudo apt-get install -y libgl1 libglib2.0-0"
    if "portaudio" in message.lower():
        return "sudo apt-get install -y libportaudio2"
    return ""


GROUPS: tuple[Callable[[], Iterator[Check]], ...] = (
    python,
    packages,
    single_opencv,
    face_models,
    encoders,
    _devices,
    _head_asset,
    _performances,
    _extras,
)


@dataclass(frozen=True)
class Doctor:
    """Look at this installation and say what works, what is missing, and the command that mends it.

    Leaves with exit code 0 if `reenact animate` can run, 1 if something it needs is missing.
    """

    verbose: Verbose = False

    def run(self) -> int:
        """Print one line a check, the remedies below; returns the exit code."""
        print(f"reenact {__version__} on {sys.platform}\n")
        failures = 0
        for group in GROUPS:
            for check in group():
                print(_line(check), flush=True)
                failures += check.failed
        print("\nReady." if not failures else f"\n{failures} missing: run the commands above, then `reenact doctor`.")
        return 1 if failures else 0


def _line(check: Check) -> str:
    state = "ok" if check.ok else "MISSING" if check.needed else "not used"
    line = f"{state:9}{check.name:20}{check.found}"
    return line if check.ok else f"{line}\n{'':9}{'':20}-> {check.remedy}"
