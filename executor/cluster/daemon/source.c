/*
 * source.c - the work connection brings jobs; the control connection brings orders, which so never wait behind jobs.
 *
 * The first thing that is said on each connection is that exceptions are wanted: a server keeps that per connection.
 */
#include "source_internal.h"

#include "beat_internal.h"
#include "end_internal.h"
#include "gearman_job_internal.h"
#include "grab_internal.h"
#include "order_internal.h"
#include "report_internal.h"
#include "start_internal.h"

#include <errno.h>
#include <string.h>

static int say(struct soon__connection *connection, enum soon__packet_type type, const char *text)
{
    const soon_bytes argument = {text, strlen(text)};

    return soon__connection_write(connection, type, &argument, 1);
}

static int introduce(const struct soon__source *source, struct soon__connection *connection)
{
    int rc = say(connection, SOON__OPTION_REQ, "exceptions");

    return rc < 0 ? rc : say(connection, SOON__SET_CLIENT_ID, source->daemon->worker);
}

static void drop_if(struct soon__connection *connection, int rc)
{
    if (rc < 0)
        soon__connection_drop(connection, rc, "there is no memory to speak to it");
}

/*
 * Work
 */

static int offer_all(struct soon__source *source)
{
    const struct soon__offers *offers = &source->daemon->offers;
    int rc = introduce(source, source->work);

    for (size_t i = 0; i < offers->count && rc == 0; i++)
        rc = say(source->work, SOON__CAN_DO, offers->each[i].function.name);
    return rc;
}

static void work_up(void *owner)
{
    struct soon__source *source = owner;

    soon__log(SOON__LOG_INFO, "%s: connected", soon__connection_server(source->work));
    source->grabs = 0;
    soon__grab_woken(source);
    if (source->daemon->stage != SOON__SERVING)
        return;
    drop_if(source->work, offer_all(source));
    soon__daemon_changed(source->daemon);
}

/* A task, or the refusal of one. */
static void start_job(struct soon__source *source, struct soon__gearman_job *job, const struct soon__packet *packet)
{
    struct soon__daemon *daemon = source->daemon;
    const char *why = "the worker has no such function";
    int rc = SOON_ENOFUNCTION;

    daemon->counts.jobs++;
    daemon->counts.foreign += !job->is_ours;
    job->offer = soon__offers_find(&daemon->offers, packet->arguments[1]);
    if (job->offer)
        rc = soon__gearman_job_submit(job, packet->arguments[3], &why);
    if (rc == 0) {
        soon__beat_begin(daemon, job);
        if (job->is_ours)
            soon__report_start(job);
        return;
    }
    if (!soon__end_is_pools(daemon, rc))
        soon__report_refusal(job, rc, why);
    soon__gearman_job_free(job);
}

static int assigned(struct soon__source *source, const struct soon__packet *packet)
{
    struct soon__gearman_job *job;
    int rc;

    if (!source->grabs)
        return -EPROTO; /* D2: a server that gives what nobody asked for makes no sense */
    soon__grab_answered(source, true);
    soon__daemon_changed(source->daemon);
    if (source->daemon->stage >= SOON__STOPPING)
        return 0; /* the server gives it to another when the connection is gone */
    rc = soon__gearman_job_new(&job, source, packet->arguments[0], packet->arguments[2]);
    if (rc < 0)
        return rc; /* likewise */
    soon__log(SOON__LOG_DEBUG, "%s: %.*s runs %.*s", soon__connection_server(source->work), (int)job->handle_size,
              job->handle, (int)packet->arguments[1].size, (const char *)packet->arguments[1].data);
    start_job(source, job, packet);
    return 0;
}

/* That it knows no such job is usual: the job was cancelled there, or an exception has been its end. */
static void log_error(const struct soon__connection *connection, const struct soon__packet *packet)
{
    static const char usual[] = "JOB_NOT_FOUND";
    soon_bytes code = packet->arguments[0];
    bool is_usual = code.size == strlen(usual) && memcmp(code.data, usual, code.size) == 0;

    soon__log(is_usual ? SOON__LOG_DEBUG : SOON__LOG_ERROR, "%s: the server says: %.*s: %.*s",
              soon__connection_server(connection), (int)packet->arguments[0].size,
              (const char *)packet->arguments[0].data, (int)packet->arguments[1].size,
              (const char *)packet->arguments[1].data);
}

static int work_packet(void *owner, const struct soon__packet *packet)
{
    struct soon__source *source = owner;

    switch (packet->type) {
    case SOON__JOB_ASSIGN_UNIQ:
        return assigned(source, packet);
    case SOON__NO_JOB:
        soon__grab_answered(source, false);
        break;
    case SOON__NOOP:
        soon__grab_woken(source);
        break;
    case SOON__ERROR:
        log_error(source->work, packet);
        return 0;
    default:
        return 0;
    }
    soon__daemon_changed(source->daemon);
    return 0;
}

/* The first failure of a row is worth a line, and then each that is twice as far. */
static void log_down(const struct soon__connection *connection, const char *text, bool was_up)
{
    unsigned failures = soon__connection_failures(connection);

    if (was_up || (failures & (failures - 1)) == 0)
        soon__log(SOON__LOG_WARNING, "%s%s", text, was_up ? "" : "; it is tried again");
}

static void work_down(void *owner, int code, const char *text, bool was_up)
{
    struct soon__source *source = owner;

    (void)code;
    log_down(source->work, text, was_up);
    source->grabs = 0;
    soon__gearman_jobs_lose(source->daemon, source);
    soon__daemon_changed(source->daemon);
}

static void work_drained(void *owner)
{
    struct soon__source *source = owner;

    soon__daemon_changed(source->daemon);
}

/*
 * Control
 */

static void control_up(void *owner)
{
    struct soon__source *source = owner;
    int rc = introduce(source, source->control);

    if (rc == 0)
        rc = say(source->control, SOON__CAN_DO, source->daemon->order_function);
    if (rc == 0)
        rc = soon__connection_write(source->control, SOON__GRAB_JOB_UNIQ, NULL, 0);
    drop_if(source->control, rc);
}

/* Nobody waits for its answer, but the server does for its end. */
static int ordered(struct soon__source *source, const struct soon__packet *packet)
{
    const soon_bytes answer[] = {packet->arguments[0], {NULL, 0}};
    int rc;

    soon__order_obey(source->daemon, packet->arguments[3]);
    rc = soon__connection_write(source->control, SOON__WORK_COMPLETE, answer, 2);
    return rc < 0 ? rc : soon__connection_write(source->control, SOON__GRAB_JOB_UNIQ, NULL, 0);
}

static int control_packet(void *owner, const struct soon__packet *packet)
{
    struct soon__source *source = owner;

    switch (packet->type) {
    case SOON__JOB_ASSIGN_UNIQ:
        return ordered(source, packet);
    case SOON__NO_JOB:
        return soon__connection_write(source->control, SOON__PRE_SLEEP, NULL, 0);
    case SOON__NOOP:
        return soon__connection_write(source->control, SOON__GRAB_JOB_UNIQ, NULL, 0);
    case SOON__ERROR:
        log_error(source->control, packet);
        return 0;
    default:
        return 0;
    }
}

/* The work connection tells the operator of the server. */
static void control_down(void *owner, int code, const char *text, bool was_up)
{
    (void)owner, (void)code, (void)was_up;
    soon__log(SOON__LOG_DEBUG, "control: %s", text);
}

/*
 * Both
 */

static void closed(void *owner)
{
    struct soon__source *source = owner;

    source->daemon->connections--;
    soon__daemon_changed(source->daemon);
}

static const struct soon__connection_events work_events = {
    .up = work_up, .packet = work_packet, .down = work_down, .drained = work_drained, .closed = closed};
static const struct soon__connection_events control_events = {
    .up = control_up, .packet = control_packet, .down = control_down, .closed = closed};

int soon__source_open(struct soon__source *source, struct soon__daemon *daemon, const struct soon__server *server)
{
    struct soon__connection_options options = {.loop = daemon->uv};
    int rc;

    *source = (struct soon__source){.daemon = daemon};
    rc = soon__servers_parse(&source->address, server->text);
    if (rc < 0)
        return rc;
    options.servers = source->address;
    rc = soon__connection_new(&source->work, &options, &work_events, source);
    if (rc < 0)
        return rc;
    daemon->connections++;
    rc = soon__connection_new(&source->control, &options, &control_events, source);
    if (rc < 0)
        return rc;
    daemon->connections++;
    return 0;
}

void soon__source_withdraw(struct soon__source *source)
{
    if (source->withdrawn || source->jobs > 0 || source->grabs > 0 || !soon__connection_is_up(source->work))
        return;
    source->withdrawn = true;
    drop_if(source->work, soon__connection_write(source->work, SOON__RESET_ABILITIES, NULL, 0));
}

void soon__source_close(struct soon__source *source, int64_t linger_ms)
{
    if (source->work)
        soon__connection_close(source->work, linger_ms);
    if (source->control)
        soon__connection_close(source->control, linger_ms);
}

void soon__source_fini(struct soon__source *source)
{
    soon__connection_free(source->work);
    soon__connection_free(source->control);
    soon__servers_free(source->address);
}
