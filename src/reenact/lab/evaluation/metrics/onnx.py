# SPDX-License-Identifier: Apache-2.0
"""Networks the user brings as ONNX files: onnxruntime is no dependency, it is used where it is installed."""

import importlib
from pathlib import Path
from typing import Any

from reenact.media import InputError
from reenact.media.files import existing_file


def onnx_session(path: Path) -> Any:
    """An onnxruntime session on one CPU thread, so that results do not depend on the machine's load.

    Raises InputError if the file is missing or no network, or if onnxruntime is not installed.
    """
    existing_file(path, "an ONNX network")
    try:
        onnxruntime: Any = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise InputError(f"{path} is an ONNX network, which needs onnxruntime: pip install onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path} is no ONNX network that can be loaded") from error
