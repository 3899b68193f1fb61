/*
 * log_internal.h - what the daemon tells its operator, on stderr: one line each, without the time, which a journal has.
 *
 * Where stderr is no terminal a line begins with its level as the journal of systemd reads it: "<4>".
 */
#ifndef SOON_EXECUTOR_CLUSTER_DAEMON_LOG_INTERNAL_H
#define SOON_EXECUTOR_CLUSTER_DAEMON_LOG_INTERNAL_H

#include "../../../futures/error.h"

#include <stdbool.h>

/* As syslog has them. */
enum soon__log_level { SOON__LOG_ERROR = 3, SOON__LOG_WARNING = 4, SOON__LOG_INFO = 6, SOON__LOG_DEBUG = 7 };

/* "error", "warning", "info", "debug". False: it is none of these. */
bool soon__log_level_parse(enum soon__log_level *ret, const char *text);
/* What is below that level is not written. Of the thread that runs the daemon, as all below. */
void soon__log_init(enum soon__log_level level);
bool soon__log_is_on(enum soon__log_level level);
/* Control characters, which may come from elsewhere, become spaces, so that nobody fakes a line. It does not wait: what
 * a full pipe has no room for is lost, and counted in the next line. */
void soon__log(enum soon__log_level level, const char *format, ...) SOON_PRINTF(2, 3);

#endif
