# frozen_string_literal: true

# What one worker has done in one phase. Nobody else looks at it before the phase is over. Moments are in nanoseconds since
# the start of the phase.
class Tally
  # Operations are counted in time slots. When a time lies beyond the last slot, all slots double in width.
  SLOTS = 64
  FIRST_WIDTH = 20

  def self.clock
    Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
  end

  attr_reader :operations, :ended, :max_lag, :sum, :xor, :latencies, :slots, :width
  attr_accessor :reads

  def initialize
    @operations = @reads = @ended = @max_lag = @sum = @xor = 0
    @latencies = Hash.new(0)
    @slots = Array.new(SLOTS, 0)
    # As a power of two.
    @width = FIRST_WIDTH
  end

  # Counts the latency of an operation to three significant digits, by their lower bound.
  def latency(nanos)
    step = 1
    step *= 10 while nanos >= 1000 * step
    @latencies[nanos - (nanos % step)] += 1
  end

  # Counts an operation that is done.
  def finish(ended)
    @operations += 1
    @ended = ended
    widen while ended >> @width >= SLOTS
    @slots[ended >> @width] += 1
  end

  # Notes how late an operation was started.
  def lag(nanos)
    @max_lag = nanos if nanos > @max_lag
  end

  # Notes the number of a task that has come.
  def deliver(number)
    @sum += number
    @xor ^= number
  end

  # Takes over all of another.
  def add(other)
    widen while @width < other.width
    other.widen while other.width < @width
    other.slots.each_with_index { |count, slot| @slots[slot] += count }
    other.latencies.each { |bound, count| @latencies[bound] += count }
    @operations += other.operations
    @reads += other.reads
    @sum += other.sum
    @xor ^= other.xor
    @ended = [@ended, other.ended].max
    lag(other.max_lag)
    self
  end

  # What the driver says of the measured part.
  def summary(work)
    summary = { elapsed_ns: @ended, operations: @operations, latency: @latencies.sort, progress: progress }
    summary[:max_lag_ns] = @max_lag if work["rate"]
    summary[:calls] = { get: @reads, set: @operations - @reads } if work["kind"] == "read-write"
    summary[:delivered] = { sum: @sum, xor: @xor } if work["kind"] == "queue" && work["verify"]
    summary
  end

  protected

  def widen
    @slots = Array.new(SLOTS) { |slot| 2 * slot < SLOTS ? @slots[2 * slot] + @slots[(2 * slot) + 1] : 0 }
    @width += 1
  end

  private

  def progress
    done = 0
    slots = @slots.first([SLOTS, (@ended >> @width) + 1].min)
    slots.each_with_index.map { |count, slot| [[(slot + 1) << @width, @ended].min, done += count] }
  end
end
