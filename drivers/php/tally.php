<?php

declare(strict_types=1);

/**
 * What one worker has done in one phase; as an array it goes to the process that adds all of them up. Moments are in
 * nanoseconds since the start of the phase.
 */
final class Tally
{
    /** Operations are counted in time slots. When a time lies beyond the last slot, all slots double in width. */
    private const SLOTS = 64;

    public int $operations = 0;
    public int $reads = 0;
    private int $ended = 0;
    private int $maxLag = 0;
    private int $sum = 0;
    private int $xor = 0;
    private array $latencies = [];
    private array $slots;
    /** As a power of two. */
    private int $width = 20;

    public function __construct()
    {
        $this->slots = array_fill(0, self::SLOTS, 0);
    }

    public static function of(array $properties): self
    {
        $tally = new self();
        foreach ($properties as $name => $value) {
            $tally->$name = $value;
        }
        return $tally;
    }

    public function properties(): array
    {
        return get_object_vars($this);
    }

    /** Counts the latency of an operation to three significant digits, by their lower bound. */
    public function latency(int $nanos): void
    {
        $step = 1;
        while ($nanos >= 1000 * $step) {
            $step *= 10;
        }
        $bound = $nanos - $nanos % $step;
        $this->latencies[$bound] = ($this->latencies[$bound] ?? 0) + 1;
    }

    /** Counts an operation that is done. */
    public function finish(int $ended): void
    {
        $this->operations++;
        $this->ended = $ended;
        while ($ended >> $this->width >= self::SLOTS) {
            $this->widen();
        }
        $this->slots[$ended >> $this->width]++;
    }

    /** Notes how late an operation was started. */
    public function lag(int $nanos): void
    {
        $this->maxLag = max($this->maxLag, $nanos);
    }

    /** Notes the number of a task that has come. */
    public function deliver(int $number): void
    {
        $this->sum += $number;
        $this->xor ^= $number;
    }

    /** Takes over all of another. */
    public function add(self $other): void
    {
        while ($this->width < $other->width) {
            $this->widen();
        }
        while ($other->width < $this->width) {
            $other->widen();
        }
        foreach ($other->slots as $slot => $count) {
            $this->slots[$slot] += $count;
        }
        foreach ($other->latencies as $bound => $count) {
            $this->latencies[$bound] = ($this->latencies[$bound] ?? 0) + $count;
        }
        $this->operations += $other->operations;
        $this->reads += $other->reads;
        $this->sum += $other->sum;
        $this->xor ^= $other->xor;
        $this->ended = max($this->ended, $other->ended);
        $this->lag($other->maxLag);
    }

    /** What the driver says of the measured part. */
    public function summary(array $work): array
    {
        ksort($this->latencies);
        $latency = array_map(null, array_keys($this->latencies), array_values($this->latencies));
        $summary = ['elapsed_ns' => $this->ended, 'operations' => $this->operations, 'errors' => 0, 'latency' => $latency];
        $done = 0;
        for ($slot = 0; $slot < self::SLOTS && $slot << $this->width <= $this->ended; $slot++) {
            $done += $this->slots[$slot];
            $summary['progress'][] = [min(($slot + 1) << $this->width, $this->ended), $done];
        }
        if ($work['rate'] !== null) {
            $summary['max_lag_ns'] = $this->maxLag;
        }
        if ($work['kind'] === 'read-write') {
            $summary['calls'] = ['get' => $this->reads, 'set' => $this->operations - $this->reads];
        }
        if ($work['kind'] === 'queue' && $work['verify']) {
            $summary['delivered'] = ['sum' => $this->sum, 'xor' => $this->xor];
        }
        return $summary;
    }

    private function widen(): void
    {
        for ($slot = 0; $slot < self::SLOTS; $slot++) {
            $inside = 2 * $slot < self::SLOTS;
            $this->slots[$slot] = $inside ? $this->slots[2 * $slot] + $this->slots[2 * $slot + 1] : 0;
        }
        $this->width++;
    }
}
