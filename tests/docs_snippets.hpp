/*
 * docs_snippets.hpp - the names that lines of C++ in the documentation use without declaring them. See docs_snippets.sh.
 */
#ifndef SOON_TESTS_DOCS_SNIPPETS_HPP
#define SOON_TESTS_DOCS_SNIPPETS_HPP

#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstdio>
#include <soon.hpp>
#include <string>
#include <vector>

using namespace std::chrono_literals;

/* A coroutine that ends by itself. */
struct routine {
    struct promise_type {
        routine get_return_object();
        std::suspend_never initial_suspend();
        std::suspend_never final_suspend() noexcept;
        void return_void();
        void unhandled_exception();
    };
};

struct point {
    double x, y;
};

struct picture {
    std::string bytes;
};

struct client {
    void send(const picture &picture);
    void fail(const char *why);
};

struct window {
    void (*on_qt)(void (*fn)(void *), void *data);
    void show(const picture &picture);
};

SOON_TASK_DECLARE(halve, int, int);

extern soon::executor pool;
extern soon_loop *loop;
extern int rc;
extern std::vector<std::string> paths;
extern std::vector<soon::future<int>> futures;
size_t lines_of(const std::string &path);
picture thumbnail(const std::string &path);
void use(int number);

/* What other libraries have, as far as it is used. */
namespace asio
{
struct io_context {
};
template <class F> void post(io_context &context, F &&fn);
} // namespace asio
extern asio::io_context context;

struct QObject {
    template <class Sender, class Signal, class F> static void connect(Sender *, Signal, F &&)
    {
    }
};
struct QSocketNotifier : QObject {
    enum Type { Read };
    QSocketNotifier(int fd, Type type, QObject *parent);
    void activated();
};
namespace Qt
{
enum ConnectionType { QueuedConnection };
}
struct QMetaObject {
    template <class F> static bool invokeMethod(QObject *context, F &&fn, Qt::ConnectionType type);
};
extern QObject object;

extern "C" unsigned g_idle_add_once(void (*function)(void *data), void *data);

#endif
