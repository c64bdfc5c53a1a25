/* ZooKeeper's C client (multi-threaded), driven as the Rust clients are: `ROW COUNT` a line, answered by
 * `done WALL_NS CPU_NS`. Built by the bench with: cc -O2 -DTHREADED c_worker.c -lzookeeper_mt */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

enum { IN_FLIGHT = 256, CREATORS = 64, COUNT_MAX = 100000 };

static char node[512], instances[512], short_list[512], long_list[512], prefix[512];
static const char *server;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int asked, answered, wanted, fired;
static double times[COUNT_MAX];

static void check(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "c_worker: %s\n", what);
        exit(1);
    }
}

static double ns(clockid_t clock) {
    struct timespec at;
    clock_gettime(clock, &at);
    return at.tv_sec * 1e9 + at.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(int count) {
    qsort(times, count, sizeof *times, by_value);
    return times[count / 2];
}

static void session_event(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh, (void)type, (void)state, (void)path, (void)context;
}

/* Does not wait for the session: what is asked meanwhile is queued behind the connect request. */
static zhandle_t *open_session(void) {
    zhandle_t *zh = zookeeper_init(server, session_event, 30000, NULL, NULL, 0);
    check(zh != NULL, "zookeeper_init");
    return zh;
}

static void get(zhandle_t *zh, const char *path) {
    char data[1024];
    int length = sizeof data;
    check(zoo_get(zh, path, 0, data, &length, NULL) == ZOK && length == 100, "zoo_get");
}

static void list(zhandle_t *zh, const char *path, int expected) {
    struct String_vector names;
    struct Stat stat;
    check(zoo_get_children2(zh, path, 0, &names, &stat) == ZOK, "zoo_get_children2");
    check(names.count == expected, "the number of children");
    size_t bytes = 0;
    for (int i = 0; i < names.count; i++) bytes += strlen(names.data[i]);
    check(bytes > 0, "the names");
    deallocate_String_vector(&names);
}

static void cold(int count, double *wall, double *cpu) {
    *cpu = 0;
    for (int i = 0; i < count; i++) {
        double start = ns(CLOCK_MONOTONIC), before = ns(CLOCK_PROCESS_CPUTIME_ID);
        zhandle_t *zh = open_session();
        struct String_vector names;
        struct Stat stat;
        char path[1024];
        check(zoo_get_children2(zh, instances, 0, &names, &stat) == ZOK && names.count == 3, "the first list");
        snprintf(path, sizeof path, "%s/%s", instances, names.data[0]);
        get(zh, path);
        times[i] = ns(CLOCK_MONOTONIC) - start;
        *cpu += (ns(CLOCK_PROCESS_CPUTIME_ID) - before) / count;
        deallocate_String_vector(&names);
        zookeeper_close(zh);
    }
    *wall = median(count);
}

static void one_less(void) {
    pthread_mutex_lock(&lock);
    if (++answered == wanted) pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static int one_more(void) {
    pthread_mutex_lock(&lock);
    int more = asked < wanted;
    asked += more;
    pthread_mutex_unlock(&lock);
    return more;
}

static void wait_for_all(void) {
    pthread_mutex_lock(&lock);
    while (answered < wanted) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void ask(zhandle_t *zh);

static void got(int rc, const char *value, int length, const struct Stat *stat, const void *zh) {
    (void)value, (void)stat;
    check(rc == ZOK && length == 100, "zoo_aget");
    ask((zhandle_t *)zh);
    one_less();
}

static void ask(zhandle_t *zh) {
    if (one_more()) check(zoo_aget(zh, node, 0, got, zh) == ZOK, "zoo_aget");
}

static void create(zhandle_t *zh);

static void deleted(int rc, const void *zh) {
    check(rc == ZOK, "zoo_adelete");
    create((zhandle_t *)zh);
    one_less();
}

static void created(int rc, const char *path, const void *zh) {
    check(rc == ZOK, "zoo_acreate");
    check(zoo_adelete((zhandle_t *)zh, path, -1, deleted, zh) == ZOK, "zoo_adelete");
}

static void create(zhandle_t *zh) {
    if (one_more())
        check(zoo_acreate(zh, prefix, "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL | ZOO_SEQUENCE, created, zh) == ZOK,
              "zoo_acreate");
}

static void changed_event(zhandle_t *zh, int type, int state, const char *path, void *context) {
    (void)zh, (void)state, (void)path, (void)context;
    if (type != ZOO_CHANGED_EVENT) return;
    pthread_mutex_lock(&lock);
    fired++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void watch(zhandle_t *zh, int count) {
    fired = 0;
    for (int i = 0; i < count; i++) {
        char data[1024];
        int length = sizeof data;
        check(zoo_wget(zh, node, changed_event, NULL, data, &length, NULL) == ZOK, "zoo_wget");
        puts("armed");
        fflush(stdout);
        pthread_mutex_lock(&lock);
        while (fired <= i) pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
        printf("event %.0f\n", ns(CLOCK_MONOTONIC));
        fflush(stdout);
    }
}

static void row(const char *name, int count, double *wall, double *cpu) {
    if (strcmp(name, "cold") == 0) {
        cold(count, wall, cpu);
        return;
    }
    zhandle_t *zh = open_session();
    get(zh, node);
    asked = answered = 0;
    wanted = count;
    double start = ns(CLOCK_MONOTONIC), before = ns(CLOCK_PROCESS_CPUTIME_ID);
    int one_by_one = 0;
    if (strcmp(name, "window") == 0 || strcmp(name, "tasks") == 0) {
        for (int i = 0; i < IN_FLIGHT; i++) ask(zh);
        wait_for_all();
    } else if (strcmp(name, "ephemeral") == 0) {
        for (int i = 0; i < CREATORS; i++) create(zh);
        wait_for_all();
    } else if (strcmp(name, "watch") == 0) {
        watch(zh, count);
    } else {
        one_by_one = 1;
        for (int i = 0; i < count; i++) {
            double at = ns(CLOCK_MONOTONIC);
            if (strcmp(name, "sequential") == 0) get(zh, node);
            else if (strcmp(name, "list10000") == 0) list(zh, short_list, 10000);
            else if (strcmp(name, "list1000") == 0) list(zh, long_list, 1000);
            else check(0, name);
            times[i] = ns(CLOCK_MONOTONIC) - at;
        }
    }
    *wall = (ns(CLOCK_MONOTONIC) - start) / count;
    *cpu = (ns(CLOCK_PROCESS_CPUTIME_ID) - before) / count;
    if (one_by_one) *wall = median(count);
    zookeeper_close(zh);
}

int main(int argc, char **argv) {
    check(argc == 3, "usage: c_worker HOST:PORT ROOT");
    server = argv[1];
    snprintf(node, sizeof node, "%s/node", argv[2]);
    snprintf(instances, sizeof instances, "%s/instances", argv[2]);
    snprintf(short_list, sizeof short_list, "%s/short", argv[2]);
    snprintf(long_list, sizeof long_list, "%s/long", argv[2]);
    snprintf(prefix, sizeof prefix, "%s/ephemerals/e-", argv[2]);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    char name[64];
    int count;
    while (scanf("%63s %d", name, &count) == 2) {
        double wall = 0, cpu = 0;
        check(count <= COUNT_MAX, "too many at once");
        row(name, count, &wall, &cpu);
        printf("done %f %f\n", wall, cpu);
        fflush(stdout);
    }
    return 0;
}
