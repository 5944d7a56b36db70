/* The public header must compile as C: ahead-of-time hosts include it. */
#include "mpt/Runtime/mpt_runtime.h"

int32_t mptRuntimeAbiVersionSeenFromC(void) {
  mpt_launch launch = {0};
  mpt_launch_check check = {0};
  (void)launch;
  (void)check;
  return mpt_runtime_abi_version();
}
