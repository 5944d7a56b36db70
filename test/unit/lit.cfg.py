# The GoogleTest binaries in build/test/unit: those whose names end in "Tests".
import os

import lit.formats

config.name = "MPT-Unit"
config.suffixes = []
config.test_source_root = os.path.join(config.mpt_obj_root, "test", "unit")
config.test_exec_root = config.test_source_root
config.test_format = lit.formats.GoogleTest(".", "Tests")
for variable in ["HOME", "TMPDIR"]:
    if variable in os.environ:
        config.environment[variable] = os.environ[variable]
# Data that lies beside the checkout; tests that read it skip with a message without it.
config.environment["MPT_SOURCE_DIR"] = config.mpt_src_root
