/*
 * hpp_fixture.h - what the tests of soon.hpp share: a busy pool, and objects that are counted.
 */
#ifndef SOON_TESTS_HPP_FIXTURE_H
#define SOON_TESTS_HPP_FIXTURE_H

#include "gate.h"

#include <atomic>
#include <soon.hpp>
#include <string>
#include <thread>

/* An object that is counted as long as it lives. A copy counts too, and an object that was moved from still counts. */
struct counted {
    static inline std::atomic<int> alive{0};

    counted()
    {
        alive++;
    }
    counted(const counted &)
    {
        alive++;
    }
    counted &operator=(const counted &) = default;
    ~counted()
    {
        alive--;
    }
};

/* A pool whose one worker waits at a gate, so that what is submitted stays pending. */
class busy_pool
{
    const gate door = gate_new();

  public:
    soon::executor pool = soon::thread_pool({1});

    busy_pool() : held(soon::submit(pool, [this](soon_task *task) { return gate_pass(door, task); }))
    {
        gate_await(door, 1);
    }
    ~busy_pool()
    {
        open();
        pool = soon::executor();
        gate_free(door);
    }

    void open()
    {
        gate_open(door, 1);
    }

    soon::future<int> held;
};

/* Calls `f` and describes in words what it throws. */
template <class F> std::string thrown_by(F &&f)
{
    try {
        (void)f();
    } catch (const soon::cancelled_error &e) {
        return std::string("cancelled: ") + e.what();
    } catch (const soon::timeout_error &e) {
        return std::string("timeout: ") + e.what();
    } catch (const soon::error &e) {
        return std::string(soon_errname(e.code())) + ": " + e.what();
    } catch (const std::exception &e) {
        return e.what();
    }
    return "nothing";
}

/* Describes what f.result() throws. */
template <class T> std::string failure_of(const soon::future<T> &f)
{
    return thrown_by([&] {
        f.result();
        return 0;
    });
}

#endif
