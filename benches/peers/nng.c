/* nng's part of benches/net.rs: req to rep.
 *
 *   nng version
 *   nng ROW COUNT     a line of JSON, as src/bench/links/record.rs reads it
 *
 * The worker is a process of its own, made before nng has threads. */
#define _GNU_SOURCE
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/util/platform.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void need(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "nng: %s failed\n", what);
        exit(1);
    }
}

/* Keeps this process to the processor with that number among those that it may use. */
static void keep_to(int number) {
    cpu_set_t all, mine;
    need(sched_getaffinity(0, sizeof all, &all) == 0, "sched_getaffinity");
    CPU_ZERO(&mine);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all) && number-- == 0) {
            CPU_SET(cpu, &mine);
        }
    }
    need(sched_setaffinity(0, sizeof mine, &mine) == 0, "sched_setaffinity");
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* An empty message is the last. */
static void reply(int pipe_end) {
    nng_socket socket;
    char unit[16], url[64] = {0};
    int port = 0;
    need(read(pipe_end, &port, sizeof port) == sizeof port, "the port");
    snprintf(url, sizeof url, "tcp://127.0.0.1:%d", port);
    need(nng_rep0_open(&socket) == 0 && nng_dial(socket, url, NULL, 0) == 0, "nng_dial");
    for (;;) {
        size_t length = sizeof unit;
        need(nng_recv(socket, unit, &length, 0) == 0, "nng_recv");
        need(nng_send(socket, unit, length, 0) == 0, "nng_send");
        if (length == 0) {
            break;
        }
    }
    /* The last answer leaves by a thread of its own. */
    nng_msleep(100);
    nng_close(socket);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        printf("nng %s\n", nng_version());
        return 0;
    }
    uint64_t count = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    int is_apart = argc == 3 && strcmp(argv[1], "round-trip-apart") == 0;
    if (count == 0 || !(is_apart || strcmp(argv[1], "round-trip") == 0)) {
        fprintf(stderr, "usage: nng ROW COUNT\n");
        return 2;
    }
    int ends[2];
    need(pipe(ends) == 0, "pipe");
    pid_t child = fork();
    need(child >= 0, "fork");
    if (child == 0) {
        /* It does not outlive who measures. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (is_apart) {
            keep_to(1);
        }
        reply(ends[0]);
        return 0;
    }
    if (is_apart) {
        keep_to(0);
    }
    nng_socket socket;
    nng_listener listener;
    int port = 0;
    need(nng_req0_open(&socket) == 0, "nng_req0_open");
    need(nng_listen(socket, "tcp://127.0.0.1:0", &listener, 0) == 0, "nng_listen");
    need(nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port) == 0, "the port");
    need(write(ends[1], &port, sizeof port) == sizeof port, "write");
    uint64_t *times = calloc(count, sizeof *times), begun = 0, warm_up = 200;
    need(times != NULL, "calloc");
    for (uint64_t n = 0; n < warm_up + count; n++) {
        uint64_t back = ~n, from = now();
        size_t length = sizeof back;
        begun = n == warm_up ? from : begun;
        need(nng_send(socket, &n, sizeof n, 0) == 0, "nng_send");
        need(nng_recv(socket, &back, &length, 0) == 0 && back == n, "nng_recv");
        if (n >= warm_up) {
            times[n - warm_up] = now() - from;
        }
    }
    uint64_t elapsed = now() - begun;
    size_t length = 0;
    need(nng_send(socket, "", 0, 0) == 0 && nng_recv(socket, &begun, &length, 0) == 0, "the end");
    qsort(times, count, sizeof *times, ascending);
    printf("{\"row\":\"%s\",\"contender\":\"nng\",\"count\":%llu,\"ns_per\":%.3f,"
           "\"ns_p50\":%llu.0,\"ns_p99\":%llu.0,\"ns_p999\":%llu.0}\n",
           argv[1], (unsigned long long)count, (double)elapsed / (double)count,
           (unsigned long long)times[(count - 1) / 2],
           (unsigned long long)times[(count - 1) * 99 / 100],
           (unsigned long long)times[(count - 1) * 999 / 1000]);
    nng_close(socket);
    free(times);
    while (wait(NULL) > 0) {
    }
    return 0;
}
