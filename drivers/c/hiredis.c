/* hiredis as a client: hiredis-driver [--pipe].
 *
 * A worker is a thread with a blocking connection; the first one is the main thread, so that one worker needs no
 * second. So is a producer of a queue. Another thread sleeps until the input ends, and ends the process then, whatever
 * it is doing. What is special to the workloads `queue` and `commands` is in files of their names. */

#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"

enum { FIRST_PROTOCOL = 1, LAST_PROTOCOL = 3, DELETE_BATCH = 1000 };

/* What an operation does with which key. A SET and a GET of a new one, or one of both of a key that is there. */
typedef struct {
    int64_t index;
    bool set, get;
} operation;

struct job job;
struct phase phase;
worker *crew;
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;
static atomic_int exit_status = EXIT_FAILURE;

/* ------------------------------------------------------------------------------------------------ protocol */

static void say(json_t *event) {
    pthread_mutex_lock(&output);
    json_dumpf(event, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&output);
    json_decref(event);
}

/* Nothing comes after it. */
void give_up(const char *kind, const char *format, ...) {
    char error[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, sizeof error, format, arguments);
    va_end(arguments);
    /* The lock is kept, so that the first reason is the one that is told. */
    pthread_mutex_lock(&output);
    json_dumpf(json_pack("{s:s, s:s, s:s}", "event", "failed", "kind", kind, "error", error), stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    _exit(EXIT_FAILURE);
}

/* A line of the input, which is to be freed; the process ends with the input. */
static char *next_line(void) {
    char *line = NULL;
    size_t size = 0;
    if (getline(&line, &size, stdin) < 0) _exit(EXIT_FAILURE);
    return line;
}

static void *end_with_input(void *unused) {
    (void)unused;
    while (getchar() != EOF) continue;
    _exit(exit_status);
}

static int64_t whole(json_t *object, const char *name, int64_t absent) {
    json_t *value = json_object_get(object, name);
    return json_is_integer(value) ? json_integer_value(value) : absent;
}

/* Which keys are there, and what is to be done with them. */
static void read_key_space(json_t *workload) {
    static const char *const names[] = {[UNIFORM] = "uniform", [ZIPF] = "zipf", [SEQUENTIAL] = "sequential"};
    const char *name = json_string_value(json_object_get(workload, "distribution"));
    json_t *reads = json_object_get(workload, "reads");
    job.keys = whole(workload, "keys", 0);
    if (job.keys < 1 || !name || !json_is_number(reads)) give_up("protocol", "the job lacks keys, reads or a distribution");
    job.reads = json_number_value(reads);
    for (int i = UNIFORM; i <= SEQUENTIAL; i++)
        if (strcmp(name, names[i]) == 0) {
            job.distribution = (distribution)i;
            return;
        }
    give_up("unsupported", "this driver knows no distribution `%s`", name);
}

/* Who pushes tasks, and into what. */
static void read_queue(json_t *workload) {
    const char *name = json_string_value(json_object_get(workload, "structure"));
    int64_t producers = whole(workload, "producers", 0);
    job.backlog = whole(workload, "backlog", job.rate ? INT64_MAX : 0);
    job.acknowledge = json_is_true(json_object_get(workload, "acknowledge"));
    if (producers < 1 || producers > INT16_MAX || job.backlog < 1 || !name)
        give_up("protocol", "the job lacks producers, a backlog or a structure");
    if (job.pipe) give_up("unsupported", "this client pushes no tasks when it pipelines");
    if (strcmp(name, "list") != 0 && strcmp(name, "stream") != 0)
        give_up("unsupported", "this driver knows no structure `%s`", name);
    job.structure = strcmp(name, "list") == 0 ? LIST : STREAM;
    job.producers = (int)producers;
}

/* Reads the job, which lives as long as the process, and says no to what cannot be done. */
static json_t *read_job(void) {
    json_error_t reason;
    char *line = next_line();
    json_t *all = json_loads(line, 0, &reason);
    free(line);
    if (!json_is_object(all)) give_up("protocol", "this is no job: %s", reason.text);
    int64_t version = whole(all, "protocol", -1);
    if (version < FIRST_PROTOCOL || version > LAST_PROTOCOL)
        give_up("protocol", "the job is of protocol version %" PRId64 ", this driver speaks versions %d to %d", version,
                FIRST_PROTOCOL, LAST_PROTOCOL);
    json_t *workload = json_object_get(all, "workload"), *server = json_object_get(all, "server");
    const char *kind = json_string_value(json_object_get(workload, "kind"));
    if (!kind || !server || !json_is_object(json_object_get(all, "warmup"))) give_up("protocol", "the job is not complete");
    const char *option = json_object_iter_key(json_object_iter(json_object_get(all, "options")));
    if (option) give_up("unsupported", "this client knows no option `%s`", option);
    json_t *rate = json_object_get(workload, "rate");
    job.rate = whole(workload, "rate", 0);
    if (rate && !json_is_null(rate) && job.rate < 1) give_up("protocol", "a rate is a whole number of operations a second");
    if (strcmp(kind, "read-write") == 0) job.kind = READ_WRITE;
    else if (strcmp(kind, "commands") == 0) job.kind = COMMANDS;
    else if (strcmp(kind, "queue") == 0) job.kind = QUEUE;
    else if (strcmp(kind, "set-get") != 0) give_up("unsupported", "this driver knows no workload of kind `%s`", kind);
    if (job.kind == READ_WRITE) read_key_space(workload);
    if (job.kind == COMMANDS) read_commands(workload);
    if (job.kind == QUEUE) read_queue(workload);
    else if (job.rate) give_up("unsupported", "this driver keeps to a rate only with a queue");
    job.host = json_string_value(json_object_get(server, "host"));
    job.port = (int)whole(server, "port", 0);
    job.unix_socket = json_string_value(json_object_get(server, "unix_socket"));
    job.password = json_string_value(json_object_get(server, "password"));
    job.username = json_string_value(json_object_get(server, "username"));
    job.db = whole(server, "db", 0);
    if (json_is_object(json_object_get(server, "tls")))
        give_up("unsupported", "this client does not support `tls` of a connection");
    if (json_is_true(json_object_get(server, "cluster")))
        give_up("unsupported", "this client does not support `cluster` of a connection");
    job.key_prefix = json_string_value(json_object_get(all, "key_prefix"));
    job.workers = (int)whole(all, "workers", 0);
    job.seed = whole(all, "seed", 0);
    job.pipeline = (int)whole(workload, "pipeline", 1);
    job.value_bytes = whole(workload, "value_bytes", -1);
    job.verify = json_is_true(json_object_get(workload, "verify"));
    job.delete_keys = json_is_true(json_object_get(all, "delete_keys"));
    bool counted = whole(workload, "operations", -1) >= 0, timed = whole(workload, "duration_ns", -1) >= 0;
    if (!job.key_prefix || strlen(job.key_prefix) > NAME_BYTES / 2 || job.workers < 1 || job.pipeline < 1 || counted == timed)
        give_up("protocol", "a job has operations or a duration, a short key prefix and at least one worker");
    if (job.pipeline > 1 && !job.pipe)
        give_up("unsupported", "this client does not pipeline (asked for %d)", job.pipeline);
    return all;
}

/* ------------------------------------------------------------------------------------------------- workers */

int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int bucket(int64_t latency) {
    int power = 0;
    while (latency >= 1000) {
        latency /= 10;
        power++;
    }
    return (int)latency + DIGITS_BUCKETS * power;
}

static int64_t lower_bound(int bucket) {
    int64_t bound = bucket;
    int power = bucket < 1000 ? 0 : (bucket - 100) / DIGITS_BUCKETS;
    bound -= (int64_t)power * DIGITS_BUCKETS;
    while (power-- > 0) bound *= 10;
    return bound;
}

static void widen(progress *p) {
    for (int slot = 0; slot < SLOTS; slot++)
        p->operations[slot] = 2 * slot < SLOTS ? p->operations[2 * slot] + p->operations[2 * slot + 1] : 0;
    p->width++;
}

static void count(progress *p, int64_t since, int64_t operations) {
    while (since >> p->width >= SLOTS) widen(p);
    p->operations[since >> p->width] += operations;
}

/* Pairs of the nanoseconds since the start and the operations done by then, of all workers. */
static json_t *all_progress(int64_t elapsed) {
    int width = FIRST_WIDTH;
    for (int i = 0; i < job.workers; i++)
        if (crew[i].progress.width > width) width = crew[i].progress.width;
    json_t *pairs = json_array();
    int64_t done = 0;
    for (int64_t slot = 0; slot < SLOTS && slot << width <= elapsed; slot++) {
        for (int i = 0; i < job.workers; i++) {
            while (crew[i].progress.width < width) widen(&crew[i].progress);
            done += crew[i].progress.operations[slot];
        }
        int64_t end = (slot + 1) << width < elapsed ? (slot + 1) << width : elapsed;
        json_array_append_new(pairs, json_pack("[I, I]", (json_int_t)end, (json_int_t)done));
    }
    return pairs;
}

/* For a failure, which is told once: the text is overwritten by the next call in the same thread. */
static const char *name(const worker *w) {
    static _Thread_local char text[32];
    bool is_producer = w->number >= job.workers;
    snprintf(text, sizeof text, "%s %d", is_producer ? "producer" : "worker", is_producer ? w->number - job.workers : w->number);
    return text;
}

/* Counts operations that were done together. */
void finish(worker *w, int64_t latency, int64_t ended, int64_t operations) {
    w->ended = ended;
    w->latencies[bucket(latency)] += (uint64_t)operations;
    count(&w->progress, ended - phase.started, operations);
    w->done += operations;
}

static redisReply *received(worker *w, redisReply *reply) {
    if (!reply) give_up("connection", "%s: %s", name(w), w->redis->errstr);
    if (reply->type == REDIS_REPLY_ERROR) give_up("other", "%s: %s", name(w), reply->str);
    return reply;
}

redisReply *call(worker *w, int count, const char **words, const size_t *lengths) {
    return received(w, redisCommandArgv(w->redis, count, words, lengths));
}

redisReply *reply_to_pipeline(worker *w) {
    void *reply = NULL;
    return received(w, redisGetReply(w->redis, &reply) == REDIS_OK ? reply : NULL);
}

static void check(worker *w, redisReply *fetched, const char *key, const char *value, size_t size) {
    bool same = fetched->type == REDIS_REPLY_STRING && (size_t)fetched->len == size && memcmp(fetched->str, value, size) == 0;
    if (!same && job.verify)
        give_up("verification", "worker %d: %s holds %.40s, not %.40s", w->number, key, fetched->str ? fetched->str : "nothing", value);
    freeReplyObject(fetched);
}

/* The decimal index, or as many bytes as are asked for that end in it. */
size_t write_value(char *value, int64_t index) {
    if (job.value_bytes < 0) return (size_t)sprintf(value, "%" PRId64, index);
    for (char *at = value + job.value_bytes; at > value; index /= 10) *--at = (char)('0' + index % 10);
    value[job.value_bytes] = '\0';
    return (size_t)job.value_bytes;
}

/* SplitMix64 (Steele, Lea, Flood 2014), as a number from 0 to below 1. */
double chance(worker *w) {
    uint64_t z = w->random += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* By rejection-inversion (Hoermann and Derflinger 1996), for the exponent 1. */
static int64_t zipf(worker *w) {
    double high = log((double)job.keys + 0.5), low = log(1.5) - 1;
    for (;;) {
        double u = high + chance(w) * (low - high), x = exp(u), k = floor(x + 0.5);
        k = k < 1 ? 1 : k > (double)job.keys ? (double)job.keys : k;
        if (k - x <= 2 - 2.5 * exp(-0.5) || u >= log(k + 0.5) - 1 / k) return (int64_t)k - 1;
    }
}

/* What the operation of this number is; to be asked for in their order. */
static operation choose(worker *w, int64_t number) {
    if (job.kind == SET_GET) return (operation){.index = number, .set = true, .get = true};
    operation chosen = {.get = chance(w) < job.reads};
    chosen.set = !chosen.get;
    switch (job.distribution) {
    case UNIFORM: chosen.index = (int64_t)(chance(w) * (double)job.keys); break;
    case ZIPF: chosen.index = zipf(w); break;
    case SEQUENTIAL: chosen.index = (job.keys / job.workers * w->number + number) % job.keys; break;
    }
    return chosen;
}

/* One worker's part of a phase: SET, GET, compare. */
static void *work(void *argument) {
    worker *w = argument;
    char key[NAME_BYTES + 32];
    size_t stem = strlen(w->stem);
    memcpy(key, w->stem, stem);
    char *value = malloc(job.value_bytes < 0 ? 32 : (size_t)job.value_bytes + 1);
    operation *operations = calloc((size_t)job.pipeline, sizeof *operations);
    if (!value || !operations) give_up("other", "there is no memory for a value of %" PRId64 " bytes", job.value_bytes);
    for (int64_t first = 0; first < w->operations;) {
        int64_t end = first + job.pipeline < w->operations ? first + job.pipeline : w->operations;
        for (int64_t i = first; i < end; i++) operations[i - first] = choose(w, i);
        int64_t index = operations->index;
        size_t key_size = stem + (size_t)sprintf(key + stem, "%" PRId64, index), size = write_value(value, index);
        const char *set[] = {"SET", key, value}, *get[] = {"GET", key};
        size_t set_sizes[] = {3, key_size, size}, get_sizes[] = {3, key_size};
        int64_t began = now();
        if (phase.deadline && began >= phase.deadline) break;
        w->begun = end;
        if (job.pipe) {
            for (operation *o = operations; o < operations + (end - first); o++) {
                set_sizes[1] = get_sizes[1] = stem + (size_t)sprintf(key + stem, "%" PRId64, o->index);
                set_sizes[2] = write_value(value, o->index);
                if (o->set) redisAppendCommandArgv(w->redis, 3, set, set_sizes);
                if (o->get) redisAppendCommandArgv(w->redis, 2, get, get_sizes);
            }
            for (operation *o = operations; o < operations + (end - first); o++) {
                if (o->set) freeReplyObject(reply_to_pipeline(w));
                if (!o->get) continue;
                redisReply *fetched = reply_to_pipeline(w);
                sprintf(key + stem, "%" PRId64, o->index);
                size = write_value(value, o->index);
                check(w, fetched, key, value, size);
            }
        } else {
            if (operations->set) freeReplyObject(call(w, 3, set, set_sizes));
            if (operations->get) check(w, call(w, 2, get, get_sizes), key, value, size);
        }
        int64_t ended = now();
        finish(w, ended - began, ended, end - first);
        for (int64_t i = first; i < end; i++) w->reads += operations[i - first].get;
        first = end;
    }
    free(operations);
    free(value);
    return NULL;
}

static void delete_keys(worker *w) {
    static const char *words[DELETE_BATCH + 1] = {"DEL"};
    static char keys[DELETE_BATCH][NAME_BYTES + 32];
    for (int64_t first = 0; first < w->begun; first += DELETE_BATCH) {
        int count = 1;
        for (int64_t i = first; i < w->begun && count <= DELETE_BATCH; i++, count++) {
            sprintf(keys[count - 1], "%s%" PRId64, w->stem, i);
            words[count] = keys[count - 1];
        }
        freeReplyObject(call(w, count, words, NULL));
    }
}

/* Has all workers do a phase, and the producers with them. */
static void carry_out(const char *infix, int64_t operations, int64_t duration, int64_t rate) {
    int hands = job.workers + job.producers;
    phase = (struct phase){.infix = infix, .started = now(), .rate = rate};
    phase.operations = operations >= 0 ? operations : INT64_MAX;
    phase.deadline = operations >= 0 ? 0 : phase.started + duration;
    for (int i = 0; i < hands; i++) {
        worker *w = &crew[i];
        if (job.kind == READ_WRITE) snprintf(w->stem, sizeof w->stem, "%s", job.key_prefix);
        else snprintf(w->stem, sizeof w->stem, "%s%s%d:", job.key_prefix, infix, i);
        /* The warm-up does not choose the same keys beforehand. */
        w->random = ((uint64_t)job.seed ^ (uint64_t)(i + 1) << 32) * (*infix ? 3 : 1);
        w->operations = operations >= 0 ? operations / job.workers + (i < operations % job.workers) : INT64_MAX;
        w->begun = w->done = w->reads = w->ended = w->max_lag = 0;
        w->sum = w->xor = 0;
        memset(w->latencies, 0, sizeof w->latencies);
        w->progress = (progress){.width = FIRST_WIDTH};
    }
    if (job.kind == QUEUE) prepare_queue();
    void *(*part)(void *) = job.kind == QUEUE ? consume : job.kind == COMMANDS ? run_commands : work;
    for (int i = 1; i < hands; i++)
        if (pthread_create(&crew[i].thread, NULL, i < job.workers ? part : produce, &crew[i]) != 0)
            give_up("other", "no more than %d threads can be started", i);
    part(&crew[0]);
    for (int i = 1; i < hands; i++) pthread_join(crew[i].thread, NULL);
    if (job.kind == QUEUE) end_queue();
    for (int i = 0; job.delete_keys && job.kind == SET_GET && i < job.workers; i++) delete_keys(&crew[i]);
}

static void connect_worker(worker *w) {
    w->redis = job.unix_socket ? redisConnectUnix(job.unix_socket) : redisConnect(job.host, job.port);
    if (!w->redis || w->redis->err)
        give_up("connection", "%s: failed to connect: %s", name(w), w->redis ? w->redis->errstr : "no memory");
    int on = 1;
    if (!job.unix_socket) setsockopt(w->redis->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (job.username && job.password)
        freeReplyObject(call(w, 3, (const char *[]){"AUTH", job.username, job.password}, NULL));
    else if (job.password) freeReplyObject(call(w, 2, (const char *[]){"AUTH", job.password}, NULL));
    if (job.db) {
        char number[24];
        snprintf(number, sizeof number, "%" PRId64, job.db);
        freeReplyObject(call(w, 2, (const char *[]){"SELECT", number}, NULL));
    }
}

int main(int count, char **words) {
    job.pipe = count > 1 && strcmp(words[1], "--pipe") == 0;
    json_t *all = read_job();
    json_t *warmup = json_object_get(all, "warmup"), *workload = json_object_get(all, "workload");
    int hands = job.workers + job.producers;
    crew = calloc((size_t)hands, sizeof *crew);
    if (!crew) give_up("other", "there is no memory for %d workers", hands);
    for (int i = 0; i < hands; i++) {
        crew[i].number = i;
        connect_worker(&crew[i]);
    }
    /* The warm-up keeps to no rate: it is over when it is over. */
    carry_out("w", whole(warmup, "operations", -1), whole(warmup, "duration_ns", 0), 0);

    char client[64];
    snprintf(client, sizeof client, "hiredis %d.%d.%d", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
    say(json_pack("{s:s, s:s, s:s, s:i}", "event", "ready", "client", client, "runtime", "C " __VERSION__ ", pthreads", "workers", job.workers));
    char *line = next_line();
    json_t *go = json_loads(line, 0, NULL);
    if (!json_is_true(json_object_get(go, "go"))) give_up("protocol", "go was due, and not %.60s", line);
    free(line);
    pthread_t watcher;
    if (pthread_create(&watcher, NULL, end_with_input, NULL) != 0) give_up("other", "no thread can be started");

    carry_out("", whole(workload, "operations", -1), whole(workload, "duration_ns", 0), job.rate);

    int64_t end = phase.started, operations = 0, reads = 0, max_lag = 0;
    uint64_t sum = 0, xor = 0;
    json_t *latency = json_array();
    for (int i = 0; i < job.workers; i++) {
        operations += crew[i].done;
        reads += crew[i].reads;
        sum += crew[i].sum;
        xor ^= crew[i].xor;
        if (crew[i].ended > end) end = crew[i].ended;
    }
    for (int i = 0; i < hands; i++)
        if (crew[i].max_lag > max_lag) max_lag = crew[i].max_lag;
    for (int b = 0; b < BUCKETS; b++) {
        uint64_t times = 0;
        for (int i = 0; i < job.workers; i++) times += crew[i].latencies[b];
        if (times) json_array_append_new(latency, json_pack("[I, I]", (json_int_t)lower_bound(b), (json_int_t)times));
    }
    exit_status = EXIT_SUCCESS;
    json_t *done = json_pack("{s:s, s:I, s:I, s:i, s:o, s:o}", "event", "done", "elapsed_ns", (json_int_t)(end - phase.started), "operations",
                             (json_int_t)operations, "errors", 0, "latency", latency, "progress", all_progress(end - phase.started));
    if (job.rate) json_object_set_new(done, "max_lag_ns", json_integer((json_int_t)max_lag));
    if (job.kind == QUEUE && job.verify)
        json_object_set_new(done, "delivered", json_pack("{s:I, s:I}", "sum", (json_int_t)sum, "xor", (json_int_t)xor));
    if (job.kind == COMMANDS) json_object_set_new(done, "calls", all_calls());
    if (job.kind == READ_WRITE)
        json_object_set_new(done, "calls", json_pack("{s:I, s:I}", "get", (json_int_t)reads, "set", (json_int_t)(operations - reads)));
    say(done);
    pthread_join(watcher, NULL);
}
