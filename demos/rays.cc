/*
 * rays.cc - three balls on a floor, by ray tracing: a lambda on a thread for each line of the picture. In C++17.
 *
 *     $ rays
 *     ...
 *                         *+=      ++++++++====---::.
 *                      ***+==-:.  +++++=====----:::.
 *     :  .::...:::..::*++==--=:. :-+++++=+=+--=--:-.::....:::..:::...::...:::..:::
 *     -----....----..*++===--:. :---++++=-==-::-... .....---*******+=-....----....
 *     ....=====......====--...:  ===.--=::::-::::.:: ...===*******++==:===.....---
 *     ...
 */
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <soon.hpp>
#include <string>
#include <vector>

struct vec {
    double x, y, z;
};
static vec operator+(vec a, vec b)
{
    return {a.x + b.x, a.y + b.y, a.z + b.z};
}
static vec operator*(vec a, double by)
{
    return {a.x * by, a.y * by, a.z * by};
}
static double dot(vec a, vec b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}
static vec unit(vec a)
{
    return a * (1 / std::sqrt(dot(a, a)));
}

struct ball {
    vec centre;
    double radius;
};
static const ball balls[] = {{{0, 0.1, 5}, 1.1}, {{-2.1, -0.3, 5.6}, 0.7}, {{1.7, -0.5, 3.8}, 0.5}};
static const vec light = unit({-2, 3, -2});

/* The distance from `from` along `ray` to the ball; 0: the ray misses it. */
static double distance(const ball &ball, vec from, vec ray)
{
    vec to = ball.centre + from * -1;
    double along = dot(to, ray), left = ball.radius * ball.radius - dot(to, to) + along * along;
    return along > 0 && left > 0 ? along - std::sqrt(left) : 0;
}

/* The brightness seen from `from` along `ray`, from 0, black, to 1. */
static double look(vec from, vec ray, int mirrors)
{
    double near = ray.y < -0.01 ? (-1 - from.y) / ray.y : 1e9; /* the floor */
    const ball *seen = nullptr;
    for (const ball &ball : balls)
        if (double far = distance(ball, from, ray); far > 1e-6 && far < near)
            near = far, seen = &ball;
    if (near > 40)
        return 0;
    vec at = from + ray * near, up = seen ? unit(at + seen->centre * -1) : vec{0, 1, 0}, above = at + up * 1e-4;
    bool shadow = std::any_of(balls, balls + 3, [&](const ball &ball) { return distance(ball, above, light) > 0; });
    double bright = shadow ? 0 : std::max(0.0, dot(up, light));
    if (!seen)
        return bright * (int(std::floor(at.x) + std::floor(at.z)) % 2 ? 0.9 : 0.4) * std::exp(-near / 20);
    return 0.05 + 0.65 * bright + (mirrors ? 0.3 * look(above, ray + up * (-2 * dot(ray, up)), mirrors - 1) : 0);
}

int main()
{
    const int width = 76, height = 15;
    auto pool = soon::thread_pool();
    std::vector<soon::future<std::string>> lines;
    for (int y = 0; y < height; y++)
        lines.push_back(soon::submit(pool, [=] {
            std::string line;
            for (double x = -width / 2.0; x < width / 2.0; x++)
                line += " .:-=+*#%@"[int(10 * look({0, 0.3, 0}, unit({x / 45, 0.15 - y / 22.0, 1}), 3))];
            return line.erase(line.find_last_not_of(' ') + 1);
        }));
    for (auto &line : lines)
        std::puts(line.result().c_str());
}
