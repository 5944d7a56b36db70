//===- RuntimeError.cpp - The text behind mpt_last_error ------------------===//

#include "RuntimeError.h"
#include "mpt/Runtime/mpt_runtime.h"

#include <cstdarg>
#include <cstdio>

namespace {
thread_local char lastError[512] = "";
} // namespace

void mpt::runtime::setLastError(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(lastError, sizeof(lastError), format, arguments);
  va_end(arguments);
}

const char *mpt_last_error(void) { return lastError; }

int32_t mpt_runtime_abi_version(void) { return MPT_RUNTIME_ABI_VERSION; }
