/* ZeroMQ's part of benches/net.rs: REQ to REP, and ROUTER to workers that are REQ (no unit in advance) or DEALER (64).
 *
 *   zeromq version
 *   zeromq ROW COUNT     a line of JSON, as src/bench/links/record.rs reads it
 *
 * The workers are processes of their own, made before there is any context. */
#define _GNU_SOURCE
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
#include <zmq.h>

enum { WORKERS = 4, GRANT = 64 };

static void need(int holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "zeromq: %s failed: %s\n", what, zmq_strerror(zmq_errno()));
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

static void report(const char *row, uint64_t count, uint64_t elapsed, uint64_t *times) {
    qsort(times, count, sizeof *times, ascending);
    printf("{\"row\":\"%s\",\"contender\":\"zeromq\",\"count\":%llu,\"ns_per\":%.3f,"
           "\"ns_p50\":%llu.0,\"ns_p99\":%llu.0,\"ns_p999\":%llu.0}\n",
           row, (unsigned long long)count, (double)elapsed / (double)count,
           (unsigned long long)times[(count - 1) / 2],
           (unsigned long long)times[(count - 1) * 99 / 100],
           (unsigned long long)times[(count - 1) * 999 / 1000]);
}

/* A socket of the worker, connected to the endpoint that comes through the pipe. */
static void *connected(int pipe_end, int type, void **context) {
    char endpoint[256];
    ssize_t length = read(pipe_end, endpoint, sizeof endpoint - 1);
    need(length > 0, "the endpoint");
    endpoint[length] = 0;
    *context = zmq_ctx_new();
    void *socket = zmq_socket(*context, type);
    need(socket != NULL && zmq_connect(socket, endpoint) == 0, "zmq_connect");
    return socket;
}

static void closed(void *socket, void *context) {
    zmq_close(socket);
    zmq_ctx_term(context);
}

static void reply(int pipe_end) {
    void *context, *socket = connected(pipe_end, ZMQ_REP, &context);
    char unit[16];
    for (;;) {
        int length = zmq_recv(socket, unit, sizeof unit, 0);
        need(length >= 0 && zmq_send(socket, unit, (size_t)length, 0) == length, "an answer");
        if (length == 0) {
            break;
        }
    }
    closed(socket, context);
}

/* Says that it is idle, so many times in advance, and once after each unit. An empty unit is the last. */
static void work(int pipe_end, int type, unsigned char self, int in_advance) {
    void *context, *socket = connected(pipe_end, type, &context);
    char unit[16];
    for (int n = 0; n < in_advance; n++) {
        need(zmq_send(socket, &self, 1, 0) == 1, "ready");
    }
    for (;;) {
        int length = zmq_recv(socket, unit, sizeof unit, 0);
        need(length >= 0, "zmq_recv");
        if (length == 0) {
            break;
        }
        need(zmq_send(socket, &self, 1, 0) == 1, "ready");
    }
    closed(socket, context);
}

static void round_trips(void *socket, const char *row, uint64_t count) {
    uint64_t *times = calloc(count, sizeof *times), begun = 0, warm_up = 200;
    need(times != NULL, "calloc");
    for (uint64_t n = 0; n < warm_up + count; n++) {
        uint64_t back = ~n, from = now();
        begun = n == warm_up ? from : begun;
        need(zmq_send(socket, &n, sizeof n, 0) == sizeof n, "zmq_send");
        need(zmq_recv(socket, &back, sizeof back, 0) == sizeof back && back == n, "zmq_recv");
        if (n >= warm_up) {
            times[n - warm_up] = now() - from;
        }
    }
    report(row, count, now() - begun, times);
    need(zmq_send(socket, "", 0, 0) == 0 && zmq_recv(socket, times, 8, 0) == 0, "the end");
    free(times);
}

/* Who says that it is idle, and its name. REQ puts an empty frame between its name and what it says, DEALER does not. */
static unsigned char heard_from(void *socket, int is_req, char *name, int *length) {
    unsigned char worker;
    *length = zmq_recv(socket, name, 256, 0);
    need(*length > 0, "a name");
    if (is_req) {
        need(zmq_recv(socket, &worker, 1, 0) == 0, "an empty frame");
    }
    need(zmq_recv(socket, &worker, 1, 0) == 1 && worker < WORKERS, "ready");
    return worker;
}

/* Gives a unit to whoever is idle. */
static void units(void *socket, const char *row, uint64_t count, int in_advance, int is_req) {
    uint64_t *times = calloc(count, sizeof *times);
    uint64_t from[WORKERS][GRANT], sent[WORKERS] = {0}, heard[WORKERS] = {0};
    uint64_t warm_up = in_advance > 1 ? 2000 : 200, given = 0, done = 0, begun = 0;
    char names[WORKERS][256];
    int lengths[WORKERS] = {0};
    need(times != NULL, "calloc");
    while (done < warm_up + count) {
        char name[256];
        int length;
        unsigned char worker = heard_from(socket, is_req, name, &length);
        if (lengths[worker] == 0) {
            memcpy(names[worker], name, (size_t)length);
            lengths[worker] = length;
        }
        uint64_t at = now();
        if (++heard[worker] > (uint64_t)in_advance) {
            uint64_t unit = heard[worker] - (uint64_t)in_advance - 1;
            if (done >= warm_up) {
                times[done - warm_up] = at - from[worker][unit % GRANT];
            }
            if (++done == warm_up) {
                begun = at;
            }
        }
        if (given < warm_up + count) {
            from[worker][sent[worker]++ % GRANT] = now();
            need(zmq_send(socket, name, (size_t)length, ZMQ_SNDMORE) == length, "zmq_send");
            if (is_req) {
                need(zmq_send(socket, "", 0, ZMQ_SNDMORE) == 0, "zmq_send");
            }
            need(zmq_send(socket, &given, sizeof given, 0) == sizeof given, "zmq_send");
            given++;
        }
    }
    report(row, count, now() - begun, times);
    for (int worker = 0; worker < WORKERS; worker++) {
        /* One that came late has had no unit, and is to hear the end too. */
        while (lengths[worker] == 0) {
            char name[256];
            int length;
            unsigned char late = heard_from(socket, is_req, name, &length);
            if (lengths[late] == 0) {
                memcpy(names[late], name, (size_t)length);
                lengths[late] = length;
            }
        }
        zmq_send(socket, names[worker], (size_t)lengths[worker], ZMQ_SNDMORE);
        if (is_req) {
            zmq_send(socket, "", 0, ZMQ_SNDMORE);
        }
        zmq_send(socket, "", 0, 0);
    }
    free(times);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        int major, minor, patch;
        zmq_version(&major, &minor, &patch);
        printf("ZeroMQ %d.%d.%d\n", major, minor, patch);
        return 0;
    }
    uint64_t count = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    if (count == 0) {
        fprintf(stderr, "usage: zeromq ROW COUNT\n");
        return 2;
    }
    int is_apart = strcmp(argv[1], "round-trip-apart") == 0;
    int is_trip = is_apart || strcmp(argv[1], "round-trip") == 0, is_req = strcmp(argv[1], "unit") == 0;
    int workers = is_trip ? 1 : WORKERS, in_advance = is_req ? 1 : GRANT;
    int ends[WORKERS][2];
    for (int worker = 0; worker < workers; worker++) {
        need(pipe(ends[worker]) == 0, "pipe");
        pid_t child = fork();
        need(child >= 0, "fork");
        if (child == 0) {
            /* No worker outlives who measures. */
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(ends[worker][1]);
            if (is_apart) {
                keep_to(1);
            }
            if (is_trip) {
                reply(ends[worker][0]);
            } else {
                work(ends[worker][0], is_req ? ZMQ_REQ : ZMQ_DEALER, (unsigned char)worker, in_advance);
            }
            exit(0);
        }
        close(ends[worker][0]);
    }
    if (is_apart) {
        keep_to(0);
    }
    void *context = zmq_ctx_new();
    void *socket = zmq_socket(context, is_trip ? ZMQ_REQ : ZMQ_ROUTER);
    char endpoint[256];
    size_t length = sizeof endpoint;
    need(socket != NULL && zmq_bind(socket, "tcp://127.0.0.1:*") == 0, "zmq_bind");
    need(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &length) == 0, "the endpoint");
    for (int worker = 0; worker < workers; worker++) {
        need(write(ends[worker][1], endpoint, strlen(endpoint)) > 0, "write");
    }
    if (is_trip) {
        round_trips(socket, argv[1], count);
    } else {
        units(socket, argv[1], count, in_advance, is_req);
    }
    closed(socket, context);
    while (wait(NULL) > 0) {
    }
    return 0;
}
