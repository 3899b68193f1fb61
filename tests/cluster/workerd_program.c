/*
 * workerd_program.c - soon-workerd as a program: its command line, its statuses, what it tells an operator.
 */
#include "caller.h"

#include <fcntl.h>
#include <sys/stat.h>

TestSuite(workerd_program);

/* The status that it exits with; `*ret_said` has what it wrote to stderr. */
static int run(const char *const *arguments, char *ret_said, size_t size)
{
    struct workerd daemon;
    int status;

    workerd_spawn(&daemon, arguments);
    cr_assert_eq(waitpid(daemon.pid, &status, 0), daemon.pid);
    snprintf(ret_said, size, "%s", workerd_said(&daemon));
    daemon.pid = 0;
    (void)workerd_end(&daemon);
    cr_assert(WIFEXITED(status), "%s", ret_said);
    return WEXITSTATUS(status);
}
#define RUN(...) run((const char *[]){__VA_ARGS__, NULL}, said, sizeof said)

Test(workerd_program, a_command_line_that_makes_no_sense_is_64)
{
    char said[1024], path[sizeof "unix:" + 108] = "unix:";

    cr_assert_eq(RUN("--servers", "a"), 64);
    cr_assert_not_null(strstr(said, "--load or --program is missing"));
    cr_assert_eq(RUN("--load", "a.so"), 64);
    cr_assert_not_null(strstr(said, "--servers is missing"));
    cr_assert_eq(RUN("--servers", "a", "--load", "a.so", "--program", "a"), 64);
    cr_assert_eq(RUN("--nonsense"), 64);
    cr_assert_eq(RUN("--servers"), 64);
    cr_assert_eq(RUN("--servers", "a", "--load", "a.so", "--slots", "-1"), 64);
    cr_assert_eq(RUN("--servers", "a", "--load", "a.so", "--slots", "99999999999999999999"), 64);
    cr_assert_eq(RUN("--servers", "a", "--load", "a.so", "--slots", "4097"), 64);
    cr_assert_eq(RUN("--servers", "a", "--load", "a.so", "--memory-limit", "17T"), 64);
    cr_assert_eq(RUN("--servers", "a", "--load", "a.so", "--name", "two words"), 64);
    cr_assert_eq(RUN("--servers", "a", "--load", "a.so", "--log-level", "loud"), 64);
    cr_assert_eq(RUN("--servers", "a", "--load", "a.so", "--metrics", "unix:"), 64);
    memset(path + 5, 'm', sizeof path - 6);
    cr_assert_eq(RUN("--servers", "a", "--load", "a.so", "--metrics", path), 64);
    cr_assert_not_null(strstr(said, "107"), "%s", said);
    cr_assert_eq(RUN("--servers", "[::1", "--load", "a.so"), 64);
    cr_assert_eq(strncmp(said, "<3>", 3), 0, "%s", said);
}

Test(workerd_program, what_cannot_be_loaded_is_66_and_the_reason_is_told)
{
    char said[4096];

    cr_assert_eq(RUN("--servers", "127.0.0.1:1", "--load", "/nowhere/tasks.so"), 66);
    cr_assert_not_null(strstr(said, "/nowhere/tasks.so"));
    cr_assert_eq(RUN("--servers", "127.0.0.1:1", "--slots", "1", "--load", getenv("SOON_WORKERD")), 66);
    cr_assert_eq(RUN("--servers", "127.0.0.1:1", "--slots", "1", "--load", getenv("EMPTY")), 66);
    cr_assert_not_null(strstr(said, "no tasks"), "%s", said);
}

/* What a program writes to stdout. Lent until the next call. */
static const char *output_of(const char *argument)
{
    static char text[16384];
    char line[512];
    FILE *command;

    snprintf(line, sizeof line, "%s %s", getenv("SOON_WORKERD"), argument);
    command = popen(line, "re");
    text[fread(text, 1, sizeof text - 1, command)] = '\0';
    cr_assert_eq(pclose(command), 0);
    return text;
}

Test(workerd_program, help_and_man_page_have_each_option)
{
    static const char *const options[] = {"servers", "load",          "program",   "initializer",  "slots",
                                          "name",    "time-limit-ms", "grace-ms",  "memory-limit", "max-tasks",
                                          "metrics", "pid-file",      "log-level", "version",      "help"};
    char word[64];

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        snprintf(word, sizeof word, "--%s", options[i]);
        cr_assert_not_null(strstr(output_of("--help"), word), "%s", word);
        snprintf(word, sizeof word, "\\-\\-%.*s", (int)strcspn(options[i], "-"), options[i]);
        cr_assert_not_null(strstr(output_of("--man"), word), "%s", word);
    }
    cr_assert_eq(strncmp(output_of("--version"), "soon-workerd ", 13), 0);
}

Test(workerd_program, its_workers_may_be_a_program_with_an_initializer)
{
    static const soon_function prepared = {.name = "far_prepared",
                                           .arg_size = sizeof(soon_none),
                                           .result_size = sizeof(int),
                                           .arg_type = "soon_none",
                                           .result_type = "int",
                                           .result_kind = "iint"};
    struct stage stage;
    struct heard heard;
    struct soon__message_reader rest;

    gearmand_or_skip();
    gearmand_start(&stage.server, NULL);
    workerd_spawn(&stage.daemon, (const char *[]){"--servers", stage.server.address, "--slots", "1", "--program",
                                                  getenv("PROGRAM"), "--initializer", "far_prepare", NULL});
    workerd_await(&stage.daemon, "READY=1");
    caller_open(&stage.caller, &stage.server);
    caller_call(&stage.caller, &prepared, "soon1-a.1", .argument = {"", 1});
    cr_assert_eq(memcmp(caller_await_result(&stage.caller, &heard, &rest).result.data, &(int){77}, sizeof(int)), 0);
    heard_free(&heard);
    stage_end(&stage);
}

Test(workerd_program, it_works_on_when_its_server_comes_later_and_says_so_in_lines)
{
    struct stage stage;
    struct heard heard;
    struct soon__message_reader rest;
    struct gearmand *server = &stage.server;

    gearmand_or_skip();
    gearmand_start(server, NULL);
    gearmand_kill(server);
    workerd_start(&stage.daemon, server->address, 1);
    gearmand_restart(server);
    caller_open(&stage.caller, server);
    caller_call(&stage.caller, &far_half_task, "soon1-a.1", .argument = {&(int){7}, sizeof(int)});
    (void)caller_await_result(&stage.caller, &heard, &rest);
    heard_free(&heard);
    for (const char *line = workerd_said(&stage.daemon); *line; line = strchr(line, '\n') + 1)
        cr_assert(line[0] == '<' && line[2] == '>' && strchr(line, '\n'), "%s", line);
    stage_end(&stage);
}

static void assert_numbers(const char *text)
{
    cr_assert_not_null(strstr(text, "# TYPE soon_workerd_jobs_total counter\n"));
    cr_assert_not_null(strstr(text, "\nsoon_workerd_jobs_total{outcome=\"result\"} 1\n"), "%s", text);
    cr_assert_not_null(strstr(text, "\nsoon_workerd_servers_connected 1\n"));
    cr_assert_not_null(strstr(text, "\nsoon_workerd_slots 1\n"));
}

static void run_one(struct stage *stage)
{
    struct heard heard;
    struct soon__message_reader rest;

    caller_call(&stage->caller, &far_half_task, "soon1-a.1", .argument = {&(int){7}, sizeof(int)});
    (void)caller_await_result(&stage->caller, &heard, &rest);
    heard_free(&heard);
}

static void start_with_metrics(struct stage *stage, const char *where)
{
    gearmand_start(&stage->server, NULL);
    workerd_start_with(&stage->daemon, stage->server.address, 1, (const char *[]){"--metrics", where, NULL});
    caller_open(&stage->caller, &stage->server);
}

static struct stage begin_with_a_full_pipe(int ends[2])
{
    static char page[4096];
    struct stage stage;

    gearmand_start(&stage.server, NULL);
    cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(ends[1], page, sizeof page) > 0)
        ;
    cr_assert_eq(fcntl(ends[1], F_SETFL, 0), 0);
    workerd_spawn_to(&stage.daemon, ends[1],
                     (const char *[]){"--servers", stage.server.address, "--load", getenv("OBJECT"), "--slots", "1",
                                      "--log-level", "debug", NULL});
    workerd_await(&stage.daemon, "READY=1");
    caller_open(&stage.caller, &stage.server);
    return stage;
}

static void call_once(struct stage *stage)
{
    struct heard heard;
    struct soon__message_reader rest;
    soon_bytes result;

    caller_call(&stage->caller, &far_half_task, "soon1-a.1", .argument = {&(int){8}, sizeof(int)});
    result = caller_await_result(&stage->caller, &heard, &rest).result;
    cr_assert(result.size == sizeof(int) && memcmp(result.data, &(int){4}, sizeof(int)) == 0);
    heard_free(&heard);
}

Test(workerd_program, a_log_that_nobody_reads_keeps_no_task_waiting_and_says_how_much_of_it_is_lost)
{
    static char text[1 << 20];
    struct stage stage;
    ssize_t size;
    int ends[2];

    gearmand_or_skip();
    stage = begin_with_a_full_pipe(ends);
    call_once(&stage);
    while (read(ends[0], text, sizeof text) > 0)
        ;
    call_once(&stage);
    size = read(ends[0], text, sizeof text - 1);
    cr_assert_gt(size, 0);
    text[size] = '\0';
    cr_assert_not_null(strstr(text, " lines were lost) "), "%s", text);
    close(ends[0]);
    stage_end(&stage);
}

Test(workerd_program, its_numbers_are_in_a_file_when_it_ends)
{
    char path[] = "/tmp/soon-metrics-XXXXXX", text[8192] = "";
    int fd = mkstemp(path);
    struct stage stage;

    close(fd);
    gearmand_or_skip();
    start_with_metrics(&stage, path);
    run_one(&stage);
    stage_end(&stage);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_gt(read(fd, text, sizeof text - 1), 0);
    close(fd);
    cr_assert_not_null(strstr(text, "\nsoon_workerd_jobs_total{outcome=\"result\"} 1\n"), "%s", text);
    cr_assert_not_null(strstr(text, "\nsoon_workerd_process_starts_total 1\n"), "counters do not go back: %s", text);
    cr_assert_not_null(strstr(text, "\nsoon_workerd_processes 0\n"), "%s", text);
    unlink(path);
}

/* A rename would put a file in the place of a device. */
Test(workerd_program, its_numbers_replace_nothing_but_a_file)
{
    char folder[] = "/tmp/soon-metrics-XXXXXX", path[64], said[1024];
    struct stat status;

    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/numbers", folder);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(RUN("--servers", "127.0.0.1:1", "--slots", "1", "--load", getenv("OBJECT"), "--metrics", path), 71);
    cr_assert_not_null(strstr(said, path), "%s", said);
    cr_assert(stat(path, &status) == 0 && S_ISFIFO(status.st_mode));
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(rmdir(folder), 0, "nothing is left behind");
}

Test(workerd_program, its_numbers_are_served_on_a_local_socket)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/tmp/soon-metrics-XXXXXX"};
    char where[128], text[8192] = "";
    struct stage stage;
    size_t size = 0;
    ssize_t part;
    int fd = mkstemp(address.sun_path);

    close(fd);
    unlink(address.sun_path);
    gearmand_or_skip();
    snprintf(where, sizeof where, "unix:%s", address.sun_path);
    start_with_metrics(&stage, where);
    run_one(&stage);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(write(fd, "GET /metrics HTTP/1.0\r\n\r\n", 25), 25);
    while ((part = read(fd, text + size, sizeof text - 1 - size)) > 0)
        size += (size_t)part;
    close(fd);
    cr_assert_eq(strncmp(text, "HTTP/1.0 200 ", 13), 0);
    assert_numbers(text);
    stage_end(&stage);
    cr_assert_eq(access(address.sun_path, F_OK), -1, "it is removed at the end");
}

/* Its two connections come up in any order. */
Test(workerd_program, the_server_shows_its_functions_and_by_its_name)
{
    struct stage stage;
    char list[4096], status[4096] = "";
    int fd;

    gearmand_or_skip();
    gearmand_start(&stage.server, NULL);
    workerd_start_with(&stage.daemon, stage.server.address, 1, (const char *[]){"--name", "alpha", NULL});
    caller_open(&stage.caller, &stage.server);
    run_one(&stage);
    fd = gearmand_connect(stage.server.port);
    do {
        memset(list, 0, sizeof list);
        cr_assert_eq(write(fd, "workers\n", 8), 8);
        cr_assert_gt(read(fd, list, sizeof list - 1), 0);
    } while (!strstr(list, "cancel@alpha-"));
    cr_assert_not_null(strstr(list, " alpha-"), "%s", list);
    cr_assert_eq(write(fd, "status\n", 7), 7);
    cr_assert_gt(read(fd, status, sizeof status - 1), 0);
    cr_assert_not_null(strstr(status, "far_half\t0\t0\t1"), "%s", status);
    cr_assert_null(strstr(status, "soon.catalog"));
    close(fd);
    stage_end(&stage);
}
