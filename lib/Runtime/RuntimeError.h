//===- RuntimeError.h - The text behind mpt_last_error ----------*- C++ -*-===//

#ifndef MPT_LIB_RUNTIME_RUNTIMEERROR_H
#define MPT_LIB_RUNTIME_RUNTIMEERROR_H

namespace mpt::runtime {

/// Formats the message of mpt_last_error for this thread.
__attribute__((format(printf, 1, 2))) void setLastError(const char *format,
                                                        ...);

} // namespace mpt::runtime

#endif // MPT_LIB_RUNTIME_RUNTIMEERROR_H
