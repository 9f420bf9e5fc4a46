/* The workload `queue`: producers push tasks, and the workers take them. */

#define _GNU_SOURCE
#include <ctype.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "driver.h"

/* What is pushed behind the last task, for each consumer. */
#define END "end"
/* How long a command waits for a task before it is sent again. */
#define WAIT_SECONDS "1"
#define WAIT_MILLISECONDS "1000"
/* No task that is waited for has this number. */
#define NOBODY INT64_MAX

enum {
    WAKE_UP = 50000, /* A thread that sleeps wakes up late by about so many nanoseconds, and yields them away instead. */
    NUMBERS = 48     /* room for a task's number and moment */
};

static char key[NAME_BYTES];
static atomic_int_least64_t next, taken, wake_at;
static atomic_int producing;
static pthread_mutex_t waiting = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t room = PTHREAD_COND_INITIALIZER;

/* Comes after `go`, and before there is any other thread: nothing may be added to a stream before its group is there. */
void prepare_queue(void) {
    snprintf(key, sizeof key, "%s%squeue", job.key_prefix, phase.infix);
    for (int i = 0; i < job.workers; i++)
        snprintf(crew[i].stem, sizeof crew[i].stem, "%s%staken:%d", job.key_prefix, phase.infix, i);
    atomic_store(&next, 0);
    atomic_store(&taken, 0);
    atomic_store(&wake_at, NOBODY);
    atomic_store(&producing, job.producers);
    if (job.structure == STREAM)
        freeReplyObject(call(&crew[0], 6, (const char *[]){"XGROUP", "CREATE", key, "workers", "0", "MKSTREAM"}, NULL));
}

/* Who has had to wait goes on when half of the backlog is free: a full queue would otherwise cost a wake-up for each task. */
static bool is_half_empty(int64_t number) {
    int64_t needed = number + 1 - (job.backlog / 2 + job.backlog % 2);
    /* It is registered before the count is looked at, and `took` does both the other way round: one sees the other. */
    if (needed < atomic_load(&wake_at)) atomic_store(&wake_at, needed);
    return atomic_load(&taken) >= needed;
}

/* Returns when the task of this number may be pushed. Those before it never wait for it, so that it cannot be in vain. */
static void await_room(int64_t number) {
    if (number - atomic_load(&taken) < job.backlog) return;
    pthread_mutex_lock(&waiting);
    while (!is_half_empty(number)) pthread_cond_wait(&room, &waiting);
    pthread_mutex_unlock(&waiting);
}

static void took(void) {
    int64_t count = atomic_fetch_add(&taken, 1) + 1;
    if (count < atomic_load(&wake_at)) return;
    pthread_mutex_lock(&waiting);
    /* All that are woken look again, and those who have to wait on say so again. */
    atomic_store(&wake_at, NOBODY);
    pthread_cond_broadcast(&room);
    pthread_mutex_unlock(&waiting);
}

/* The last stretch is not slept but yielded away: a server on the same core gets it. */
static void sleep_until(int64_t moment) {
    for (int64_t left; (left = moment - now()) > 0;) {
        int64_t sleep = left - WAKE_UP;
        struct timespec time = {.tv_sec = (time_t)(sleep / 1000000000), .tv_nsec = (long)(sleep % 1000000000)};
        if (sleep > 0) nanosleep(&time, NULL);
        else sched_yield();
    }
}

/* When a task is due in an open loop; in two steps, since the product would soon be too large. */
static int64_t due(int64_t number) {
    return phase.started + number / phase.rate * 1000000000 + number % phase.rate * 1000000000 / phase.rate;
}

static void push(worker *w, const char *task, size_t size) {
    if (job.structure == LIST)
        freeReplyObject(call(w, 3, (const char *[]){"LPUSH", key, task}, (size_t[]){5, strlen(key), size}));
    else
        freeReplyObject(call(w, 5, (const char *[]){"XADD", key, "*", "task", task}, (size_t[]){4, strlen(key), 1, 4, size}));
}

/* Pushes tasks until there are no more, and who is the last to do so pushes the marks of the end. */
void *produce(void *argument) {
    worker *w = argument;
    size_t room_for = job.value_bytes > NUMBERS ? (size_t)job.value_bytes : NUMBERS;
    char *task = malloc(room_for);
    if (!task) give_up("other", "there is no memory for a task of %" PRId64 " bytes", job.value_bytes);
    for (;;) {
        /* In a closed loop nothing is begun after the end. Every number that was taken is pushed, so that there is no gap. */
        if (!phase.rate && phase.deadline && now() >= phase.deadline) break;
        int64_t number = atomic_fetch_add(&next, 1);
        if (number >= phase.operations) break;
        int64_t since;
        if (phase.rate) {
            since = due(number);
            /* What is due before the end is pushed, however late. */
            if (phase.deadline && since >= phase.deadline) break;
            sleep_until(since);
            int64_t lag = now() - since;
            if (lag > w->max_lag) w->max_lag = lag;
        } else {
            await_room(number);
            since = now();
        }
        size_t size = (size_t)snprintf(task, NUMBERS, "%" PRId64 ":%" PRId64, number, since - phase.started);
        if (job.value_bytes > (int64_t)size) {
            task[size] = ':';
            memset(task + size + 1, 'x', (size_t)job.value_bytes - size - 1);
            size = (size_t)job.value_bytes;
        }
        push(w, task, size);
        w->begun++;
    }
    free(task);
    if (atomic_fetch_sub(&producing, 1) == 1)
        for (int i = 0; i < job.workers; i++) push(w, END, strlen(END));
    return NULL;
}

static const redisReply *element(const redisReply *list, size_t index) {
    return list && list->type == REDIS_REPLY_ARRAY && list->elements > index ? list->element[index] : NULL;
}

/* Sends the command that takes a task. Of the reply, where the task and a stream's ID are in it; nothing if none came in time. */
static redisReply *take(worker *w, const redisReply **task, const redisReply **id) {
    redisReply *reply;
    *task = *id = NULL;
    if (job.structure == STREAM) {
        char number[16];
        snprintf(number, sizeof number, "%d", w->number);
        const char *words[] = {"XREADGROUP", "GROUP", "workers", number, "COUNT", "1", "BLOCK", WAIT_MILLISECONDS,
                               "NOACK", "STREAMS", key, ">"};
        enum { WORDS = sizeof words / sizeof *words, NOACK = 8 };
        /* Without NOACK the words behind it move up. */
        if (job.acknowledge) memmove(words + NOACK, words + NOACK + 1, (WORDS - NOACK - 1) * sizeof *words);
        reply = call(w, WORDS - job.acknowledge, words, NULL);
        /* A list of streams, each a name and a list of entries, each an ID and a list of fields and their values. */
        const redisReply *entry = element(element(element(reply, 0), 1), 0);
        *id = element(entry, 0);
        *task = element(element(entry, 1), 1);
    } else if (job.acknowledge) {
        reply = call(w, 6, (const char *[]){"BLMOVE", key, w->stem, "RIGHT", "LEFT", WAIT_SECONDS}, NULL);
        *task = reply;
    } else {
        reply = call(w, 3, (const char *[]){"BRPOP", key, WAIT_SECONDS}, NULL);
        *task = element(reply, 1);
    }
    bool has_task = *task && (*task)->type == REDIS_REPLY_STRING;
    bool has_id = job.structure == LIST || (*id && (*id)->type == REDIS_REPLY_STRING);
    if (reply->type == REDIS_REPLY_NIL) *task = NULL;
    else if (!has_task || !has_id) give_up("verification", "worker %d: the server's answer holds no task", w->number);
    return reply;
}

static void acknowledge(worker *w, const redisReply *task, const redisReply *id) {
    redisReply *reply;
    if (job.structure == STREAM)
        reply = call(w, 4, (const char *[]){"XACK", key, "workers", id->str}, NULL);
    else
        reply = call(w, 4, (const char *[]){"LREM", w->stem, "1", task->str},
                     (size_t[]){4, strlen(w->stem), 1, (size_t)task->len});
    if (reply->type != REDIS_REPLY_INTEGER || reply->integer != 1)
        give_up("verification", "worker %d: acknowledging %.60s had no effect", w->number, task->str);
    freeReplyObject(reply);
}

/* The number of a task, and since when its latency counts. hiredis puts a zero byte behind each string. */
static int64_t read_task(worker *w, const redisReply *task, int64_t *since) {
    char *end = task->str;
    int64_t number = isdigit((unsigned char)*end) ? strtoll(end, &end, 10) : -1;
    bool is_task = number >= 0 && *end == ':' && isdigit((unsigned char)end[1]) && (int64_t)task->len >= job.value_bytes;
    if (is_task) *since = strtoll(end + 1, &end, 10);
    if (!is_task || (*end != '\0' && *end != ':'))
        give_up("verification", "worker %d: got %.60s, which nobody has pushed", w->number, task->str);
    return number;
}

/* Takes tasks until it gets a mark of the end. */
void *consume(void *argument) {
    worker *w = argument;
    for (bool ended = false; !ended;) {
        const redisReply *task, *id;
        redisReply *reply = take(w, &task, &id);
        int64_t got = now(), since = 0;
        if (task) {
            ended = task->len == sizeof END - 1 && memcmp(task->str, END, sizeof END - 1) == 0;
            if (!ended) {
                int64_t number = read_task(w, task, &since);
                took();
                w->sum += (uint64_t)number;
                w->xor ^= (uint64_t)number;
            }
            if (job.acknowledge) acknowledge(w, task, id);
            /* The task is done with its acknowledgement, but its latency ends when the consumer has it. */
            if (!ended) finish(w, got - phase.started - since, job.acknowledge ? now() : got, 1);
        }
        freeReplyObject(reply);
    }
    return NULL;
}

/* Each task that was pushed must have been taken. A list that is empty is gone by itself, a stream is not. */
void end_queue(void) {
    int64_t pushed = 0, got = 0;
    for (int i = 0; i < job.workers; i++) got += crew[i].done;
    for (int i = job.workers; i < job.workers + job.producers; i++) pushed += crew[i].begun;
    if (got != pushed) give_up("verification", "of %" PRId64 " tasks that were pushed %" PRId64 " were taken", pushed, got);
    if (job.delete_keys && job.structure == STREAM) freeReplyObject(call(&crew[0], 2, (const char *[]){"DEL", key}, NULL));
}
