/* What the files of this driver share: the job, who works on it, and what all of them do with a connection. */

#ifndef DRIVER_H
#define DRIVER_H

#include <hiredis/hiredis.h>
#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAME_BYTES = 256 };

/* Buckets of three significant digits: 0 to 999, and 900 more for each further power of ten. */
enum { DIGITS_BUCKETS = 900, POWERS = 16, BUCKETS = 100 + DIGITS_BUCKETS * POWERS };

/* Operations are also counted in time slots since the start, at first of 2^FIRST_WIDTH ns. When a time lies beyond the last
 * slot, all slots double in width. */
enum { SLOTS = 64, FIRST_WIDTH = 20 };

typedef struct {
    int width; /* of a slot, as a power of two in nanoseconds */
    int64_t operations[SLOTS];
} progress;

typedef enum { SET_GET, READ_WRITE, COMMANDS, QUEUE } workload_kind;
typedef enum { UNIFORM, ZIPF, SEQUENTIAL } distribution;
typedef enum { LIST, STREAM } structure;

/* Who has a connection: a worker, or behind the workers a producer. */
typedef struct {
    redisContext *redis;
    int number;
    pthread_t thread;
    uint64_t random; /* state of the generator that chooses among the keys that are there */
    /* What follows is of one phase. */
    char stem[NAME_BYTES]; /* of its keys; of a queue, the list of the tasks that it has taken */
    int64_t operations;
    int64_t begun, done, reads;
    int64_t ended;
    int64_t max_lag;
    int64_t *calls; /* of each command that the job lists */
    uint64_t sum, xor; /* of the numbers of the tasks that it got */
    uint64_t latencies[BUCKETS];
    progress progress;
} worker;

struct job {
    const char *host, *unix_socket, *password, *username, *key_prefix;
    int port, workers, producers, pipeline;
    workload_kind kind;
    int64_t value_bytes; /* -1: the value is the index */
    int64_t keys, seed, db;
    double reads;
    distribution distribution;
    structure structure;
    int64_t backlog, rate; /* rate 0: a closed loop */
    bool acknowledge, verify, delete_keys, pipe;
};

/* The warm-up or the measured part. */
struct phase {
    const char *infix; /* of its keys, so that the warm-up has others */
    int64_t started, deadline; /* deadline 0: there is none */
    int64_t operations; /* of all workers; INT64_MAX if there is a deadline */
    int64_t rate;
};

extern struct job job;
extern struct phase phase;
extern worker *crew;

/* hiredis.c */
__attribute__((noreturn, format(printf, 2, 3))) void give_up(const char *kind, const char *format, ...);
int64_t now(void);
void finish(worker *w, int64_t latency, int64_t ended, int64_t operations);
redisReply *call(worker *w, int count, const char **words, const size_t *lengths);
redisReply *reply_to_pipeline(worker *w);
size_t write_value(char *value, int64_t index);
double chance(worker *w);

/* commands.c */
void read_commands(json_t *workload);
void *run_commands(void *argument);
json_t *all_calls(void);

/* queue.c */
void prepare_queue(void);
void *consume(void *argument);
void *produce(void *argument);
void end_queue(void);

#endif
