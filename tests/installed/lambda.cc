/*
 * lambda.cc - the same by soon.hpp.
 */
#include <cstdio>
#include <soon.hpp>

int main()
{
    int sum = 0;

    try {
        auto pool = soon::thread_pool({2});
        sum = soon::submit(pool, [] { return 6 + 7; }).result();
    } catch (const soon::error &e) {
        std::fprintf(stderr, "%s\n", e.what());
    }
    std::printf("%s %d\n", soon_version(), sum);
    return sum != 13;
}
