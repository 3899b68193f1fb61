/*
 * admin.c - the textual connection to the server that the work goes to. See admin_internal.h.
 */
#include "admin_internal.h"

#include "down_internal.h"
#include "flight_internal.h"
#include "status_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an answer is to. */
enum asked { ASKED_CANCEL, ASKED_STATUS, ASKED_WORKERS };

struct soon__admin {
    struct soon__cluster *cluster; /* NULL: it is closed, and nothing is told any more */
    struct soon__cluster *of;      /* where it is counted */
    struct soon__servers *servers; /* the one */
    struct soon__connection *connection;
    size_t cancels_before, cancels_behind; /* A2: answers that are to come before, or behind, that to a question */
    bool asks;
    enum asked at; /* with `asks`: what is answered next, ASKED_STATUS or ASKED_WORKERS */
    struct soon__status_lines lines;
};

/*
 * Questions
 */

static void answer_locked(struct soon__question *question, int rc, const struct soon__status_lines *lines,
                          const char *server)
{
    question->answer = rc == 0 ? soon__status_new(lines, server) : NULL;
    question->rc = rc < 0 || question->answer ? rc : -ENOMEM;
}

static void answer_all(struct soon__cluster *cluster, int rc, const struct soon__status_lines *lines,
                       const char *server)
{
    soon__mutex_lock(&cluster->backlog.mutex);
    for (struct soon__question *question = cluster->locked.questions, *next; question; question = next) {
        next = question->next;
        answer_locked(question, rc, lines, server);
    }
    cluster->locked.questions = NULL;
    soon__condition_tell_all(&cluster->answered);
    soon__mutex_unlock(&cluster->backlog.mutex);
}

void soon__questions_fail(struct soon__cluster *cluster, int rc)
{
    answer_all(cluster, rc, NULL, NULL);
}

void soon__admin_ask(struct soon__cluster *cluster)
{
    struct soon__admin *admin = cluster->loop.admin;
    bool wanted;

    soon__mutex_lock(&cluster->backlog.mutex);
    wanted = cluster->locked.questions;
    soon__mutex_unlock(&cluster->backlog.mutex);
    if (!wanted || !admin || admin->asks || !soon__connection_is_up(admin->connection))
        return;
    if (soon__connection_write_text(admin->connection, "status\nworkers\n") < 0)
        return;
    admin->asks = true;
    admin->at = ASKED_STATUS;
}

static void answered(struct soon__admin *admin)
{
    struct soon__cluster *cluster = admin->cluster;

    answer_all(cluster, 0, &admin->lines, soon__connection_server(admin->connection));
    soon__status_lines_fini(&admin->lines);
    admin->asks = false;
    admin->cancels_before = admin->cancels_behind;
    admin->cancels_behind = 0;
}

static int take_line_of_answer(struct soon__admin *admin, const char *line, size_t size)
{
    bool is_end = size == 1 && *line == '.';

    if (is_end && admin->at == ASKED_WORKERS)
        answered(admin);
    else if (is_end)
        admin->at = ASKED_WORKERS;
    else if (admin->at == ASKED_STATUS)
        soon__status_add_function(&admin->lines, line, size);
    else
        soon__status_add_worker(&admin->lines, line, size);
    return 0;
}

/*
 * Cancels
 */

void soon__admin_cancel(struct soon__flight *flight)
{
    struct soon__admin *admin = flight->cluster->loop.admin;
    char line[1280];

    if (!admin || !flight->handle || !soon__connection_is_up(admin->connection))
        return; /* A2 */
    snprintf(line, sizeof line, "cancel job %.*s\n", (int)flight->handle_size, flight->handle);
    if (soon__connection_write_text(admin->connection, line) == 0)
        admin->asks ? admin->cancels_behind++ : admin->cancels_before++;
}

static void on_up(void *owner)
{
    struct soon__admin *admin = owner;

    if (!admin->cluster)
        return;
    admin->cancels_before = admin->cancels_behind = 0;
    for (struct soon__flight *f = soon__flights_first(admin->cluster, SOON__FLIGHT_WITHDRAWN); f; f = f->next)
        soon__admin_cancel(f);
    soon__admin_ask(admin->cluster);
}

static int on_line(void *owner, const char *line, size_t size)
{
    struct soon__admin *admin = owner;

    if (!admin->cluster)
        return 0;
    if (admin->cancels_before) {
        admin->cancels_before--; /* whatever it says: WORK_FAIL comes, or the grace period ends */
        return 0;
    }
    return admin->asks ? take_line_of_answer(admin, line, size) : -EPROTO;
}

/* It is made anew by itself; what was asked for is asked for again then. */
static void on_down(void *owner, int code, const char *text, bool was_up)
{
    struct soon__admin *admin = owner;

    (void)code;
    (void)text;
    (void)was_up;
    admin->asks = false;
    soon__status_lines_fini(&admin->lines);
}

static void admin_free(struct soon__admin *admin)
{
    soon__connection_free(admin->connection);
    soon__servers_free(admin->servers);
    soon__status_lines_fini(&admin->lines);
    free(admin);
}

static void on_closed(void *owner)
{
    struct soon__admin *admin = owner;
    struct soon__cluster *cluster = admin->of;

    admin_free(admin);
    soon__cluster_closed_one(cluster);
}

void soon__admin_open(struct soon__cluster *cluster)
{
    static const struct soon__connection_events events = {
        .up = on_up, .line = on_line, .down = on_down, .closed = on_closed};
    struct soon__connection_options options = {.loop = soon__library_uv(), .is_text = true};
    struct soon__admin *admin = calloc(1, sizeof *admin);

    if (!admin)
        return;
    *admin = (struct soon__admin){.cluster = cluster, .of = cluster};
    if (soon__servers_parse(&admin->servers, soon__connection_server(cluster->loop.work)) == 0) {
        options.servers = admin->servers;
        if (soon__connection_new(&admin->connection, &options, &events, admin) == 0) {
            cluster->loop.admin = admin;
            cluster->loop.open++;
            return;
        }
    }
    soon__servers_free(admin->servers);
    free(admin);
}

void soon__admin_close(struct soon__cluster *cluster, int64_t linger_ms)
{
    struct soon__admin *admin = cluster->loop.admin;

    if (!admin)
        return;
    cluster->loop.admin = NULL;
    admin->cluster = NULL;
    soon__connection_close(admin->connection, linger_ms);
}
