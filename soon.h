/**
 * @file soon.h
 * concurrent.futures for C, on libuv. The umbrella: programs include this one.
 */
#ifndef SOON_H
#define SOON_H

/** Changes with the ABI. */
#define SOON_VERSION_MAJOR 0
/** Changes when something is added. */
#define SOON_VERSION_MINOR 1
/** Changes when something is mended. */
#define SOON_VERSION_PATCH 0

#include "futures/error.h"
#include "futures/future.h"
#include "futures/promise.h"
#include "futures/value.h"
#include "futures/wait.h"

#include "executor/apply.h"
#include "executor/cluster.h"
#include "executor/custom.h"
#include "executor/function.h"
#include "executor/imap.h"
#include "executor/items.h"
#include "executor/loop.h"
#include "executor/map.h"
#include "executor/map_options.h"
#include "executor/on_signal.h"
#include "executor/pool.h"
#include "executor/shared.h"
#include "executor/stats.h"
#include "executor/submit.h"
#include "executor/task.h"
#include "executor/trace.h"

#include "progress_bar/progress_bar.h"

#ifdef __cplusplus
extern "C" {
#endif

/** "0.1.0": the version of the library that runs, where SOON_VERSION_* is the one compiled against. Any thread. */
SOON_API const char *soon_version(void);

#ifdef __cplusplus
}
#endif
#endif
