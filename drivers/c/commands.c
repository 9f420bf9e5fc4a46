/* The workload `commands`: an operation is what the job lists, all of it in its order or one drawn by weight. */

#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"

enum { DIGITS = 24 }; /* room for any number */

typedef struct {
    enum { TEXT, KEY, VALUE, INDEX, WORKER, RANDOM } kind;
    const char *text;
    size_t size;
    uint64_t below;
} part;

typedef struct {
    part *parts;
    size_t count;
} word;

typedef struct {
    const char *name; /* in lower case, as a server counts it */
    word *words;
    int count;
    uint64_t weights; /* up to and with this one */
} command;

/* The words of one command with what stands for the placeholders, in bytes that belong to one worker. */
typedef struct {
    char *bytes;
    const char **words;
    size_t *sizes;
} rendered;

static command *commands;
static size_t listed;
static bool weighted;

static void *memory(size_t count, size_t size) {
    void *fresh = calloc(count ? count : 1, size);
    if (!fresh) give_up("other", "there is no memory for the commands");
    return fresh;
}

/* A placeholder, from behind its brace to before the next one. */
static part placeholder(const char *name, size_t size) {
    static const char *const names[] = {[KEY] = "key", [VALUE] = "value", [INDEX] = "index", [WORKER] = "worker"};
    static const char random[] = "random:";
    for (int kind = KEY; kind <= WORKER; kind++)
        if (strlen(names[kind]) == size && memcmp(names[kind], name, size) == 0) return (part){.kind = kind};
    const char *below = name + sizeof random - 1;
    if (size > sizeof random - 1 && memcmp(name, random, sizeof random - 1) == 0 && isdigit((unsigned char)*below)) {
        char *end;
        errno = 0;
        part p = {.kind = RANDOM, .below = strtoull(below, &end, 10)};
        if (end == name + size && p.below > 0 && errno == 0) return p;
    }
    give_up("protocol", "there is no placeholder `%.*s`", (int)size, name);
}

/* Takes a word apart, which lives as long as the job. A brace that is doubled stands for itself. */
static word parse(const char *text) {
    word w = {.parts = memory(strlen(text) + 1, sizeof(part))};
    while (*text) {
        size_t plain = strcspn(text, "{}");
        if (plain > 0) {
            w.parts[w.count++] = (part){.kind = TEXT, .text = text, .size = plain};
            text += plain;
        } else if (text[0] == text[1]) {
            w.parts[w.count++] = (part){.kind = TEXT, .text = text, .size = 1};
            text += 2;
        } else {
            const char *end = *text == '{' ? strchr(text, '}') : NULL;
            if (!end) give_up("protocol", "the braces in `%s` do not stand in pairs", text);
            w.parts[w.count++] = placeholder(text + 1, (size_t)(end - text - 1));
            text = end + 1;
        }
    }
    return w;
}

void read_commands(json_t *workload) {
    json_t *list = json_object_get(workload, "commands"), *weights = json_object_get(workload, "weights");
    listed = json_array_size(list);
    weighted = weights && !json_is_null(weights);
    if (listed == 0 || (weighted && json_array_size(weights) != listed))
        give_up("protocol", "the job lacks commands, or a weight for each");
    commands = memory(listed, sizeof *commands);
    uint64_t sum = 0;
    for (size_t i = 0; i < listed; i++) {
        json_t *words = json_array_get(list, i);
        command *c = &commands[i];
        c->count = (int)json_array_size(words);
        if (c->count == 0) give_up("protocol", "a command has no words");
        c->words = memory((size_t)c->count, sizeof *c->words);
        for (int n = 0; n < c->count; n++) {
            const char *text = json_string_value(json_array_get(words, (size_t)n));
            if (!text) give_up("protocol", "a word of a command is no text");
            if (n > 0) {
                c->words[n] = parse(text);
                continue;
            }
            /* The name has no placeholders. */
            size_t size = strlen(text);
            c->words[0].parts = memory(1, sizeof(part));
            c->words[0].parts[0] = (part){.kind = TEXT, .text = text, .size = size};
            c->words[0].count = 1;
            char *name = memory(size + 1, 1);
            for (size_t at = 0; at < size; at++) name[at] = (char)tolower((unsigned char)text[at]);
            c->name = name;
        }
        json_int_t weight = weighted ? json_integer_value(json_array_get(weights, i)) : 1;
        if (weight < 0) give_up("protocol", "a weight is less than nothing");
        c->weights = sum += (uint64_t)weight;
    }
    if (sum == 0) give_up("protocol", "no command has a weight");
}

static uint64_t draw(worker *w, uint64_t below) {
    uint64_t drawn = (uint64_t)(chance(w) * (double)below);
    /* A number of more than 53 bits may be rounded up. */
    return drawn < below ? drawn : below - 1;
}

/* The first command of the next operation, which is the only one if it is drawn. */
static size_t choose(worker *w) {
    if (!weighted) return 0;
    uint64_t drawn = draw(w, commands[listed - 1].weights);
    size_t chosen = 0;
    while (commands[chosen].weights <= drawn) chosen++;
    return chosen;
}

/* Room for the command that needs most. */
static rendered make_room(void) {
    size_t most = 0, value = job.value_bytes > DIGITS ? (size_t)job.value_bytes : DIGITS;
    int words = 0;
    for (size_t i = 0; i < listed; i++) {
        size_t bytes = 0;
        for (int n = 0; n < commands[i].count; n++)
            for (size_t p = 0; p < commands[i].words[n].count; p++) {
                const part *of = &commands[i].words[n].parts[p];
                bytes += of->kind == TEXT ? of->size : of->kind == KEY ? NAME_BYTES + DIGITS : of->kind == VALUE ? value : DIGITS;
            }
        if (bytes > most) most = bytes;
        if (commands[i].count > words) words = commands[i].count;
    }
    /* What writes a number puts a zero byte behind it. */
    return (rendered){memory(most + 1, 1), memory((size_t)words, sizeof(char *)), memory((size_t)words, sizeof(size_t))};
}

static void render(worker *w, const command *c, int64_t index, rendered *r) {
    char *at = r->bytes;
    for (int n = 0; n < c->count; n++) {
        r->words[n] = at;
        for (const part *p = c->words[n].parts; p < c->words[n].parts + c->words[n].count; p++) switch (p->kind) {
            case TEXT:
                memcpy(at, p->text, p->size);
                at += p->size;
                break;
            case KEY: at += sprintf(at, "%s%" PRId64, w->stem, index); break;
            case VALUE: at += write_value(at, index); break;
            case INDEX: at += sprintf(at, "%" PRId64, index); break;
            case WORKER: at += sprintf(at, "%d", w->number); break;
            case RANDOM: at += sprintf(at, "%" PRIu64, draw(w, p->below)); break;
            }
        r->sizes[n] = (size_t)(at - r->words[n]);
    }
}

/* One worker's part of a phase. What a server answers is not looked at unless it is an error. */
void *run_commands(void *argument) {
    worker *w = argument;
    rendered r = make_room();
    free(w->calls);
    w->calls = memory(listed, sizeof *w->calls);
    for (int64_t first = 0; first < w->operations;) {
        int64_t end = first + job.pipeline < w->operations ? first + job.pipeline : w->operations, replies = 0;
        size_t chosen = choose(w);
        /* Words are no work of the client's, so that at least those of the first command are made before the clock starts. */
        render(w, &commands[chosen], first, &r);
        int64_t began = now();
        if (phase.deadline && began >= phase.deadline) break;
        for (int64_t i = first; i < end; i++) {
            if (i > first) chosen = choose(w);
            for (size_t c = chosen; c < (weighted ? chosen + 1 : listed); c++) {
                if (i > first || c > chosen) render(w, &commands[c], i, &r);
                if (job.pipe) redisAppendCommandArgv(w->redis, commands[c].count, r.words, r.sizes);
                else freeReplyObject(call(w, commands[c].count, r.words, r.sizes));
                w->calls[c]++;
                replies++;
            }
        }
        for (; job.pipe && replies > 0; replies--) freeReplyObject(reply_to_pipeline(w));
        int64_t ended = now();
        finish(w, ended - began, ended, end - first);
        first = end;
    }
    free(r.bytes);
    free(r.words);
    free(r.sizes);
    return NULL;
}

/* How often each command was sent, by its name; it may be listed more than once. */
json_t *all_calls(void) {
    json_t *calls = json_object();
    for (size_t c = 0; c < listed; c++) {
        json_int_t sum = json_integer_value(json_object_get(calls, commands[c].name));
        for (int i = 0; i < job.workers; i++) sum += (json_int_t)crew[i].calls[c];
        json_object_set_new(calls, commands[c].name, json_integer(sum));
    }
    return calls;
}
