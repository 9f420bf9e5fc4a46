<?php

/**
 * phpredis as a client.
 *
 * PHP has no threads on the command line, so a worker is a process with a connection, and so is a producer. They are forked
 * by the one that speaks the protocol, which only waits while they work: for what they say, for a failure of one of them,
 * which is the end of all, and for the end of the input. All read the same clock. What producers and consumers of a queue
 * share, the next task's number and how many tasks are under way, is in shared memory. How operations are counted is in
 * tally.php.
 */

declare(strict_types=1);

require __DIR__ . '/tally.php';

const DELETE_BATCH = 1000;
/** What is pushed behind the last task, for each consumer. */
const END_MARK = 'end';
/** How long a consumer's command waits for a task, in seconds, before it is sent again. */
const WAIT = 1;
/** A sleeping process wakes up late by about as much as this, in nanoseconds. Nearer to its moment it does not sleep. */
const WAKE_UP = 100_000;

/** Why a driver gives up: one of the protocol's kinds, and a sentence. */
final class Refusal extends Exception
{
    public function __construct(public readonly string $kind, string $message)
    {
        parent::__construct($message);
    }
}

/** The job, and what cannot be done is refused. */
function read_job(string $line): array
{
    $job = json_decode($line, true);
    $version = is_array($job) ? $job['protocol'] ?? null : null;
    if ($version !== 1 && $version !== 2) {
        $named = json_encode($version);
        throw new Refusal('protocol', "the job is of protocol version $named, this driver speaks versions 1 and 2");
    }
    $work = $job['workload'];
    $kind = $work['kind'];
    $known = [
        'set-get' => [],
        'read-write' => ['distribution' => ['uniform', 'zipf', 'sequential']],
        'queue' => ['structure' => ['list', 'stream']],
    ];
    if (!isset($known[$kind])) {
        throw new Refusal('unsupported', "this driver knows no workload of kind `$kind`");
    }
    foreach ($known[$kind] as $setting => $words) {
        if (!in_array($work[$setting], $words, true)) {
            throw new Refusal('unsupported', "this driver knows no $setting `$work[$setting]`");
        }
    }
    if ($work['pipeline'] !== 1) {
        throw new Refusal('unsupported', "this driver does not pipeline (asked for $work[pipeline])");
    }
    if (($work['operations'] === null) === ($work['duration_ns'] === null) || $job['workers'] < 1) {
        throw new Refusal('protocol', 'a job has operations or a duration, and at least one worker');
    }
    if ($kind === 'queue' && $work['producers'] < 1) {
        throw new Refusal('protocol', 'a queue has at least one producer');
    }
    return $job;
}

/** Connects without time-outs and second attempts. TCP_NODELAY is set by phpredis. */
function connect(array $server): Redis
{
    $redis = new Redis();
    $socket = $server['unix_socket'];
    try {
        $socket === null ? $redis->connect($server['host'], $server['port']) : $redis->connect($socket);
    } catch (RedisException $error) {
        throw new Refusal('connection', $error->getMessage());
    }
    $redis->setOption(Redis::OPT_MAX_RETRIES, 0);
    if ($server['password'] !== null) {
        answered($redis, $redis->auth($server['password']));
    }
    return $redis;
}

/** A reply, unless it is an error: for most of these phpredis returns what also stands for nothing. */
function answered(Redis $redis, mixed $reply): mixed
{
    $error = $reply === false ? $redis->getLastError() : null;
    if ($error !== null) {
        throw new Refusal('other', rtrim($error, "\0"));
    }
    return $reply;
}

/** What the processes of a queue share: whole numbers, each of which is changed by one process at a time. */
final class Shared
{
    /** Tasks that have their number, so that the next one's is this. */
    public const BEGUN = 0;
    /** Tasks that a consumer has. */
    public const GOT = 1;
    /** Producers that wait for room in the backlog. */
    public const WAITING = 2;
    /** Producers that are through. */
    public const THROUGH = 3;

    private Shmop $memory;
    /** @var resource one end to read from and one to write to, a byte for each producer that waits */
    private $room;
    private $call;
    private string $path;
    private $lock;

    /** Before any process is forked. Nothing of it is left behind, however the processes end. */
    public function __construct()
    {
        // A key of 0 is nobody else's, and the memory goes with the last process that has it.
        $this->memory = shmop_open(0, 'n', 0600, 32);
        shmop_delete($this->memory);
        [$this->room, $this->call] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        // What one producer reads ahead would be lost to the others.
        stream_set_read_buffer($this->room, 0);
        $this->path = tempnam(sys_get_temp_dir(), 'queue');
    }

    /** In each process that was forked: a lock belongs to whoever has opened the file. */
    public function join(): void
    {
        $this->lock = fopen($this->path, 'r');
    }

    /** When all have joined, or will not. */
    public function close(): void
    {
        if (file_exists($this->path)) {
            unlink($this->path);
        }
    }

    /** While nobody else is at work. */
    public function reset(): void
    {
        shmop_write($this->memory, str_repeat("\0", 32), 0);
    }

    public function lock(): void
    {
        flock($this->lock, LOCK_EX);
    }

    public function unlock(): void
    {
        flock($this->lock, LOCK_UN);
    }

    public function get(int $which): int
    {
        return unpack('q', shmop_read($this->memory, 8 * $which, 8))[1];
    }

    /** Adds to a number and returns what it is then. */
    public function add(int $which, int $difference): int
    {
        $number = $this->get($which) + $difference;
        shmop_write($this->memory, pack('q', $number), 8 * $which);
        return $number;
    }

    public function wait(): void
    {
        fread($this->room, 1);
    }

    public function wake(int $processes): void
    {
        fwrite($this->call, str_repeat('.', $processes));
    }
}

/** One process in one phase, the warm-up or the measured part. */
final class Phase
{
    private readonly Tally $tally;
    private readonly array $work;
    private readonly int $operations;
    private readonly int $deadline;
    private readonly ?float $rate;
    private readonly string $prefix;

    public function __construct(
        private readonly Redis $redis,
        private readonly array $job,
        private readonly int $number,
        private readonly ?Shared $shared,
        private readonly string $infix,
        private readonly int $start,
    ) {
        $this->tally = new Tally();
        $this->work = $job['workload'];
        $amount = $infix === '' ? $this->work : $job['warmup'];
        $this->operations = $amount['operations'] ?? PHP_INT_MAX;
        $this->deadline = $amount['duration_ns'] ?? PHP_INT_MAX;
        // The warm-up has none.
        $this->rate = $infix === '' ? $this->work['rate'] : null;
        $this->prefix = $job['key_prefix'];
    }

    public function run(): Tally
    {
        if ($this->work['kind'] !== 'queue') {
            $this->operate();
        } elseif ($this->number < $this->job['workers']) {
            $this->consume();
        } else {
            $this->produce();
        }
        return $this->tally;
    }

    /** Of a stream, before anybody uses it. */
    public function create(): void
    {
        if ($this->work['structure'] === 'stream') {
            answered($this->redis, $this->redis->xGroup('CREATE', $this->key(), 'workers', '0', true));
        }
    }

    /** When nobody uses a queue any more. */
    public function delete(): void
    {
        $keys = [$this->key()];
        for ($worker = 0; $worker < $this->job['workers']; $worker++) {
            $keys[] = $this->taken($worker);
        }
        $this->deleteKeys($keys);
    }

    private function deleteKeys(array $keys): void
    {
        foreach ($this->job['delete_keys'] ? array_chunk($keys, DELETE_BATCH) : [] as $some) {
            answered($this->redis, $this->redis->del($some));
        }
    }

    private function now(): int
    {
        return hrtime(true) - $this->start;
    }

    /** The moment of an operation in an open loop. */
    private function due(int $operation): int
    {
        return (int) ($operation * 1e9 / $this->rate);
    }

    /** Waits for a moment and notes how much later it is then. */
    private function until(int $moment): void
    {
        while (($left = $moment - $this->now()) > 0) {
            if ($left > WAKE_UP) {
                time_nanosleep(intdiv($left - WAKE_UP, 1_000_000_000), ($left - WAKE_UP) % 1_000_000_000);
            }
        }
        $this->tally->lag(-$left);
    }

    // -------------------------------------------------------------------------------------- set-get, read-write

    private function operate(): void
    {
        $workers = $this->job['workers'];
        $share = intdiv($this->operations, $workers) + ($this->number < $this->operations % $workers ? 1 : 0);
        $shared = $this->work['kind'] === 'read-write';
        $stem = $shared ? $this->prefix : "$this->prefix$this->infix$this->number:";
        $verify = $this->work['verify'];
        $keep = !$shared && $this->job['delete_keys'];
        // The choices of the warm-up are not those of the measured part.
        mt_srand($this->job['seed'] * 1_000_003 + 2 * $this->number + strlen($this->infix));
        $redis = $this->redis;
        $written = [];
        for ($i = 0; $i < $share; $i++) {
            $index = $shared ? $this->choose($i) : $i;
            $get = !$shared || self::chance() < $this->work['reads'];
            $set = !$shared || !$get;
            $key = "$stem$index";
            $value = $this->value($index);
            $began = $this->rate === null ? $this->now() : $this->due($this->number + $i * $workers);
            if ($began >= $this->deadline) {
                break;
            }
            if ($this->rate !== null) {
                $this->until($began);
            }
            if ($keep) {
                $written[] = $key;
            }
            if ($set) {
                answered($redis, $redis->set($key, $value));
            }
            if ($get) {
                $fetched = answered($redis, $redis->get($key));
                if ($verify && $fetched !== $value) {
                    $both = substr(json_encode($fetched), 0, 60) . ', not ' . substr($value, 0, 60);
                    throw new Refusal('verification', "$key holds $both");
                }
                $this->tally->reads++;
            }
            $ended = $this->now();
            $this->tally->latency($ended - $began);
            $this->tally->finish($ended);
        }
        $this->deleteKeys($written);
    }

    /** The decimal index, or its last digits with zeros in front. */
    private function value(int $index): string
    {
        $size = $this->work['value_bytes'];
        $digits = (string) $index;
        return match (true) {
            $size === null => $digits,
            $size === 0 => '',
            default => substr(str_pad($digits, $size, '0', STR_PAD_LEFT), -$size),
        };
    }

    /** Which of the keys that are there an operation has. */
    private function choose(int $operation): int
    {
        $keys = $this->work['keys'];
        return match ($this->work['distribution']) {
            'uniform' => mt_rand(0, $keys - 1),
            'zipf' => self::zipf($keys),
            'sequential' => (intdiv($this->number * $keys, $this->job['workers']) + $operation) % $keys,
        };
    }

    /** By rejection-inversion (Hörmann and Derflinger 1996), for the exponent 1. */
    private static function zipf(int $keys): int
    {
        $high = log($keys + 0.5);
        $low = log(1.5) - 1;
        do {
            $u = $high + self::chance() * ($low - $high);
            $x = exp($u);
            $k = min(max((int) ($x + 0.5), 1), $keys);
        } while ($k - $x > 2 - 2.5 * exp(-0.5) && $u < log($k + 0.5) - 1 / $k);
        return $k - 1;
    }

    /** From 0 to below 1. */
    private static function chance(): float
    {
        return mt_rand(0, 0x7fffffff) / 0x80000000;
    }

    // ---------------------------------------------------------------------------------------------------- queue

    private function key(): string
    {
        return "$this->prefix{$this->infix}queue";
    }

    private function taken(int $worker): string
    {
        return "$this->prefix{$this->infix}taken:$worker";
    }

    /** Pushes tasks until there are no more, and if it is the last producer the marks of the end. */
    private function produce(): void
    {
        $size = $this->work['value_bytes'] ?? 0;
        while (($next = $this->next()) !== null) {
            [$number, $since] = $next;
            if ($this->rate !== null) {
                $this->until($since);
            } else {
                $since = $this->now();
            }
            $task = "$number:$since";
            $this->push(strlen($task) < $size ? str_pad("$task:", $size, 'x') : $task);
        }
        $this->shared->lock();
        $isLast = $this->shared->add(Shared::THROUGH, 1) === $this->work['producers'];
        $this->shared->unlock();
        for ($mark = 0; $isLast && $mark < $this->job['workers']; $mark++) {
            $this->push(END_MARK);
        }
    }

    /**
     * Waits for room in the backlog and takes a number, and the moment from when it is due. A number is only taken by who
     * uses it, so that there are no holes: the deadline comes first.
     */
    private function next(): ?array
    {
        $shared = $this->shared;
        $shared->lock();
        $begun = $shared->get(Shared::BEGUN);
        while ($this->rate === null && $begun - $shared->get(Shared::GOT) >= $this->work['backlog']) {
            $shared->add(Shared::WAITING, 1);
            $shared->unlock();
            $shared->wait();
            $shared->lock();
            $begun = $shared->get(Shared::BEGUN);
        }
        $due = $this->rate === null ? $this->now() : $this->due($begun);
        $isOne = $begun < $this->operations && $due < $this->deadline;
        if ($isOne) {
            $shared->add(Shared::BEGUN, 1);
        }
        $shared->unlock();
        return $isOne ? [$begun, $due] : null;
    }

    /** Producers are woken when half of the backlog is free: otherwise it would have to be done for every task. */
    private function took(): void
    {
        $shared = $this->shared;
        $shared->lock();
        $left = $shared->get(Shared::BEGUN) - $shared->add(Shared::GOT, 1);
        $waiting = $shared->get(Shared::WAITING);
        if ($waiting > 0 && $left <= intdiv($this->work['backlog'], 2)) {
            $shared->add(Shared::WAITING, -$waiting);
            $shared->wake($waiting);
        }
        $shared->unlock();
    }

    /** Takes tasks until it gets a mark of the end. */
    private function consume(): void
    {
        do {
            [$task, $id] = $this->take();
            $ended = $this->now();
            if ($task === null) {
                continue;
            }
            if ($task !== END_MARK) {
                if (preg_match('/^(\d+):(\d+)(?::|$)/D', $task, $found) !== 1) {
                    throw new Refusal('verification', 'got ' . substr($task, 0, 60) . ', which nobody has pushed');
                }
                $this->took();
                $this->tally->latency($ended - (int) $found[2]);
                $this->tally->deliver((int) $found[1]);
            }
            if ($this->work['acknowledge']) {
                $this->acknowledge($task, $id);
                $ended = $this->now();
            }
            if ($task !== END_MARK) {
                $this->tally->finish($ended);
            }
        } while ($task !== END_MARK);
    }

    private function push(string $task): void
    {
        $isList = $this->work['structure'] === 'list';
        $key = $this->key();
        answered($this->redis, $isList ? $this->redis->lPush($key, $task) : $this->redis->xAdd($key, '*', ['task' => $task]));
    }

    /**
     * A task and, of a stream, its ID; nothing if none came in time. phpredis has no NOACK, and BLMOVE only since its sixth
     * release, but a way to send any command.
     */
    private function take(): array
    {
        $redis = $this->redis;
        $key = $this->key();
        $worker = (string) $this->number;
        if ($this->work['structure'] === 'list') {
            $reply = $this->work['acknowledge']
                ? answered($redis, $redis->rawCommand('BLMOVE', $key, $this->taken($this->number), 'RIGHT', 'LEFT', WAIT))
                : answered($redis, $redis->brPop([$key], WAIT));
            return [is_array($reply) ? $reply[1] ?? null : ($reply === false ? null : $reply), null];
        }
        if ($this->work['acknowledge']) {
            $reply = answered($redis, $redis->xReadGroup('workers', $worker, [$key => '>'], 1, WAIT * 1000));
            $entries = $reply[$key] ?? [];
            return [$entries ? current($entries)['task'] : null, key($entries)];
        }
        $group = ['GROUP', 'workers', $worker, 'COUNT', 1, 'BLOCK', WAIT * 1000, 'NOACK', 'STREAMS', $key, '>'];
        $reply = answered($redis, $redis->rawCommand('XREADGROUP', ...$group));
        // A list of streams, each a name and a list of entries, each an ID and a list of fields and values.
        [$id, $fields] = $reply[0][1][0] ?? [null, null];
        return [$fields[1] ?? null, $id];
    }

    private function acknowledge(string $task, ?string $id): void
    {
        $redis = $this->redis;
        $count = answered($redis, $this->work['structure'] === 'list'
            ? $redis->lRem($this->taken($this->number), $task, 1)
            : $redis->xAck($this->key(), 'workers', [$id]));
        if ($count !== 1) {
            $answer = json_encode($count);
            throw new Refusal('verification', 'acknowledging ' . substr($task, 0, 60) . " was answered with $answer");
        }
    }
}

/** What a forked process does: connects, and then what it is told, a line each. */
function work(array $job, int $number, ?Shared $shared, $parent): void
{
    $tell = fn(array $message) => fwrite($parent, json_encode($message) . "\n");
    try {
        $redis = connect($job['server']);
        $shared?->join();
        $tell(['tally' => null]);
        while (($line = fgets($parent)) !== false) {
            [$call, $infix, $start] = json_decode($line);
            $result = (new Phase($redis, $job, $number, $shared, $infix, $start))->$call();
            $tell(['tally' => $result?->properties()]);
        }
    } catch (Refusal $refusal) {
        $tell(['failed' => $refusal->kind, 'error' => "process $number: {$refusal->getMessage()}"]);
    } catch (RedisException $error) {
        // Answers that phpredis throws begin with a word in capitals; whatever else it throws is about the connection.
        $kind = preg_match('/^[A-Z]{3,} /', $error->getMessage()) === 1 ? 'other' : 'connection';
        $tell(['failed' => $kind, 'error' => "process $number: {$error->getMessage()}"]);
    } catch (Throwable $error) {
        $tell(['failed' => 'other', 'error' => "process $number: " . get_class($error) . ": {$error->getMessage()}"]);
    }
}

/** All processes that were forked. */
final class Crew
{
    private array $pids = [];
    /** @var resource[] */
    private array $sockets = [];
    private ?Shared $shared = null;

    public function __construct(private readonly array $job)
    {
        $isQueue = $job['workload']['kind'] === 'queue';
        if ($isQueue) {
            $this->shared = new Shared();
        }
        $size = $job['workers'] + ($isQueue ? $job['workload']['producers'] : 0);
        for ($number = 0; $number < $size; $number++) {
            [$mine, $theirs] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
            $pid = pcntl_fork();
            if ($pid < 0) {
                throw new Refusal('other', "process $number could not be forked");
            }
            if ($pid === 0) {
                array_map('fclose', [...$this->sockets, $mine]);
                work($job, $number, $this->shared, $theirs);
                exit(1);
            }
            fclose($theirs);
            $this->pids[] = $pid;
            $this->sockets[] = $mine;
        }
    }

    /** Waits until all are connected. */
    public function connect(): void
    {
        $this->hear($this->sockets);
        $this->shared?->close();
    }

    /** Has all do a phase, and returns what they have done in it. */
    public function phase(string $infix): Tally
    {
        $start = hrtime(true);
        $isQueue = $this->shared !== null;
        $first = [$this->sockets[0]];
        if ($isQueue) {
            $this->shared->reset();
            $this->ask($first, 'create', $infix, $start);
        }
        $tally = $this->ask($this->sockets, 'run', $infix, $start);
        if ($isQueue) {
            $begun = $this->shared->get(Shared::BEGUN);
            if ($tally->operations !== $begun) {
                throw new Refusal('verification', "of $begun tasks that were pushed $tally->operations were taken");
            }
            $this->ask($first, 'delete', $infix, $start);
        }
        return $tally;
    }

    private function ask(array $sockets, string $call, string $infix, int $start): Tally
    {
        foreach ($sockets as $socket) {
            fwrite($socket, json_encode([$call, $infix, $start]) . "\n");
        }
        return $this->hear($sockets);
    }

    /** Waits for a line from each of some, and adds up what they say. The first failure of anybody is thrown. */
    private function hear(array $awaited): Tally
    {
        $total = new Tally();
        while ($awaited !== []) {
            $heard = [...$awaited, STDIN];
            $none = null;
            stream_select($heard, $none, $none, null);
            foreach ($heard as $socket) {
                $line = fgets($socket);
                if ($socket === STDIN) {
                    $line === false && $this->end(0);
                    continue;
                }
                $said = $line === false ? ['failed' => 'other', 'error' => 'a process has died'] : json_decode($line, true);
                if (isset($said['failed'])) {
                    throw new Refusal($said['failed'], $said['error']);
                }
                if ($said['tally'] !== null) {
                    $total->add(Tally::of($said['tally']));
                }
                unset($awaited[array_search($socket, $awaited, true)]);
            }
        }
        return $total;
    }

    /** The end of all processes, this one last. */
    public function end(int $status): never
    {
        foreach ($this->pids as $pid) {
            posix_kill($pid, SIGKILL);
        }
        foreach ($this->pids as $pid) {
            pcntl_waitpid($pid, $ignored);
        }
        $this->shared?->close();
        exit($status);
    }
}

function say(array $event): void
{
    fwrite(STDOUT, json_encode($event, JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
}

/** A line of the input. Its end is the end of the driver. */
function next_line(?Crew $crew): string
{
    $line = fgets(STDIN);
    if ($line === false) {
        $crew === null ? exit(0) : $crew->end(0);
    }
    return $line;
}

// What PHP prints is not to be taken for what a driver says, and a mistake is not to go by unseen.
ini_set('display_errors', 'stderr');
set_error_handler(fn(int $level, string $message) => throw new ErrorException($message));
// No waiting for anything ends by itself.
ini_set('default_socket_timeout', '-1');
ini_set('memory_limit', '-1');

$crew = null;
try {
    $job = read_job(next_line(null));
    $crew = new Crew($job);
    $crew->connect();
    $crew->phase('w');
    $client = 'phpredis ' . phpversion('redis');
    say(['event' => 'ready', 'client' => $client, 'runtime' => 'PHP ' . PHP_VERSION, 'workers' => $job['workers']]);
    if (json_decode(next_line($crew), true) !== ['go' => true]) {
        throw new Refusal('protocol', 'go was due');
    }
    say(['event' => 'done', ...$crew->phase('')->summary($job['workload'])]);
    while (true) {
        next_line($crew);
    }
} catch (Refusal $refusal) {
    say(['event' => 'failed', 'kind' => $refusal->kind, 'error' => $refusal->getMessage()]);
} catch (Throwable $error) {
    // Before there is a crew only the job can be at fault.
    say(['event' => 'failed', 'kind' => $crew === null ? 'protocol' : 'other', 'error' => $error->getMessage()]);
}
$crew?->end(1);
exit(1);
