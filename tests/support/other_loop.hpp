/*
 * other_loop.hpp - a loop that is not libuv's, for co_await to go on there.
 */
#ifndef SOON_TESTS_SUPPORT_OTHER_LOOP_HPP
#define SOON_TESTS_SUPPORT_OTHER_LOOP_HPP

#include "hpp_fixture.h"

#include <deque>
#include <mutex>

/* What any loop comes down to: a queue, which the loop's thread empties. */
class other_loop
{
  public:
    void post(void (*fn)(void *), void *data)
    {
        const std::lock_guard<std::mutex> lock(mutex);
        queue.push_back({fn, data});
    }

    /* Runs what is in the queue. Returns how much that was. */
    int turn()
    {
        std::deque<task> taken;
        {
            const std::lock_guard<std::mutex> lock(mutex);
            taken.swap(queue);
        }
        for (const task &task : taken)
            task.fn(task.data);
        return static_cast<int>(taken.size());
    }

    /* For soon::on(). It owns an object that is counted, and must be gone in the end. */
    auto poster()
    {
        return [this, keep = counted()](auto fn, void *data) { post(fn, data); };
    }

  private:
    struct task {
        void (*fn)(void *);
        void *data;
    };
    std::mutex mutex;
    std::deque<task> queue;
};

#endif
