# lit suite of MPT's tools, passes and dialects. Features and substitutions are listed in
# test/README.md.
import glob
import os
import shutil
import subprocess
import sys

import lit.formats
from lit.llvm import llvm_config
from lit.llvm.subst import ToolSubst

config.name = "MPT"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".onnxtxt", ".test"]
config.excludes = ["unit", "Inputs", "CMakeLists.txt"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.mpt_obj_root, "test")

# A CHECK prefix nobody defines, or a variable used outside its scope, is an error.
config.environment["FILECHECK_OPTS"] = "-enable-var-scope --allow-unused-prefixes=false"
llvm_config.with_system_environment(["HOME", "TMPDIR", "CUDA_HOME", "CUDA_ROOT"])
llvm_config.with_environment("PATH", config.llvm_tools_dir, append_path=True)
# Scripts in Inputs call the tools by name.
llvm_config.with_environment("PATH", config.mpt_tools_dir, append_path=True)

# A test must not hang the whole run. psutil is what lit kills process trees with.
try:
    import psutil  # noqa: F401

    lit_config.maxIndividualTestTime = int(os.environ.get("MPT_TEST_TIMEOUT", "900"))
except ImportError:
    lit_config.note("python3-psutil is not installed: tests run without a time limit")

# ---- folders and programs ----------------------------------------------------------------
root = config.mpt_src_root
shared = os.path.join(os.path.dirname(root), "shared")
venv_python = os.path.join(root, ".venv", "bin", "python")
python = venv_python if os.path.exists(venv_python) else sys.executable
torch_python = os.path.join(root, "build", "export-venv", "bin", "python")  # made by scripts/torch.sh
onnx_testdata = "/usr/share/libonnx-testdata/data"
fashion_mnist = "/usr/share/datasets/fashion-mnist"

config.substitutions += [
    ("%shared", shared),
    ("%python", python),
    ("%torch_python", torch_python),
    ("%examples", os.path.join(root, "examples")),
    ("%src_root", root),
    ("%scripts", os.path.join(root, "scripts")),
    ("%onnx_testdata", onnx_testdata),
    ("%fashion_mnist", fashion_mnist),
    ("%mpt_plugin", config.mpt_plugin),
    ("%include", os.path.join(root, "include")),
    ("%lib_dir", os.path.join(config.mpt_obj_root, "lib")),
    ("%cc", config.mpt_cc),
]

llvm_config.use_default_substitutions()
tools = [
    "mpt-opt", "mpt-run", "mpt-train", "mpt-compile", "mpt-lsp-server",
    "mlir-opt", "mlir-translate", "mlir-tblgen", "split-file", "count",
]  # fmt: skip
llvm_config.add_tool_substitutions(
    [ToolSubst(t, unresolved="ignore") for t in tools], [config.mpt_tools_dir, config.llvm_tools_dir]
)


# ---- features ----------------------------------------------------------------------------
def has_module(name):
    probe = f"import importlib.util as u, sys; sys.exit(u.find_spec('{name}') is None)"
    return subprocess.run([python, "-c", probe], stderr=subprocess.DEVNULL).returncode == 0


def add_feature(name, present):
    if present:
        config.available_features.add(name)


add_feature("shared", os.path.isdir(os.path.join(shared, "models")))
ptxas = shutil.which("ptxas") or next(iter(sorted(glob.glob("/usr/local/cuda*/bin/ptxas"))), None)
add_feature("ptxas", ptxas is not None)
config.substitutions.append(("%ptxas", ptxas or "ptxas-is-not-installed"))
add_feature("onnx-testdata", os.path.isdir(onnx_testdata))
add_feature("fashion-mnist", os.path.isdir(fashion_mnist))
add_feature("torch", os.path.exists(torch_python))
add_feature("gpu", os.path.exists("/dev/nvidia0"))
# Minutes each: every file of every family, compiled.
add_feature("long", os.environ.get("MPT_TEST_LONG") == "1")
for module in ["numpy", "onnx", "onnxruntime", "safetensors", "ml_dtypes"]:
    add_feature(module, has_module(module))
